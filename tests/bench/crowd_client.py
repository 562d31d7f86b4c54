"""`python -m tests.bench.crowd_client <port>`: thousands of WebSockets in one cheap process.

A line on stdin is a ticket: a socket is opened with it. A line on stdout is `{"opened": n}` when another one is ready,
or `{"id": …, "got": n, "last": t}` when every socket has the event of that object; `t` is this machine's clock.
"""

import asyncio
import base64
import json
import resource
import secrets
import sys
import time
from collections import Counter

import uvloop

PONG = b"\x8a\x80\x00\x00\x00\x00"
TEXT, PING, CLOSE = 1, 9, 8


class Crowd:
    """All sockets of this process."""

    def __init__(self) -> None:
        self.opened = 0
        self.got: Counter[str] = Counter()

    def say(self, **what: object) -> None:
        """One line for whoever started us."""
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    def ready(self) -> None:
        """One more socket has its first frame."""
        self.opened += 1
        self.say(opened=self.opened)

    def event(self, frame: bytes) -> None:
        """One socket has got an event."""
        start = frame.index(b'"data":{"id":"') + 14
        object_id = frame[start : start + 36].decode()
        self.got[object_id] += 1
        if self.got[object_id] == self.opened:
            self.say(id=object_id, got=self.got[object_id], last=time.time())


class Socket(asyncio.Protocol):
    """A client that reads frames, answers pings and does nothing else."""

    __slots__ = ("_buffer", "_crowd", "_shaken", "_ticket", "_transport")

    def __init__(self, crowd: Crowd, ticket: str) -> None:
        self._crowd = crowd
        self._ticket = ticket
        self._shaken = False
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._transport.write(  # type: ignore[attr-defined]
            f"GET /ws?ticket={self._ticket} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        if not self._shaken:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._shaken = True
        while len(data) >= 2:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            if len(data) < start + length:
                break
            self._frame(data[0] & 15, data[start : start + length])
            data = data[start + length :]
        self._buffer = data

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(PONG)  # type: ignore[attr-defined]
        elif opcode == CLOSE:
            self._crowd.say(closed=int.from_bytes(payload[:2]))
        elif payload.startswith(b'{"type":"ready"'):
            self._crowd.ready()
        elif payload.startswith(b'{"type":"event"'):
            self._crowd.event(payload)


async def main(port: int) -> None:
    """Open a socket for each ticket until stdin ends."""
    loop, crowd = asyncio.get_running_loop(), Crowd()
    tickets = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(tickets), sys.stdin)
    while ticket := (await tickets.readline()).decode().strip():
        await loop.create_connection(lambda ticket=ticket: Socket(crowd, ticket), "127.0.0.1", port)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(main(int(sys.argv[1])))
