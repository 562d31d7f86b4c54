"""The outbox when the bus is away or refuses an event."""

import asyncio
import time
from uuid import UUID

import pytest

from shared.bus import BusConnection
from shared.db import Pool
from shared.maintenance import collect_dead_letters
from shared.outbox import Outbox
from tests.integration.core.conftest import MakeJob, events
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def test_a_bus_that_is_away_holds_up_nobody(
    parts: TestPlatform, pool: Pool, bus: BusConnection, outbox: Outbox, queued_job: MakeJob
) -> None:
    """More requests than the pool has connections; each commits and goes on, and the relay sends the events later."""
    jobs = [await queued_job() for _ in range(20)]
    await asyncio.to_thread(parts.part, "stop", "nats")
    try:
        began = time.monotonic()
        assert await asyncio.gather(*[outbox.publish(job) for job in jobs]) == [False] * 20
        with pytest.raises(ConnectionError):
            await outbox.relay_once(older_than_s=0)
        assert time.monotonic() - began < 2
    finally:
        await asyncio.to_thread(parts.part, "start", "nats")
    async with asyncio.timeout(20):
        while not bus.nc.is_connected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await outbox.relay_once(older_than_s=0) == 20
    assert await events(pool, jobs[0]) == [("job.submitted", 1, True)]


async def test_an_event_that_cannot_be_sent_holds_up_its_own_object_alone(
    pool: Pool, outbox: Outbox, queued_job: MakeJob
) -> None:
    jobs = [await queued_job() for _ in range(3)]
    for job in jobs[:2]:  # larger than the bus takes
        await pool.execute(
            "UPDATE outbox SET data = jsonb_build_object('x', repeat('x', 2000000)) WHERE object_id = $1", job
        )
    assert await outbox.relay_once(older_than_s=0) == 1
    assert await events(pool, jobs[2]) == [("job.submitted", 1, True)]
    assert [await events(pool, job) for job in jobs[:2]] == [[("job.submitted", 1, False)]] * 2


async def dead_letter(pool: Pool, kind: str) -> tuple[UUID, str]:
    async with asyncio.timeout(20):
        while True:
            row = await pool.fetchrow("SELECT id, object_id, subject FROM dead_letters WHERE kind = $1", kind)
            if row is not None:
                return row["object_id"], row["subject"]
            await asyncio.sleep(0.05)


async def test_what_is_delivered_too_often_or_given_up_becomes_a_dead_letter(
    pool: Pool, bus: BusConnection, outbox: Outbox, queued_job: MakeJob
) -> None:
    from nats.js.api import AckPolicy, ConsumerConfig

    collecting = asyncio.create_task(collect_dead_letters(pool, bus))
    try:
        job = await queued_job()
        config = ConsumerConfig(durable_name="tired", ack_policy=AckPolicy.EXPLICIT, ack_wait=0.2, max_deliver=2)
        await bus.js.add_consumer("EVENTS", config)
        subscription = await bus.js.pull_subscribe_bind("tired", stream="EVENTS")
        await outbox.publish(job)
        for _ in range(2):
            await subscription.fetch(1, timeout=5)
        with pytest.raises(TimeoutError):  # the limit is looked at when somebody asks for more
            await subscription.fetch(1, timeout=1)
        assert await dead_letter(pool, "max_deliver") == (job, await subject_of(pool, job))
        strange = await bus.js.publish("job.submitted.nobody.nothing", b"{}")
        [message] = await subscription.fetch(1, timeout=5)
        assert message.metadata.sequence.stream == strange.seq
        await message.term()
        assert await dead_letter(pool, "terminated") == (None, "job.submitted.nobody.nothing")
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


async def subject_of(pool: Pool, job: UUID) -> str:
    found: str = await pool.fetchval("SELECT subject FROM outbox WHERE object_id = $1", job)
    return found
