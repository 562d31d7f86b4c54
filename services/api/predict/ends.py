"""Hearing that jobs have ended: one subscription for all requests of this process that wait.

The end events pass by on core NATS, without a consumer. A lost message is no harm: the rows of all jobs waited for
are asked, all at once, every two seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

import structlog
from nats.aio.msg import Msg

from shared.background import background
from shared.bus import BusConnection
from shared.db import Pool, load_queries

log = structlog.get_logger()
_queries = load_queries("predict")

ENDS = ("job.succeeded.>", "job.failed.>", "job.canceled.>")
POLL_S = 2.0


class JobEnds:
    """`with ends.awaiting(job_id) as ended: … await ended.wait()`; enter it before the job can end, or look first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def awaiting(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """Give an event that is set when the job has ended or was removed; several may wait for one job."""
        key, ended = str(job_id), asyncio.Event()
        self._waiting.setdefault(key, set()).add(ended)
        try:
            yield ended
        finally:
            self._waiting[key].discard(ended)
            if not self._waiting[key]:
                del self._waiting[key]

    async def heard(self, message: Msg) -> None:
        """Take an end event off the bus."""
        self._tell(message.subject.rsplit(".", 1)[-1])

    async def poll(self) -> None:
        """Ask the database, for ever, for what no message has told."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._waiting:
                continue
            try:
                async for row in _queries.jobs_ended(self._pool, ids=[UUID(key) for key in self._waiting]):
                    self._tell(str(row["id"]))
            except Exception as error:
                log.warning("ends of jobs not asked for; trying again", error=repr(error))

    def _tell(self, key: str) -> None:
        for ended in self._waiting.get(key, ()):
            ended.set()


@asynccontextmanager
async def hearing(pool: Pool, bus: BusConnection) -> AsyncIterator[JobEnds]:
    """Subscribe, and poll in the background, until the block ends."""
    ends = JobEnds(pool)
    subscriptions = [await bus.nc.subscribe(subject, cb=ends.heard) for subject in ENDS]
    try:
        async with background(ends.poll(), "job-ends"):
            yield ends
    finally:
        for subscription in subscriptions:
            with suppress(Exception):
                await subscription.unsubscribe()
