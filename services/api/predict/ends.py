"""Hearing that jobs have ended, and what came out: one subscription for all requests of this process that wait.

The end events pass by on core NATS, without a consumer. A lost message is no harm: the rows of all jobs waited for
are asked, all at once, every two seconds. Small outputs come from the runner's hand (shared/handover.py).
"""

import asyncio
import hashlib
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


class Awaited:
    """A job that a request waits for."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        """Set when the job has ended or was removed."""
        self.outputs: dict[str, bytes] = {}
        """What the runner has handed over, by hex SHA-256."""


class JobEnds:
    """`with ends.awaiting(id) as job: … await job.ended.wait()`; enter it before the job can end, or look first."""

    def __init__(self, pool: Pool, inbox: str) -> None:
        self._pool = pool
        self._inbox = inbox
        self._waiting: dict[str, set[Awaited]] = {}

    def inbox(self, job_id: UUID) -> str:
        """Where a runner may send the small outputs of a job."""
        return f"{self._inbox}.{job_id}"

    @contextmanager
    def awaiting(self, job_id: UUID) -> Iterator[Awaited]:
        """Wait for a job, within the block; several may wait for one."""
        key, job = str(job_id), Awaited()
        self._waiting.setdefault(key, set()).add(job)
        try:
            yield job
        finally:
            self._waiting[key].discard(job)
            if not self._waiting[key]:
                del self._waiting[key]

    async def heard(self, message: Msg) -> None:
        """Take an end event off the bus."""
        self._tell(message.subject.rsplit(".", 1)[-1])

    async def handed(self, message: Msg) -> None:
        """Take an output from a runner."""
        if waiting := self._waiting.get(message.subject.rsplit(".", 1)[-1]):
            digest = hashlib.sha256(message.data).hexdigest()
            for job in waiting:
                job.outputs[digest] = message.data

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
        for job in self._waiting.get(key, ()):
            job.ended.set()


@asynccontextmanager
async def hearing(pool: Pool, bus: BusConnection) -> AsyncIterator[JobEnds]:
    """Subscribe, and poll in the background, until the block ends."""
    inbox = bus.nc.new_inbox()
    ends = JobEnds(pool, inbox)
    subscriptions = [await bus.nc.subscribe(subject, cb=ends.heard) for subject in ENDS]
    subscriptions.append(await bus.nc.subscribe(f"{inbox}.*", cb=ends.handed))
    try:
        async with background(ends.poll(), "job-ends"):
            yield ends
    finally:
        for subscription in subscriptions:
            with suppress(Exception):
                await subscription.unsubscribe()
