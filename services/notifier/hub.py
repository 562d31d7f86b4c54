"""The hub: which sockets belong to whom, and what waits for each of them. No I/O happens here."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Protocol
from uuid import UUID

from prometheus_client import Counter, Gauge

from services.notifier import frames
from services.notifier.config import Live

SLOW, RESTART, SIGNED_OUT, SILENT = 4408, 1012, 4401, 1011
SILENT_S = 60.0
"""How long a client may leave a ping unanswered: connections that died without a word are found by it."""

sockets = Gauge("clinai_live_sockets", "Open WebSockets")
sent = Counter("clinai_live_events_total", "Event frames handed to sockets")
closed = Counter("clinai_live_closed_total", "Sockets closed by the notifier", ["code"])


class Socket(Protocol):
    """What an outlet sends to (services/notifier/wire.py)."""

    def send(self, frame: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def cut_later(self) -> None: ...


class Outlet:
    """What goes to one socket: at once while its client takes it, else by a bounded queue."""

    __slots__ = (
        "_live",
        "_queue",
        "_roomy",
        "_size",
        "_socket",
        "beat_at",
        "closing",
        "cursor",
        "heard_at",
        "joined",
        "newest",
        "owner",
        "stuck_since",
    )

    def __init__(self, owner: UUID, live: Live, socket: Socket, now: float) -> None:
        self.owner = owner
        self.cursor = 0
        """Sequence up to which the client has every event."""
        self.newest = 0
        """Last event of the owner that came while the socket was still catching up."""
        self.joined = False
        """Whether events go straight to the client; before that the socket reads what it missed from the stream."""
        self.closing: tuple[int, str] | None = None
        self.beat_at = now + live.heartbeat_s
        self.heard_at = now
        """When the client last sent anything, a pong for instance."""
        self.stuck_since: float | None = None
        """Since when the client has not taken what was sent; then frames wait in the queue."""
        self._live = live
        self._socket = socket
        # thousands of idle sockets have neither a queue nor anybody who waits for room in it
        self._queue: deque[bytes] | None = None
        self._size = 0
        self._roomy: asyncio.Event | None = None

    @property
    def waiting(self) -> int:
        """Frames in the queue."""
        return len(self._queue) if self._queue else 0

    def offer(self, frame: bytes) -> bool:
        """Send or queue a frame; a client that has let its queue fill up is closed instead, and False is the answer."""
        if self.closing:
            return False
        if self.stuck_since is None:
            self._socket.send(frame)
            return True
        if self._queue is None:
            self._queue = deque()
        full = len(self._queue) >= self._live.queue_frames or self._size + len(frame) > self._live.queue_bytes
        if self._queue and full:
            self.close(SLOW, "too slow: come back with ?since=<last seq>", flush=False)
            return False
        self._queue.append(frame)
        self._size += len(frame)
        return True

    async def put(self, frame: bytes) -> None:
        """Send or queue a frame that can wait (history, log lines), once less than half of the queue is in use."""
        while self._used(2) and not self.closing:  # another one who waited may have been quicker
            if self._roomy is None:
                self._roomy = asyncio.Event()
            await self._roomy.wait()
        self.offer(frame)

    def stick(self, now: float) -> None:
        """The client takes nothing more for now."""
        if self.stuck_since is None:
            self.stuck_since = now

    def flow(self) -> None:
        """The client takes frames again: send what waits, until it is stuck once more."""
        self.stuck_since = None
        while self._queue and self.stuck_since is None:
            frame = self._queue.popleft()
            self._size -= len(frame)
            self._socket.send(frame)
        if not self._used(4):
            self._make_room()
        if not self._queue:
            self._queue = None
            if self.closing:
                self._socket.close(*self.closing)

    def close(self, code: int, reason: str, *, flush: bool = True) -> None:
        """Have the socket closed, after what is queued or (`flush=False`) instead of it. May be called twice."""
        if self.closing:
            return
        self.closing = (code, reason)
        closed.labels(str(code)).inc()
        if not flush:
            self._queue = None
        self._make_room()
        self._socket.cut_later()
        if not self._queue:
            self._size = 0
            self._socket.close(code, reason)

    def _used(self, part: int) -> bool:
        """Whether more than one part in so many of the queue is in use."""
        if not self._queue:
            return False
        return len(self._queue) * part >= self._live.queue_frames or self._size * part >= self._live.queue_bytes

    def _make_room(self) -> None:
        if self._roomy is not None:
            self._roomy.set()
            self._roomy = None


class Hub:
    """Every socket of this process by its owner."""

    def __init__(self, live: Live) -> None:
        self.last_seq = 0
        """Last sequence of EVENTS that has passed through here."""
        self._live = live
        self._outlets: dict[UUID, set[Outlet]] = {}

    def __iter__(self) -> Iterator[Outlet]:
        return iter([outlet for outlets in self._outlets.values() for outlet in outlets])

    def __len__(self) -> int:
        return sum(map(len, self._outlets.values()))

    @property
    def owners(self) -> list[UUID]:
        """Users with a socket here."""
        return list(self._outlets)

    def listens(self, owner: UUID | None) -> bool:
        """Whether anybody here wants this user's events."""
        return owner in self._outlets

    def add(self, owner: UUID, socket: Socket, now: float) -> Outlet:
        """A new socket of `owner`; `now` is the loop's time."""
        outlet = Outlet(owner, self._live, socket, now)
        outlet.cursor = self.last_seq
        self._outlets.setdefault(owner, set()).add(outlet)
        sockets.inc()
        return outlet

    def remove(self, outlet: Outlet) -> None:
        """Forget a socket. May be called twice."""
        outlets = self._outlets.get(outlet.owner, set())
        if outlet not in outlets:
            return
        outlets.discard(outlet)
        sockets.dec()
        if not outlets:
            del self._outlets[outlet.owner]

    def deliver(self, owner: UUID, seq: int, frame: bytes) -> None:
        """Give an event to the sockets of its owner: the same bytes to each."""
        reached = 0
        for outlet in self._outlets.get(owner, ()):
            if not outlet.joined:
                outlet.newest = seq
            elif seq > outlet.cursor and outlet.offer(frame):
                reached += 1
        sent.inc(reached)

    def close_owner(self, owner: UUID, code: int, reason: str) -> None:
        """Close every socket of one user."""
        for outlet in self._outlets.get(owner, ()):
            outlet.close(code, reason)

    def close_all(self, code: int, reason: str) -> None:
        """Close every socket; clients come back by themselves."""
        for outlet in self:
            outlet.close(code, reason)

    def beat(self, now: float) -> None:
        """Send heartbeats that are due and give up on clients that take or say nothing. Call about once a second."""
        for outlet in self:
            if outlet.stuck_since is not None and now - outlet.stuck_since > self._live.stall_s:
                outlet.close(SLOW, "nothing was read for too long: come back with ?since=<last seq>", flush=False)
            elif now - outlet.heard_at > self._live.heartbeat_s + SILENT_S:
                outlet.close(SILENT, "no pong came back", flush=False)
            elif now >= outlet.beat_at:
                outlet.beat_at = now + self._live.heartbeat_s
                outlet.offer(frames.BEAT)
