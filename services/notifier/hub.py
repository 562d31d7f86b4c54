"""The hub: which sockets belong to whom, and what waits for each of them. No I/O happens here."""

import asyncio
from collections import deque
from collections.abc import Iterator
from uuid import UUID

from prometheus_client import Counter, Gauge

from services.notifier import frames
from services.notifier.config import Live

SLOW, RESTART, SIGNED_OUT = 4408, 1012, 4401

sockets = Gauge("clinai_live_sockets", "Open WebSockets")
sent = Counter("clinai_live_events_total", "Event frames handed to sockets")
closed = Counter("clinai_live_closed_total", "Sockets closed by the notifier", ["code"])


class Outlet:
    """What waits to be sent to one socket: bounded, filled by the hub, emptied by the socket's writer."""

    def __init__(self, owner: UUID, live: Live) -> None:
        self.owner = owner
        self.cursor = 0
        """Sequence up to which the client has every event."""
        self.newest = 0
        """Last event of the owner that came while the socket was still catching up."""
        self.joined = False
        """Whether events go straight to the queue; before that the socket reads what it missed from the stream."""
        self.closing: tuple[int, str] | None = None
        self.closed = asyncio.Event()
        self.beat_at = 0.0
        self.sending_since: float | None = None
        self._live = live
        self._queue: deque[str] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()

    def offer(self, frame: str) -> bool:
        """Queue a frame; a client that has let its queue fill up is closed instead, and False is the answer."""
        if self.closing:
            return False
        full = len(self._queue) >= self._live.queue_frames or self._size + len(frame) > self._live.queue_bytes
        if self._queue and full:
            self.close(SLOW, "too slow: come back with ?since=<last seq>", flush=False)
            return False
        self._queue.append(frame)
        self._size += len(frame)
        self._filled.set()
        if len(self._queue) * 2 >= self._live.queue_frames or self._size * 2 >= self._live.queue_bytes:
            self._roomy.clear()
        return True

    async def put(self, frame: str) -> None:
        """Queue a frame that can wait (history, log lines) once less than half of the queue is in use."""
        while not self._roomy.is_set():  # another one who waited may have been quicker
            await self._roomy.wait()
        self.offer(frame)

    async def take(self) -> str | None:
        """The next frame; None once the socket is closing and everything to be flushed is out."""
        while not self._queue:
            if self.closing:
                return None
            self._filled.clear()
            await self._filled.wait()
        frame = self._queue.popleft()
        self._size -= len(frame)
        if len(self._queue) * 4 <= self._live.queue_frames and self._size * 4 <= self._live.queue_bytes:
            self._roomy.set()
        return frame

    def close(self, code: int, reason: str, *, flush: bool = True) -> None:
        """Have the socket closed, after what is queued or (`flush=False`) instead of it. May be called twice."""
        if self.closing:
            return
        self.closing = (code, reason)
        closed.labels(str(code)).inc()
        if not flush:
            self._queue.clear()
            self._size = 0
        self._filled.set()
        self._roomy.set()
        self.closed.set()


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

    def add(self, owner: UUID, now: float) -> Outlet:
        """A new socket of `owner`; `now` is the loop's time."""
        outlet = Outlet(owner, self._live)
        outlet.cursor = self.last_seq
        outlet.beat_at = now + self._live.heartbeat_s
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

    def deliver(self, owner: UUID, seq: int, frame: str) -> None:
        """Give an event to the sockets of its owner."""
        for outlet in self._outlets.get(owner, ()):
            if not outlet.joined:
                outlet.newest = seq
            elif seq > outlet.cursor and outlet.offer(frame):
                sent.inc()

    def close_owner(self, owner: UUID, code: int, reason: str) -> None:
        """Close every socket of one user."""
        for outlet in self._outlets.get(owner, ()):
            outlet.close(code, reason)

    def close_all(self, code: int, reason: str) -> None:
        """Close every socket; clients come back by themselves."""
        for outlet in self:
            outlet.close(code, reason)

    def beat(self, now: float) -> None:
        """Send heartbeats that are due and give up on clients that take nothing. Call about once a second."""
        for outlet in self:
            if outlet.sending_since is not None and now - outlet.sending_since > self._live.stall_s:
                outlet.close(SLOW, "nothing was read for too long: come back with ?since=<last seq>", flush=False)
            elif now >= outlet.beat_at:
                outlet.beat_at = now + self._live.heartbeat_s
                outlet.offer(frames.HEARTBEAT)
