"""What came of the inputs of a batch: a page of outcomes, links, and everything as one ZIP that flows through."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from services.api.batches.schemas import ArchivePart, BatchOutputs, InputPage
from services.api.batches.service import own_batch
from services.api.context import Context, User
from services.api.uploads import storage_at_hand
from shared.batches import joined
from shared.batches.outcomes import OUTCOMES, InputOutcome, InputStatus, from_lines, to_lines, undone
from shared.batches.states import Archive
from shared.db import Row, load_queries
from shared.errors import Conflict, Invalid
from shared.statuses import BatchStatus
from shared.storage import ObjectChanged, ObjectStore

_queries = load_queries("batches")

_reading = asyncio.Semaphore(4)
"""Lists of outcomes held in memory at once: one may have tens of megabytes when its model returns much."""
ENDED = (BatchStatus.COMPLETED, BatchStatus.CANCELED)


class _Chunk(msgspec.Struct, frozen=True):
    """A chunk as far as its results are concerned."""

    batch_id: UUID
    first: int
    count: int
    status: str
    succeeded: int
    failed: int
    archive: Archive | None
    error_message: str | None

    def has(self, status: InputStatus | None) -> bool:
        """Whether an input in that state may be in it."""
        if self.archive is None or status is None:
            return status in (None, self.status)
        return bool({"SUCCEEDED": self.succeeded, "FAILED": self.failed}.get(status, 0))


async def inputs(
    context: Context, user: User, batch_id: UUID, status: InputStatus | None, *, limit: int, cursor: str | None
) -> InputPage:
    """Return inputs from the cursor on with what came of each; raises Invalid for a cursor that is none of ours."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise Invalid("cursor: not a cursor of this API; hand back `next_cursor` of the page before")
    start = int(cursor or 0)
    await own_batch(context, user, batch_id)
    found: list[InputOutcome] = []
    for chunk in await _chunks(context, batch_id):
        if chunk.first + chunk.count <= start or not chunk.has(status):
            continue
        async with _reading:
            outcomes = from_lines(await _lines(context, chunk))
        found += [each for each in outcomes if each.index >= start and status in (None, each.status)]
        if len(found) > limit:
            break
    return InputPage(items=found[:limit], next_cursor=str(found[limit].index) if len(found) > limit else None)


async def outputs(context: Context, user: User, batch_id: UUID, origin: str) -> BatchOutputs:
    """Return where the outputs are."""
    row = await own_batch(context, user, batch_id)
    status = BatchStatus(row["status"])
    parts = [
        ArchivePart(
            first=chunk.first,
            count=chunk.count,
            url=context.storage.presign_get(
                chunk.archive.key,
                origin=origin,
                filename=f"outputs-{chunk.first:04d}.zip",
                content_type="application/zip",
            ),
            size=chunk.archive.size,
        )
        for chunk in await _chunks(context, batch_id)
        if chunk.archive is not None
    ]
    url = f"/api/jobs/batch/{batch_id}/archive" if status in ENDED else None
    return BatchOutputs(batch_id=batch_id, status=status, archive_url=url, parts=parts)


async def archive(context: Context, user: User, batch_id: UUID) -> AsyncIterator[bytes]:
    """Return everything as one ZIP, which flows through; raises Conflict (NOT_ENDED)."""
    row = await own_batch(context, user, batch_id)
    if row["status"] not in ENDED:
        raise Conflict(
            f"This batch is {row['status']}; its archive can be read when it has ended. What has ended so far is in "
            "`parts` of its outputs.",
            code="NOT_ENDED",
        )
    return _joined(context, row, await _chunks(context, batch_id))


async def _joined(context: Context, row: Row, chunks: list[_Chunk]) -> AsyncIterator[bytes]:
    at = entries = 0
    places: list[tuple[Archive, int]] = []
    for chunk in chunks:
        if (lies := chunk.archive) is not None:
            places.append((lies, at))
            async for piece in context.storage.stream(lies.key, start=0, size=lies.records):
                yield piece
            at += lies.records
    outcomes = joined.Squeezed(OUTCOMES, at, row["finished_at"] or datetime.now(UTC))
    written = outcomes.begin()
    for chunk in chunks:
        written += outcomes.more(await _lines(context, chunk))
        at += len(written)
        yield written
        written = b""
    written = outcomes.end()
    at += len(written)
    yield written
    directory_at = at
    for lies, begins in places:
        directory = await _read(context.storage, lies, lies.directory_at, lies.size - lies.directory_at)
        records, count = joined.moved(directory, before=lies.records, by=begins)
        entries += count
        at += len(records)
        yield records
    last = outcomes.record()
    at += len(last)
    yield last + joined.end(entries=entries + 1, at=directory_at, size=at - directory_at)


async def _chunks(context: Context, batch_id: UUID) -> list[_Chunk]:
    rows = [row async for row in _queries.chunks_of(context.pool, id=batch_id)]
    return [
        _Chunk(
            batch_id=batch_id,
            first=row["first"],
            count=row["count"],
            status=row["status"],
            succeeded=row["succeeded"],
            failed=row["failed"],
            archive=None if row["archive"] is None else msgspec.convert(row["archive"], Archive),
            error_message=row["error_message"],
        )
        for row in rows
    ]


async def _lines(context: Context, chunk: _Chunk) -> bytes:
    """The outcomes of a chunk, a line each; of one without an archive by its state."""
    if chunk.archive is not None:
        return await _read(context.storage, chunk.archive, chunk.archive.outcomes_at, chunk.archive.outcomes_size)
    names = _queries.names_of(context.pool, batch_id=chunk.batch_id, first=chunk.first)
    return to_lines(undone(chunk.status, chunk.first, [row["name"] async for row in names], chunk.error_message))


async def _read(storage: ObjectStore, lies: Archive, start: int, size: int) -> bytes:
    try:
        async with storage_at_hand():
            return b"".join([piece async for piece in storage.stream(lies.key, start=start, size=size)])
    except ObjectChanged:
        raise Conflict("The outputs of this batch have been removed.", code="CONFLICT") from None
