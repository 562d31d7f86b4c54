"""State changes of batches and chunks, each one transaction, with the event of the batch beside it.

A chunk is what a runner claims: its row has an epoch, a lease and a deadline as a job's has. Chunks make no events of
their own; what ends in them is told once a chunk, as progress of the batch.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from shared import transitions
from shared.batches.inputs import BatchInput, cut
from shared.db import Connection, Pool, Row, load_queries
from shared.events import Event
from shared.outbox import Outbox
from shared.storage import ObjectStore
from shared.tracing import current_traceparent

_queries = load_queries("batches")

EXPIRED = (
    "The platform could not run this input before the batch's deadline; it was tried until then. "
    "This is not the model's fault: send it again, and tell the operator when it persists."
)


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Where the outputs and outcomes of a chunk lie: a whole ZIP whose last entry are the outcomes."""

    key: str
    size: int
    records: int
    """Bytes of the entries before the outcomes."""
    outcomes_at: int
    outcomes_size: int
    directory_at: int
    """Where the central directory begins."""


class ChunkClaim(msgspec.Struct, frozen=True):
    """A chunk that this worker owns until it finishes it or loses the lease."""

    row: Row
    inputs: list[BatchInput]

    @property
    def batch_id(self) -> UUID:
        """The batch it belongs to."""
        return self.row["batch_id"]  # type: ignore[no-any-return]

    @property
    def first(self) -> int:
        """Place of its first input in the batch."""
        return self.row["first"]  # type: ignore[no-any-return]

    @property
    def epoch(self) -> int:
        """The fence: results of an older epoch are discarded."""
        return self.row["epoch"]  # type: ignore[no-any-return]

    @property
    def user_id(self) -> UUID:
        """Whose it is."""
        return self.row["user_id"]  # type: ignore[no-any-return]

    @property
    def fence(self) -> dict[str, Any]:
        """Parameters that name the chunk and the epoch."""
        return {"batch_id": self.batch_id, "first": self.first, "epoch": self.epoch}


class ChunkEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the first `done` inputs of a chunk; the others go back to the queue."""

    done: int
    succeeded: int
    archive: Archive
    output_bytes: int = 0
    delay_s: float = 0.0
    """How long the others wait."""


async def insert(pool: Pool, batch_id: UUID, inputs: list[BatchInput], **values: Any) -> Event | None:
    """Make a batch in state QUEUED with its chunks; None when its idempotency key is taken."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _queries.insert_batch(
            connection, id=batch_id, total=len(inputs), traceparent=current_traceparent(), **values
        )
        return None if row is None else await _queued(connection, row, inputs)


async def start(pool: Pool, batch_id: UUID, inputs: list[BatchInput], **values: Any) -> Event | None:
    """Move an uploaded batch to QUEUED, with its chunks; None when it was not UPLOADING any more."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _queries.queue_batch(
            connection, id=batch_id, total=len(inputs), traceparent=current_traceparent(), **values
        )
        return None if row is None else await _queued(connection, row, inputs)


async def _queued(connection: Connection, row: Row, inputs: list[BatchInput]) -> Event:
    first = 0
    chunks = []
    for chunk in cut(inputs):
        chunks.append(_chunk(row["id"], first, row["user_id"], row["deadline"], chunk))
        first += len(chunk)
    await _queries.add_chunk(connection, chunks)
    return await transitions.record_event(connection, "batch", row)


def _chunk(
    batch_id: UUID, first: int, user_id: UUID, deadline: Any, inputs: Sequence[BatchInput], delay_s: float = 0.0
) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "first": first,
        "user_id": user_id,
        "deadline": deadline,
        "inputs": list(inputs),
        "epoch": 0,
        "delay_s": delay_s,
    }


async def claim(pool: Pool, *, worker: str, lease_s: float) -> tuple[ChunkClaim, Event | None] | None:
    """Take the chunk whose turn it is, with the event `batch.running` if it is the batch's first; None for no work."""
    async with pool.acquire() as connection, connection.transaction():
        await _queries.hold_claims(connection)
        row = await _queries.claim_chunk(connection, worker=worker, lease_s=lease_s)
        if row is None:
            return None
        event = None
        if row["batch_status"] == "QUEUED":
            batch = await _queries.begin_batch(connection, id=row["batch_id"])
            event = None if batch is None else await transitions.record_event(connection, "batch", batch)
        return ChunkClaim(row, msgspec.convert(row["inputs"], list[BatchInput])), event


async def renew(pool: Pool, chunk: ChunkClaim, *, lease_s: float) -> bool:
    """Prolong a lease; False when it is lost."""
    return await _queries.renew_chunk(pool, lease_s=lease_s, **chunk.fence) is not None


async def finish(pool: Pool, chunk: ChunkClaim, end: ChunkEnd) -> Event | None:
    """Write what a chunk came to, and put the inputs that were not run back; None when somebody newer owns it."""
    failed = end.done - end.succeeded
    async with pool.acquire() as connection, connection.transaction():
        moved = await _queries.finish_chunk(
            connection,
            inputs=chunk.inputs[: end.done],
            succeeded=end.succeeded,
            failed=failed,
            archive=end.archive,
            **chunk.fence,
        )
        if moved is None:
            return None
        if rest := chunk.inputs[end.done :]:
            row = _chunk(chunk.batch_id, chunk.first + end.done, chunk.user_id, moved["deadline"], rest, end.delay_s)
            await _queries.add_chunk(connection, [row])
        return await _count(connection, chunk.batch_id, end.succeeded, failed, end.output_bytes)


async def finished_by(pool: Pool, chunk: ChunkClaim) -> bool:
    """Tell whether the chunk is DONE by this epoch's hand (a commit whose answer was lost)."""
    row = await _queries.chunk_state(pool, batch_id=chunk.batch_id, first=chunk.first)
    return row is not None and row["epoch"] == chunk.epoch and row["status"] == "DONE"


async def _count(connection: Connection, batch_id: UUID, succeeded: int, failed: int, output_bytes: int) -> Event:
    batch = await _queries.count_inputs(
        connection, id=batch_id, succeeded=succeeded, failed=failed, output_bytes=output_bytes
    )
    if batch is None:
        raise AssertionError(f"an open chunk of batch {batch_id}, which has ended")
    return await transitions.record_event(connection, "batch", batch)


async def hand_back(pool: Pool, chunk: ChunkClaim, *, delay_s: float) -> bool:
    """Put the whole chunk back; past its deadline it ends, its inputs as PLATFORM_ERROR. False when it is not ours."""
    if await _queries.hand_back_chunk(pool, delay_s=delay_s, **chunk.fence) is not None:
        return True
    return await _give_up(pool, "give_up_chunk", **chunk.fence) is not None


async def _give_up(pool: Pool, query: str, **which: Any) -> UUID | None:
    async with pool.acquire() as connection, connection.transaction():
        row = await getattr(_queries, query)(connection, message=EXPIRED, **which)
        if row is None:
            return None
        await _count(connection, row["batch_id"], 0, row["failed"], 0)
        return UUID(str(row["batch_id"]))


async def cancel(pool: Pool, batch_id: UUID, *, message: str) -> Event | None:
    """Cancel a batch and whatever of it has not ended; None when it has ended."""
    async with pool.acquire() as connection, connection.transaction():
        await _queries.cancel_chunks(connection, id=batch_id)
        row = await _queries.cancel_batch(connection, id=batch_id, message=message)
        return None if row is None else await transitions.record_event(connection, "batch", row)


async def requeue_own(pool: Pool, *, worker: str) -> int:
    """After a restart under the same name: what the former process held goes back at once; return how many."""
    return len([row async for row in _queries.requeue_worker_chunks(pool, worker=worker)])


async def sweep(pool: Pool, outbox: Outbox, storage: ObjectStore, *, upload_hours: float) -> int:
    """Requeue what lost its worker, end what is past its deadline, drop what was never uploaded; return how many."""
    touched = len([row async for row in _queries.requeue_expired_chunks(pool)])
    for row in [row async for row in _queries.overdue_chunks(pool)]:
        if (batch_id := await _give_up(pool, "expire_chunk", batch_id=row["batch_id"], first=row["first"])) is not None:
            await outbox.publish(batch_id)
            touched += 1
    expired = [row async for row in _queries.expire_batch_uploads(pool, hours=upload_hours)]
    await storage.delete(*[row["upload_key"] for row in expired])
    return touched + len(expired)
