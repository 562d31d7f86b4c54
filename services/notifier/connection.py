"""One WebSocket from its ticket to its close (design, section 10; docs/events.md)."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from services.notifier import frames
from services.notifier.config import Live
from services.notifier.feed import BUS_FAULTS, RETRY_S, StreamReplaced, StreamState
from services.notifier.hub import RESTART, SIGNED_OUT, Hub, Outlet
from services.notifier.tail import Tail
from services.notifier.topics import Refused, Topics
from services.notifier.wire import Wire
from shared.bus import BusConnection
from shared.db import Pool, load_queries

log = structlog.get_logger()
_queries = load_queries("live")

INVALID, AWAY, INTERNAL = 4400, 1013, 1011
PAGE = 256
"""Missed events read from the stream at a time."""
OPS_MAX = 16
"""Frames of a client that may wait to be carried out before nothing more is read from it."""
DATABASE_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(frozen=True)
class Notifier:
    """Open parts of this process."""

    live: Live
    pool: Pool
    bus: BusConnection
    hub: Hub
    tail: Tail
    replays: asyncio.Semaphore


class Admitted(msgspec.Struct, frozen=True):
    """A socket whose ticket was good."""

    owner: UUID
    since: int | None


class Rejected(msgspec.Struct, frozen=True):
    """A socket that is told why it is closed."""

    close: int
    code: str
    detail: str


async def _admit(notifier: Notifier, query: dict[str, str]) -> Admitted | Rejected:
    ticket = query.get("ticket", "")
    try:
        owner = await _queries.consume_ticket(notifier.pool, ticket_hash=hashlib.sha256(ticket.encode()).digest())
    except DATABASE_FAULTS as error:
        log.warning("ticket not looked up", error=repr(error))
        return Rejected(AWAY, "UNAVAILABLE", "the database does not answer; try again in a few seconds")
    if owner is None:
        return Rejected(
            SIGNED_OUT, "UNAUTHORIZED", "ticket unknown, used or expired: get a new one from POST /api/live/ticket"
        )
    since = query.get("since")
    if since is None:
        return Admitted(owner, None)
    if not (since.isascii() and since.isdecimal() and len(since) < 20):
        return Rejected(INVALID, "INVALID_REQUEST", f"since={since[:40]!r}: expected the seq of a frame, a number")
    return Admitted(owner, int(since))


class LiveSession:
    """What one socket is for: events of its owner, and the logs it asks for. Idle, it has no task."""

    __slots__ = ("_notifier", "_now", "_ops", "_outlet", "_paused", "_tasks", "_topics", "_wire")

    def __init__(self, notifier: Notifier, wire: Wire) -> None:
        self._notifier = notifier
        self._wire = wire
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        self._outlet: Outlet | None = None
        self._topics: Topics | None = None
        self._ops: deque[str] | None = None
        self._paused = False
        self._tasks: set[asyncio.Task[None]] | None = None

    # -- called by the wire ---------------------------------------------------------------------------------------

    def opened(self, query: dict[str, str]) -> None:
        """The handshake is done."""
        self._begin(self._enter(query), "live-enter")

    def received(self, text: str) -> None:
        """A frame of the client; carried out one after the other."""
        if self._ops is not None:
            self._ops.append(text)
            if len(self._ops) > OPS_MAX and not self._paused:
                self._paused = True
                self._wire.pause()
            return
        self._ops = deque([text])
        if self._outlet is not None:
            self._begin(self._carry_out(self._outlet), "live-ops")

    def heard(self) -> None:
        """The client has sent something."""
        if self._outlet is not None:
            self._outlet.heard_at = self._now()

    def stuck(self) -> None:
        """The client takes nothing more for now."""
        if self._outlet is not None:
            self._outlet.stick(self._now())

    def flows(self) -> None:
        """The client takes frames again."""
        if self._outlet is not None:
            self._outlet.flow()

    def stopping(self) -> None:
        """The process stops; the client comes back, to another one perhaps."""
        if self._outlet is not None:
            self._outlet.close(RESTART, "the notifier stops: come back with ?since=<last seq>")
        else:
            self._wire.close(RESTART, "the notifier stops: come back")

    def lost(self) -> None:
        """The connection is gone."""
        if self._outlet is not None:
            self._notifier.hub.remove(self._outlet)
        if self._topics is not None:
            self._topics.close()
        for task in self._tasks or ():
            task.cancel()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks = {*(self._tasks or ()), task}
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        left = (self._tasks or set()) - {task}
        self._tasks = left or None
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, StreamReplaced):
            log.error("live connection failed", exc_info=error)
            self._wire.close(INTERNAL, "something went wrong inside the notifier")

    async def _enter(self, query: dict[str, str]) -> None:
        admitted = await _admit(self._notifier, query)
        if isinstance(admitted, Rejected):
            self._wire.send(frames.error(admitted.code, admitted.detail))
            self._wire.close(admitted.close, admitted.detail)
            return
        outlet = self._outlet = self._notifier.hub.add(admitted.owner, self._wire, self._now())
        outlet.offer(frames.ready(outlet.cursor))
        if self._ops is not None:
            self._begin(self._carry_out(outlet), "live-ops")
        if admitted.since is None or admitted.since == outlet.cursor:
            outlet.joined = True
        else:
            await self._catch_up(outlet, admitted.since)

    async def _carry_out(self, outlet: Outlet) -> None:
        notifier = self._notifier
        if self._topics is None:
            self._topics = Topics(notifier.pool, notifier.bus, outlet, notifier.live.subscriptions)
        while self._ops:
            try:
                await self._topics.handle(self._ops.popleft())
            except Refused as refused:
                outlet.offer(frames.error(refused.code, refused.detail, refused.topic))
        self._ops = None
        if self._paused:
            self._paused = False
            self._wire.resume()

    # -- what was missed ------------------------------------------------------------------------------------------

    async def _catch_up(self, outlet: Outlet, since: int) -> None:
        """Send what the owner missed after `since`, or a reset, then join the live events: no gap, nothing twice."""
        hub = self._notifier.hub
        ready_seq = outlet.cursor
        if (await self._state()).can_resume(since):
            # above ready_seq when this process lags behind the one that the client comes from
            outlet.cursor = since
            outlet.newest = max(outlet.newest, ready_seq)
        else:
            await outlet.put(frames.reset())
        # between the last comparison and `joined` nothing is awaited, so no event can slip through
        while outlet.newest > outlet.cursor:
            outlet.cursor = await self._send_missed(outlet, outlet.cursor, hub.last_seq)
        outlet.joined = True

    async def _state(self) -> StreamState:
        while True:
            try:
                return await self._notifier.tail.state()
            except BUS_FAULTS:
                await asyncio.sleep(RETRY_S)

    async def _send_missed(self, outlet: Outlet, after: int, until: int) -> int:
        """Send one page of (after, until]; return up to where the client has everything then."""
        notifier = self._notifier
        async with notifier.replays:
            page = await notifier.tail.missed(outlet.owner, after=after, until=until, limit=PAGE)
        for _, frame in page:
            await outlet.put(frame)
        return page[-1][0] if len(page) == PAGE else until
