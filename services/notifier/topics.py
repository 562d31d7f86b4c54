"""The logs a socket follows: `subscribe` and `unsubscribe` (design, section 10; docs/events.md)."""

import asyncio
from contextlib import aclosing
from uuid import UUID

import asyncpg
import msgspec
import structlog
from prometheus_client import Gauge

from services.notifier import frames
from services.notifier.feed import BUS_FAULTS, RETRY_S, StreamReplaced, read, stream_state
from services.notifier.hub import Outlet
from shared.background import stop
from shared.bus import BusConnection
from shared.db import Pool, load_queries
from shared.events import LOGS, Noun, log_subject

log = structlog.get_logger()
_queries = load_queries("live")

LOG_BATCH = 64
"""Lines on their way to one client at most; the rest waits in the stream until it has read these."""
DATABASE_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_stopping: set[asyncio.Task[None]] = set()
"""Kept until they have ended: the loop itself holds tasks but weakly."""

followed = Gauge("clinai_live_topics", "Logs that sockets follow")


class Refused(Exception):
    """What a client asked for cannot be done; it is told so and stays connected."""

    def __init__(self, code: str, detail: str, topic: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.topic = code, detail, topic


class Topics:
    """The logs of one socket, each read by a task of its own at the pace of the client."""

    def __init__(self, pool: Pool, bus: BusConnection, outlet: Outlet, limit: int) -> None:
        self._pool = pool
        self._bus = bus
        self._outlet = outlet
        self._limit = limit
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def handle(self, text: str) -> None:
        """Carry out one frame of the client; raises Refused."""
        op = _parse(text)
        if op.op == "unsubscribe":
            await self._drop(op.topic)
        else:
            noun, object_id = _parse_topic(op.topic)
            await self._subscribe(noun, object_id, f"{noun}:{object_id}", op)

    def close(self) -> None:
        """Follow nothing any more."""
        while self._tasks:
            _, task = self._tasks.popitem()
            followed.dec()
            stopping = asyncio.create_task(stop(task), name="live-log-stop")
            _stopping.add(stopping)
            stopping.add_done_callback(_stopping.discard)

    async def _subscribe(self, noun: Noun, object_id: UUID, topic: str, op: frames.Op) -> None:
        if op.topic not in self._tasks and len(self._tasks) >= self._limit:
            raise Refused(
                "TOO_MANY_SUBSCRIPTIONS", f"a socket follows at most {self._limit} logs; unsubscribe one", op.topic
            )
        query = _queries.version_reader if noun == "version" else _queries.job_reader
        try:
            reader: UUID | None = await query(self._pool, id=object_id)
        except DATABASE_FAULTS as error:
            log.warning("owner of a log not looked up", error=repr(error))
            raise Refused(
                "UNAVAILABLE", "the database does not answer; subscribe again in a few seconds", op.topic
            ) from None
        if reader != self._outlet.owner:
            raise Refused("NOT_FOUND", f"there is no {topic}, or it is not yours", op.topic)
        await self._drop(op.topic)  # asked for again: from where it says now
        follow = self._follow(log_subject(noun, reader, object_id), op.topic, op.since)
        task = asyncio.create_task(follow, name=f"live-log-{topic}")
        task.add_done_callback(_note_failure)
        self._tasks[op.topic] = task
        followed.inc()

    async def _drop(self, topic: str) -> None:
        task = self._tasks.pop(topic, None)
        if task is not None:
            followed.dec()
            await stop(task)

    async def _follow(self, subject: str, topic: str, since: int | None) -> None:
        while True:
            try:
                state = await stream_state(self._bus, LOGS)
                break
            except BUS_FAULTS:
                await asyncio.sleep(RETRY_S)
        if since is not None and not state.can_resume(since):
            await self._outlet.put(frames.reset(topic))
            since = None
        lines = read(self._bus, LOGS, after=since or 0, created=state.created, subject=subject, batch=LOG_BATCH)
        try:
            async with aclosing(lines) as messages:
                async for message in messages:
                    await self._outlet.put(frames.line(topic, message))
        except StreamReplaced:
            await self._outlet.put(frames.reset(topic))
            await asyncio.sleep(RETRY_S)
            await self._follow(subject, topic, None)


def _note_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("following a log failed", exc_info=error)


def _parse(text: str) -> frames.Op:
    try:
        op = msgspec.json.decode(text, type=frames.Op)
    except msgspec.DecodeError as error:
        raise Refused("INVALID_REQUEST", f"not a frame: {error}; see docs/events.md") from None
    if op.op not in ("subscribe", "unsubscribe"):
        raise Refused("INVALID_REQUEST", f"op {op.op[:40]!r}: there are subscribe and unsubscribe", op.topic[:100])
    return op


def _parse_topic(topic: str) -> tuple[Noun, UUID]:
    noun, _, object_id = topic.partition(":")
    try:
        if noun == "version" or noun == "job":
            return ("version" if noun == "version" else "job"), UUID(object_id)
    except ValueError:
        pass
    raise Refused("INVALID_REQUEST", f"topic {topic[:100]!r}: expected version:<id> or job:<id>", topic[:100])
