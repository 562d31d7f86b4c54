"""One WebSocket from its ticket to its close (design, section 10; docs/events.md)."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec
import structlog
from litestar import WebSocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from services.notifier import frames
from services.notifier.config import Live
from services.notifier.feed import BUS_FAULTS, RETRY_S, StreamReplaced, StreamState
from services.notifier.hub import SIGNED_OUT, Hub
from services.notifier.tail import Tail
from services.notifier.topics import Refused, Topics
from shared.bus import BusConnection
from shared.db import Pool, load_queries

log = structlog.get_logger()
_queries = load_queries("live")

INVALID, AWAY = 4400, 1013
PAGE = 256
"""Missed events read from the stream at a time."""
CLOSE_S = 5.0
"""How long a client may take for its last frames and the close; then its connection is cut."""
DATABASE_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
QUIET = (WebSocketDisconnect, OSError, StreamReplaced)
"""How a connection's tasks end when the client left (uvicorn says so by an OSError) or was sent away."""
Socket = WebSocket[object, object, State]


@dataclass(frozen=True)
class Notifier:
    """Open parts of this process."""

    live: Live
    pool: Pool
    bus: BusConnection
    hub: Hub
    tail: Tail
    replays: asyncio.Semaphore


async def serve(notifier: Notifier, socket: Socket) -> None:
    """Carry one socket from accept to close; returns when it is over and never raises for the client's doing."""
    await socket.accept()
    try:
        refusal = await _admit(notifier, socket)
        if isinstance(refusal, Admitted):
            await _Session(notifier, socket, refusal).run()
        else:
            await socket.send_text(frames.error(refusal.code, refusal.detail))
            await socket.close(refusal.close, refusal.detail)
    except QUIET:
        pass


class Admitted(msgspec.Struct, frozen=True):
    """A socket whose ticket was good."""

    owner: UUID
    since: int | None


class Rejected(msgspec.Struct, frozen=True):
    """A socket that is told why it is closed."""

    close: int
    code: str
    detail: str


async def _admit(notifier: Notifier, socket: Socket) -> Admitted | Rejected:
    ticket = socket.query_params.get("ticket", "")
    try:
        owner = await _queries.consume_ticket(notifier.pool, ticket_hash=hashlib.sha256(ticket.encode()).digest())
    except DATABASE_FAULTS as error:
        log.warning("ticket not looked up", error=repr(error))
        return Rejected(AWAY, "UNAVAILABLE", "the database does not answer; try again in a few seconds")
    if owner is None:
        return Rejected(
            SIGNED_OUT, "UNAUTHORIZED", "ticket unknown, used or expired: get a new one from POST /api/live/ticket"
        )
    since = socket.query_params.get("since")
    if since is None:
        return Admitted(owner, None)
    if not (since.isascii() and since.isdecimal() and len(since) < 20):
        return Rejected(INVALID, "INVALID_REQUEST", f"since={since[:40]!r}: expected the seq of a frame, a number")
    return Admitted(owner, int(since))


class _Session:
    """The tasks of an admitted socket: a reader, a writer, and what it missed."""

    def __init__(self, notifier: Notifier, socket: Socket, admitted: Admitted) -> None:
        self._notifier = notifier
        self._socket = socket
        self._since = admitted.since
        self._hub = notifier.hub
        loop = asyncio.get_running_loop()
        self._now: Callable[[], float] = loop.time
        self._outlet = self._hub.add(admitted.owner, loop.time())
        self._topics = Topics(notifier.pool, notifier.bus, self._outlet, notifier.live.subscriptions)

    async def run(self) -> None:
        outlet = self._outlet
        outlet.offer(frames.ready(outlet.cursor))
        writer = asyncio.create_task(self._write(), name="live-write")
        reader = asyncio.create_task(self._read(), name="live-read")
        others = []
        if self._since is None or self._since == outlet.cursor:
            outlet.joined = True
        else:
            others.append(asyncio.create_task(self._catch_up(self._since), name="live-missed"))
        closed = asyncio.create_task(outlet.closed.wait(), name="live-closed")
        try:
            await asyncio.wait([writer, reader, closed], return_when=asyncio.FIRST_COMPLETED)
            if outlet.closing:
                await self._close(writer, *outlet.closing)
        finally:
            self._hub.remove(outlet)
            await self._topics.close()
            tasks = [writer, reader, closed, *others]
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, QUIET):
                    log.error("live connection failed", exc_info=result)

    async def _close(self, writer: asyncio.Task[None], code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.wait([writer])
                await self._socket.close(code, reason)
        except TimeoutError:
            log.info("a client read nothing, not even the close; its connection is cut")
        finally:
            # an orderly end waits for ever when the client takes no byte any more
            asyncio.get_running_loop().call_later(CLOSE_S, self._socket.scope["state"]["abort"])

    async def _write(self) -> None:
        outlet = self._outlet
        while (frame := await outlet.take()) is not None:
            outlet.sending_since = self._now()
            await self._socket.send_text(frame)
            outlet.sending_since = None

    async def _read(self) -> None:
        while True:
            text = await self._socket.receive_text()
            try:
                await self._topics.handle(text)
            except Refused as refused:
                self._outlet.offer(frames.error(refused.code, refused.detail, refused.topic))

    # -- what was missed ------------------------------------------------------------------------------------------

    async def _catch_up(self, since: int) -> None:
        """Send what the owner missed after `since`, or a reset, then join the live events: no gap, nothing twice."""
        outlet, hub = self._outlet, self._hub
        ready_seq = outlet.cursor
        if (await self._state()).can_resume(since):
            # above ready_seq when this process lags behind the one that the client comes from
            outlet.cursor = since
            outlet.newest = max(outlet.newest, ready_seq)
        else:
            await outlet.put(frames.reset())
        # between the last comparison and `joined` nothing is awaited, so no event can slip through
        while outlet.newest > outlet.cursor:
            outlet.cursor = await self._send_missed(outlet.cursor, hub.last_seq)
        outlet.joined = True

    async def _state(self) -> StreamState:
        while True:
            try:
                return await self._notifier.tail.state()
            except StreamReplaced:
                await self._outlet.closed.wait()  # by the tail: this client starts afresh
                raise
            except BUS_FAULTS:
                await asyncio.sleep(RETRY_S)

    async def _send_missed(self, after: int, until: int) -> int:
        """Send one page of (after, until]; return up to where the client has everything then."""
        notifier, outlet = self._notifier, self._outlet
        async with notifier.replays:
            page = await notifier.tail.missed(outlet.owner, after=after, until=until, limit=PAGE)
        for _, frame in page:
            await outlet.put(frame)
        return page[-1][0] if len(page) == PAGE else until
