"""The WebSocket of one client on the wire: handshake, frames, flow (RFC 6455, by websockets' sans-I/O protocol).

A protocol of the event loop and no ASGI application: an idle socket is this object and its transport, without a task,
and a frame that goes to thousands of sockets is written to each as it is.
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, urlsplit

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from services.notifier.frames import OP_BYTES_MAX

CLOSE_S = 10.0
"""How long a client may take for its last frames and the close; then its connection is cut."""
PATH = "/ws"
_log = logging.getLogger("websockets.server")
_log.setLevel(logging.WARNING)  # it would log each socket's URL, and the ticket is in it


class Session(Protocol):
    """What a socket is for; everything is called in the event loop and must not wait."""

    def opened(self, query: dict[str, str]) -> None: ...
    def received(self, text: str) -> None: ...
    def heard(self) -> None: ...
    def stuck(self) -> None: ...
    def flows(self) -> None: ...
    def stopping(self) -> None: ...
    def lost(self) -> None: ...


class Wire(asyncio.Protocol):
    """One connection; made by uvicorn when a request asks for an upgrade."""

    __slots__ = ("_connections", "_cut", "_loop", "_parts", "_protocol", "_session", "_transport")

    def __init__(
        self, make: Callable[["Wire"], Session], *, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._connections: set[Any] = server_state.connections
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=OP_BYTES_MAX, logger=_log)
        self._session = make(self)
        self._transport: asyncio.Transport
        self._parts: list[bytes] | None = None
        self._cut: asyncio.TimerHandle | None = None

    # -- for the session ------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Write a frame that is encoded already; nothing happens once the close is sent."""
        if self._protocol.state is OPEN:
            self._transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Send the close; a client that does not answer it in time is cut off. May be called twice."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self.cut_later()

    def cut_later(self) -> None:
        """Cut the connection in a while, whatever the client does: an orderly end may wait for ever."""
        if self._cut is None:
            self._cut = self._loop.call_later(CLOSE_S, self._transport.abort)

    def pause(self) -> None:
        """Read nothing more for now: the client asks faster than it can be answered."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # -- for the event loop ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not say what they are
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._cut is not None:
            self._cut.cancel()
        self._session.lost()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._take_events()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._take_events()

    def pause_writing(self) -> None:
        self._session.stuck()

    def resume_writing(self) -> None:
        self._session.flows()

    def shutdown(self) -> None:
        """The process stops (uvicorn calls this)."""
        self._session.stopping()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _take_events(self) -> None:
        self._session.heard()
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._take_frame(event)
        self._flush()

    def _answer(self, request: Request) -> None:
        address = urlsplit(request.path)
        if address.path != PATH:
            self._protocol.send_response(self._protocol.reject(HTTPStatus.NOT_FOUND, f"the WebSocket is at {PATH}\n"))
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._flush()
            self._session.opened({name: values[-1] for name, values in parse_qs(address.query).items()})

    def _take_frame(self, frame: Frame) -> None:
        if not frame.fin or self._parts is not None:
            self._parts = [*(self._parts or ()), bytes(frame.data)]
            if not frame.fin:
                return
            data, self._parts = b"".join(self._parts), None
        else:
            data = bytes(frame.data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._protocol.fail(1007, "a frame that is no UTF-8")
            return
        self._session.received(text)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif not self._transport.is_closing():  # the end of what we say; the client closes then
                self._transport.write_eof()
        if self._protocol.close_expected():
            self.cut_later()
