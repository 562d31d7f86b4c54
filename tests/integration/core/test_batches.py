"""Chunks against the real database: one owner at a time, whose turn it is, retries until the deadline, one end each."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from shared.batches import archive_key, states
from shared.batches.inputs import BatchInput
from shared.batches.states import Archive, ChunkClaim, ChunkEnd
from shared.db import Pool
from shared.ids import new_id
from shared.outbox import Outbox
from shared.storage import ObjectStore
from tests.integration.core.conftest import events

pytestmark = pytest.mark.integration


def inputs(count: int) -> list[BatchInput]:
    return [
        BatchInput(name=f"{n}.png", header=n * 100, end=n * 100 + 100, compressed=10, size=10, method=0, crc=0)
        for n in range(count)
    ]


async def batch(pool: Pool, user: UUID, version: UUID, count: int, *, deadline_s: float = 60) -> UUID:
    """A batch in state QUEUED."""
    batch_id = new_id()
    event = await states.insert(
        pool,
        batch_id,
        inputs(count),
        version_id=version,
        user_id=user,
        params={},
        upload_key="k",
        input_path=f"batches/{batch_id}/input.zip",
        input_size=100 * count,
        deadline_s=deadline_s,
        idempotency_key=None,
        request_hash=None,
    )
    assert event is not None
    return batch_id


async def claim(pool: Pool, worker: str = "w") -> ChunkClaim:
    claimed = await states.claim(pool, worker=worker, lease_s=30)
    assert claimed is not None
    return claimed[0]


def end(chunk: ChunkClaim, *, done: int | None = None, bad: int = 0) -> ChunkEnd:
    done = len(chunk.inputs) if done is None else done
    key = archive_key(chunk.batch_id, chunk.first, chunk.epoch)
    archive = Archive(key=key, size=1, records=0, outcomes_at=0, outcomes_size=1, directory_at=1)
    return ChunkEnd(done=done, succeeded=done - bad, archive=archive)


async def counts(pool: Pool, batch_id: UUID) -> tuple[str, int, int]:
    row = await pool.fetchrow("SELECT status, succeeded, failed FROM batches WHERE id = $1", batch_id)
    assert row is not None
    return row["status"], row["succeeded"], row["failed"]


async def test_each_input_is_counted_once_however_often_its_chunk_is_claimed(
    pool: Pool, owner_id: UUID, version_id: UUID
) -> None:
    batch_id = await batch(pool, owner_id, version_id, 3)
    first = await claim(pool)
    await pool.execute("UPDATE chunks SET lease_until = now() - interval '1 second' WHERE status = 'RUNNING'")
    assert [row async for row in states._queries.requeue_expired_chunks(pool)]
    second = await claim(pool)
    assert (second.first, second.epoch) == (first.first, first.epoch + 1)
    assert not await states.renew(pool, first, lease_s=30)
    assert await states.finish(pool, first, end(first)) is None
    assert await counts(pool, batch_id) == ("RUNNING", 0, 0)
    assert await states.finish(pool, second, end(second, bad=1)) is not None
    assert await states.finish(pool, second, end(second)) is None
    assert await states.finished_by(pool, second)
    assert not await states.finished_by(pool, first)
    for _ in range(2):
        chunk = await claim(pool)
        await states.finish(pool, chunk, end(chunk))
    assert await counts(pool, batch_id) == ("COMPLETED", 2, 1)
    assert await states.claim(pool, worker="w", lease_s=30) is None
    types = [type_ for type_, *_ in await events(pool, batch_id)]
    assert types == ["batch.submitted", "batch.running", "batch.progressed", "batch.progressed", "batch.completed"]


async def test_many_claim_at_once_and_none_gets_what_another_has(pool: Pool, owner_id: UUID, version_id: UUID) -> None:
    await batch(pool, owner_id, version_id, 16)
    claimed = await asyncio.gather(*[states.claim(pool, worker=f"w{n}", lease_s=30) for n in range(20)])
    firsts = [found[0].first for found in claimed if found is not None]
    assert sorted(firsts) == list(range(16))
    assert sum(found is not None and found[1] is not None for found in claimed) == 1  # one batch.running


async def test_what_is_left_of_a_chunk_becomes_a_chunk(pool: Pool, owner_id: UUID, version_id: UUID) -> None:
    batch_id = await batch(pool, owner_id, version_id, 40)
    chunk = await claim(pool)
    assert len(chunk.inputs) == 3
    await states.finish(pool, chunk, end(chunk, done=1))
    rest = await claim(pool)
    assert (rest.first, rest.epoch, [each.name for each in rest.inputs]) == (1, 1, ["1.png", "2.png"])
    assert await counts(pool, batch_id) == ("RUNNING", 1, 0)
    names = [row["name"] async for row in states._queries.names_of(pool, batch_id=batch_id, first=0)]
    assert names == ["0.png"]


async def test_who_has_the_fewest_at_work_is_next(pool: Pool, owner_id: UUID, version_id: UUID) -> None:
    """A large batch that came first does not keep others waiting; between equals the older is first."""
    other = new_id()
    await pool.execute(
        "INSERT INTO users (id, username, email, hashed_password) VALUES ($1, 'bob', 'bob@example.com', 'x')", other
    )
    large = await batch(pool, owner_id, version_id, 100)
    small = await batch(pool, other, version_id, 3)
    order = [await claim(pool) for _ in range(6)]
    assert [chunk.batch_id for chunk in order] == [large, small, large, small, large, small]
    assert Counter(chunk.user_id for chunk in order) == {owner_id: 3, other: 3}
    assert (await claim(pool)).batch_id == large


async def test_a_fault_of_the_platform_waits_and_ends_at_the_deadline(
    pool: Pool, outbox: Outbox, storage: ObjectStore, owner_id: UUID, version_id: UUID
) -> None:
    batch_id = await batch(pool, owner_id, version_id, 2)
    chunk = await claim(pool)
    assert await states.hand_back(pool, chunk, delay_s=60)
    other = await claim(pool)
    assert other.first != chunk.first
    assert await states.claim(pool, worker="w", lease_s=30) is None  # the first one still waits
    await states.finish(pool, other, end(other))
    await pool.execute("UPDATE chunks SET deadline = now() - interval '1 second'")
    assert await states.sweep(pool, outbox, storage, upload_hours=24) == 1
    assert await counts(pool, batch_id) == ("COMPLETED", 1, 1)
    found = await pool.fetchrow("SELECT status, error_message FROM chunks WHERE first = $1", chunk.first)
    assert found["status"] == "FAILED"
    assert "deadline" in found["error_message"]
    assert await states.sweep(pool, outbox, storage, upload_hours=24) == 0


async def test_what_is_at_work_at_the_deadline_ends_with_its_worker(
    pool: Pool, outbox: Outbox, storage: ObjectStore, owner_id: UUID, version_id: UUID
) -> None:
    batch_id = await batch(pool, owner_id, version_id, 1)
    chunk = await claim(pool)
    await pool.execute("UPDATE chunks SET deadline = now() - interval '1 second'")
    assert await states.sweep(pool, outbox, storage, upload_hours=24) == 0  # its lease holds
    assert await states.hand_back(pool, chunk, delay_s=1)  # no more time: its end instead
    assert await counts(pool, batch_id) == ("COMPLETED", 0, 1)
    assert not await states.hand_back(pool, chunk, delay_s=1)


async def test_a_cancel_stops_what_is_open_and_keeps_what_has_ended(
    pool: Pool, owner_id: UUID, version_id: UUID
) -> None:
    batch_id = await batch(pool, owner_id, version_id, 4)
    done, running = await claim(pool), await claim(pool)
    await states.finish(pool, done, end(done))
    event = await states.cancel(pool, batch_id, message="enough")
    assert event is not None
    assert event.type == "batch.canceled"
    assert await states.finish(pool, running, end(running)) is None
    assert not await states.hand_back(pool, running, delay_s=0)
    assert await states.claim(pool, worker="w", lease_s=30) is None
    assert await counts(pool, batch_id) == ("CANCELED", 1, 0)
    assert await states.cancel(pool, batch_id, message="again") is None


async def test_a_restarted_worker_gives_back_its_own(pool: Pool, owner_id: UUID, version_id: UUID) -> None:
    await batch(pool, owner_id, version_id, 2)
    mine, theirs = await claim(pool, "me"), await claim(pool, "you")
    assert await states.requeue_own(pool, worker="me") == 1
    assert (await claim(pool)).first == mine.first
    assert await states.renew(pool, theirs, lease_s=30)


async def test_what_was_never_uploaded_goes(
    pool: Pool, outbox: Outbox, storage: ObjectStore, owner_id: UUID, version_id: UUID
) -> None:
    for age in ("25 hours", "1 hour"):
        row = await states._queries.create_batch(
            pool, id=new_id(), version_id=version_id, user_id=owner_id, params={}, upload_key=f"quarantine/{age[0]}"
        )
        await storage.put(row["upload_key"], b"x")
        await pool.execute("UPDATE batches SET created_at = now() - $1::text::interval WHERE id = $2", age, row["id"])
    assert await states.sweep(pool, outbox, storage, upload_hours=24) == 1
    assert await pool.fetchval("SELECT upload_key FROM batches") == "quarantine/1"
    assert await storage.head("quarantine/2") is None
