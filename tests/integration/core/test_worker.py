"""A worker against the real database and bus: leases that are lost, commits that are cut, a bus without its data."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest

from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.errors import PlatformFault
from shared.events import EVENTS
from shared.maintenance import run_maintenance
from shared.outbox import Outbox
from shared.settings import Work
from shared.storage import ObjectStore
from shared.worker import Claim, Finish, Worker
from tests.integration.core.conftest import MakeJob, events
from tests.integration.core.test_transitions import FINISH
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

WORK = Work(lease_s=30, heartbeat_s=0.2, ack_wait_s=5, sweep_every_s=0.3, relay_every_s=0.2, reemit_after_s=1)
CUT_FINISH = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'finished_at'
"""
Handle = Callable[[Claim], Awaitable[Finish]]


@pytest.fixture
def start(pool: Pool, bus: BusConnection, outbox: Outbox) -> Callable[[Handle], Any]:
    """`async with start(handle):` runs a worker with two slots; what it discards is in `discarded`."""

    @asynccontextmanager
    async def running(handle: Handle, discarded: list[int] | None = None) -> AsyncIterator[Worker]:
        async def discard(claim: Claim) -> None:
            if discarded is not None:
                discarded.append(claim.epoch)

        async def settled(claim: Claim) -> None:
            pass

        name = f"test-{secrets.token_hex(4)}"
        worker = Worker(
            "job",
            worker=name,
            slots=2,
            pool=pool,
            bus=bus,
            outbox=outbox,
            work=WORK,
            handle=handle,
            discard=discard,
            failure=lambda claim, reason: {**FINISH, "status": "FAILED", "error_code": "PLATFORM_ERROR"},
            settled=settled,
        )
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await task

    return running


async def until(pool: Pool, job: UUID, status: str, timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while await pool.fetchval("SELECT status FROM jobs WHERE id = $1", job) != status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_who_lost_its_lease_leaves_its_successor_alone(
    pool: Pool, outbox: Outbox, queued_job: MakeJob, start: Callable[..., Any]
) -> None:
    """A worker that was held up meets its own successor: the second epoch is canceled like any other."""
    job, begun, ended = await queued_job(), asyncio.Queue[int](), asyncio.Queue[int]()

    async def handle(claim: Claim) -> Finish:
        begun.put_nowait(claim.epoch)
        try:
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(claim.epoch)
        raise AssertionError

    async with start(handle), asyncio.timeout(20):
        await outbox.publish(job)
        assert await begun.get() == 1
        await pool.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", job)
        await transitions.move_many(pool, "job", "requeue_expired_jobs")
        await outbox.publish(job)
        assert {await begun.get(), await ended.get()} == {1, 2}
        await transitions.move(pool, "job", "cancel_job", id=job, message="enough")
        await outbox.publish(job)
        async with asyncio.timeout(3):
            assert await ended.get() == 2
    types = [type_ for type_, *_ in await events(pool, job)]
    assert types == ["job.submitted", "job.running", "job.submitted", "job.running", "job.canceled"]


async def test_what_an_epoch_stored_goes_unless_it_wrote_the_end(
    pool: Pool, outbox: Outbox, queued_job: MakeJob, start: Callable[..., Any]
) -> None:
    canceled, faulty, discarded = await queued_job(), await queued_job(), list[int]()

    async def handle(claim: Claim) -> Finish:
        if claim.id == canceled:
            await asyncio.Event().wait()
        if claim.epoch == 1:
            raise PlatformFault("storage is away")
        return dict(FINISH)

    async with start(handle, discarded):
        await outbox.publish(canceled)
        await until(pool, canceled, "RUNNING")
        await transitions.move(pool, "job", "cancel_job", id=canceled, message="enough")
        await outbox.publish(canceled)
        async with asyncio.timeout(5):
            while discarded != [1]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await outbox.publish(faulty)
        async with asyncio.timeout(5):
            while discarded != [1, 1]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await outbox.publish(faulty)
        await until(pool, faulty, "SUCCEEDED")
    assert discarded == [1, 1]


async def test_an_end_whose_connection_is_cut_is_written_again(
    pool: Pool, outbox: Outbox, queued_job: MakeJob, start: Callable[..., Any]
) -> None:
    job = await queued_job()

    async def handle(claim: Claim) -> Finish:
        await finishing.wait()
        return dict(FINISH)

    finishing = asyncio.Event()
    async with start(handle), pool.acquire() as connection:
        await outbox.publish(job)
        await until(pool, job, "RUNNING")
        async with connection.transaction():
            await connection.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE", job)
            finishing.set()
            async with asyncio.timeout(10):
                while not await pool.fetch(CUT_FINISH):  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.02)
        await until(pool, job, "SUCCEEDED")
    assert await pool.fetchval("SELECT epoch FROM jobs WHERE id = $1", job) == 1


async def test_every_job_ends_on_a_bus_that_lost_all_its_data(
    parts: TestPlatform,
    pool: Pool,
    bus: BusConnection,
    outbox: Outbox,
    storage: ObjectStore,
    queued_job: MakeJob,
    start: Callable[..., Any],
) -> None:
    async def handle(claim: Claim) -> Finish:
        return dict(FINISH)

    maintenance = asyncio.create_task(run_maintenance(pool, bus, outbox, storage, WORK))
    try:
        async with start(handle):
            before = await queued_job()
            await outbox.publish(before)
            await until(pool, before, "SUCCEEDED")
            await asyncio.to_thread(parts.part, "stop", "nats")
            shutil.rmtree(parts.data / "nats")
            during = await queued_job()
            # sent, as far as the database knows, and lost with the rest
            await pool.execute("UPDATE outbox SET published_at = now() WHERE object_id = $1", during)
            await asyncio.to_thread(parts.part, "start", "nats")
            after = await queued_job()
            for job in (during, after):
                await until(pool, job, "SUCCEEDED", 60)
        found = [type_ for type_, *_ in await events(pool, after)]
        assert found == ["job.submitted", "job.running", "job.succeeded"]
        assert (await bus.js.stream_info(EVENTS)).state.messages >= 6
    finally:
        maintenance.cancel()
        with suppress(asyncio.CancelledError):
            await maintenance
