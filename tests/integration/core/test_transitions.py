"""Guarded transitions, the epoch fence and the outbox, against the real database and bus."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import pytest
from nats.aio.msg import Msg

from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.events import EVENTS
from shared.maintenance import sweep_once
from shared.outbox import Outbox
from shared.queue import LINES, Queue
from shared.settings import Work
from shared.storage import ObjectStore
from tests.integration.core.conftest import MakeJob, events

pytestmark = pytest.mark.integration

FINISH = {
    "status": "SUCCEEDED",
    **dict.fromkeys(("input_path", "input_sha256", "input_size", "input_type", "log_path")),
    "output_paths": [],
    "outputs": [],
    "result": {"n": 1},
    "timings": {"run": 1.5},
    "error_code": None,
    "error_message": None,
}


async def claim(pool: Pool, job: UUID, worker: str = "w") -> int | None:
    row = await transitions.move(pool, "job", "claim_job", id=job, worker=worker, lease_s=30)
    return row["epoch"] if row else None


async def test_one_of_many_claims_wins(pool: Pool, queued_job: MakeJob) -> None:
    job = await queued_job()
    epochs = await asyncio.gather(*[claim(pool, job, f"w{n}") for n in range(8)])
    assert sorted(epochs, key=str) == [1] + [None] * 7
    assert await events(pool, job) == [("job.submitted", 1, False), ("job.running", 2, False)]


async def test_an_old_epoch_can_finish_nothing(pool: Pool, queued_job: MakeJob) -> None:
    job = await queued_job()
    old = await claim(pool, job)
    await transitions.move(pool, "job", "hand_back_job", id=job, epoch=old)
    new = await claim(pool, job)
    assert await transitions.move(pool, "job", "finish_job", id=job, epoch=old, **FINISH) is None
    assert not await transitions.renew(pool, "job", id=job, epoch=old or 0, lease_s=30)
    row = await transitions.move(pool, "job", "finish_job", id=job, epoch=new, **FINISH)
    assert row is not None
    assert (row["status"], row["result"], row["timings"]) == ("SUCCEEDED", {"n": 1}, {"run": 1.5})
    assert await transitions.move(pool, "job", "cancel_job", id=job, message="late") is None


async def test_events_leave_in_order_and_once(
    pool: Pool, bus: BusConnection, outbox: Outbox, queued_job: MakeJob
) -> None:
    job = await queued_job()
    epoch = await claim(pool, job)
    await transitions.move(pool, "job", "finish_job", id=job, epoch=epoch, **FINISH)
    await asyncio.gather(*[outbox.publish(job) for _ in range(5)])
    info = await bus.js.stream_info(EVENTS)
    messages = [await bus.js.get_msg(EVENTS, seq) for seq in range(info.state.first_seq, info.state.last_seq + 1)]
    assert [(m.subject or "").split(".")[1] for m in messages] == ["submitted", "running", "succeeded"]
    assert [msgspec.json.decode(m.data or b"")["rev"] for m in messages] == [1, 2, 3]
    headers = messages[0].headers or {}
    assert headers["ce-specversion"] == "1.0"
    assert headers["Nats-Msg-Id"] == f"{headers['ce-id']}:1"
    assert headers["traceparent"].startswith("00-")


async def test_relay_sends_what_nobody_published(
    pool: Pool, bus: BusConnection, outbox: Outbox, queued_job: MakeJob
) -> None:
    job = await queued_job()
    assert await outbox.relay_once(older_than_s=60) == 0
    assert await outbox.relay_once(older_than_s=0) == 1
    assert await events(pool, job) == [("job.submitted", 1, True)]
    assert await outbox.relay_once(older_than_s=0) == 0


async def test_a_delayed_event_waits_for_its_time(pool: Pool, outbox: Outbox, queued_job: MakeJob) -> None:
    job = await queued_job()
    await outbox.publish(job)
    epoch = await claim(pool, job)
    await outbox.publish(job)
    await transitions.move(pool, "job", "hand_back_job", id=job, epoch=epoch, delay_s=3600)
    assert await outbox.relay_once(older_than_s=0) == 0
    await pool.execute("UPDATE outbox SET publish_after = now() - interval '1 second' WHERE object_id = $1", job)
    assert await outbox.relay_once(older_than_s=0) == 1


Sweep = Callable[..., Awaitable[int]]


async def emissions(pool: Pool) -> dict[UUID, int]:
    """How often each object's last event was sent."""
    return {row["object_id"]: row["emission"] for row in await pool.fetch("SELECT object_id, emission FROM outbox")}


@pytest.fixture
def sweep(pool: Pool, bus: BusConnection, outbox: Outbox, storage: ObjectStore) -> Sweep:
    """One round of the sweeper; returns how many objects it touched."""

    async def once(reemit_after_s: float = 30) -> int:
        return await sweep_once(pool, bus, outbox, storage, Work(reemit_after_s=reemit_after_s))

    return once


class TestSweeper:
    """Every open object is moved on."""

    async def test_expired_lease_goes_back_to_the_queue(
        self, pool: Pool, outbox: Outbox, sweep: Sweep, queued_job: MakeJob
    ) -> None:
        job = await queued_job()
        await claim(pool, job)
        await outbox.publish(job)
        assert await sweep() == 0
        await pool.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", job)
        assert await sweep() == 1
        assert (await pool.fetchrow("SELECT status, worker FROM jobs"))["status"] == "QUEUED"
        assert (await events(pool, job))[-1] == ("job.submitted", 3, True)

    async def test_past_the_deadline_it_fails_as_the_platforms_fault(
        self, pool: Pool, outbox: Outbox, sweep: Sweep, queued_job: MakeJob
    ) -> None:
        job = await queued_job()
        await pool.execute("UPDATE jobs SET deadline = now() - interval '1 second'")
        assert await sweep() == 1
        row = await pool.fetchrow("SELECT status, error_code, error_message FROM jobs")
        assert (row["status"], row["error_code"]) == ("FAILED", "PLATFORM_ERROR")
        assert "not the model's fault" in row["error_message"]
        assert (await events(pool, job))[-1] == ("job.failed", 2, True)

    async def test_a_lost_event_goes_out_again_under_the_same_id(
        self, pool: Pool, bus: BusConnection, outbox: Outbox, sweep: Sweep, queued_job: MakeJob
    ) -> None:
        job = await queued_job()
        await outbox.publish(job)
        assert await sweep() == 0
        await pool.execute("UPDATE jobs SET updated_at = now() - interval '31 seconds'")
        await pool.execute("UPDATE outbox SET published_at = now() - interval '31 seconds'")
        assert await sweep() == 1
        info = await bus.js.stream_info(EVENTS)
        first, second = [await bus.js.get_msg(EVENTS, info.state.last_seq - n) for n in (1, 0)]
        assert first.headers
        assert second.headers
        assert first.headers["ce-id"] == second.headers["ce-id"]
        assert second.headers["Nats-Msg-Id"].endswith(":2")
        assert await sweep() == 0

    async def test_what_waits_for_its_turn_is_not_sent_again(
        self, pool: Pool, bus: BusConnection, outbox: Outbox, sweep: Sweep, queued_job: MakeJob
    ) -> None:
        """A worker that has been given the message and has not claimed the row in time has lost it."""
        first, second = await queued_job(), await queued_job()
        for job in (first, second):
            await outbox.publish(job)
            await asyncio.sleep(0.4)
        assert await sweep(0.2) == 0
        queue, given = Queue(bus, Work(), LINES["job"]), asyncio.Queue[str]()

        async def hold(message: Msg) -> None:
            given.put_nowait(message.subject)
            await asyncio.Event().wait()

        delivering = asyncio.create_task(queue.deliver(hold))
        assert (await given.get()).endswith(str(first))
        assert await sweep(0.2) == 1
        delivering.cancel()
        assert await emissions(pool) == {first: 2, second: 1}

    async def test_what_was_lost_is_sent_again_when_its_turn_has_passed(
        self, pool: Pool, bus: BusConnection, outbox: Outbox, sweep: Sweep, queued_job: MakeJob
    ) -> None:
        lost, waiting = await queued_job(), await queued_job()
        await outbox.publish(lost)
        await bus.js.purge_stream(EVENTS)
        await asyncio.sleep(0.4)
        await outbox.publish(waiting)
        assert await sweep(0.2) == 1
        assert await emissions(pool) == {lost: 2, waiting: 1}

    async def test_rows_never_uploaded_go_with_their_objects(
        self, pool: Pool, storage: ObjectStore, sweep: Sweep, version_id: UUID
    ) -> None:
        await storage.put("quarantine/old", b"x")
        await pool.execute(
            "UPDATE versions SET status = 'UPLOADING', upload_key = 'quarantine/old',"
            " created_at = now() - interval '25 hours'"
        )
        assert await sweep() == 1
        assert await storage.head("quarantine/old") is None
        assert await pool.fetchval("SELECT count(*) FROM versions") == 0
