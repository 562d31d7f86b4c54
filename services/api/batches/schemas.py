"""Bodies and answers of the routes for batches."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.batches.outcomes import InputOutcome
from shared.db import Row
from shared.statuses import BatchStatus


class NewBatch(msgspec.Struct, kw_only=True):
    """A batch to be given its ZIP of inputs by an upload."""

    version_id: UUID
    params: dict[str, Any] = {}
    """At most 64 KiB as JSON; given to `run()` as its third argument, for every input."""


class BatchUpload(msgspec.Struct, kw_only=True):
    """Where the ZIP of a new batch goes: a plain PUT without further headers."""

    batch_id: UUID
    upload_url: str
    expires_in: int
    """Seconds until the URL is refused."""
    max_bytes: int


class Batch(msgspec.Struct, kw_only=True):
    """A batch, for its user only."""

    id: UUID
    batch_id: UUID
    """The same as `id`."""
    version_id: UUID
    user_id: UUID
    model_id: UUID
    model_name: str
    version_number: str
    status: BatchStatus
    rev: int
    """Grows by one with each event; the newest wins."""
    params: dict[str, Any]
    total: int
    """Inputs; 0 before the upload is looked at."""
    succeeded: int
    failed: int
    input_size: int | None
    """Bytes of the inputs as they were sent."""
    output_bytes: int
    error_code: str | None
    """CANCELED; how inputs fail is told with each of them."""
    error_message: str | None
    deadline: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class InputPage(msgspec.Struct, kw_only=True):
    """Inputs by their place in the batch, and where the next ones begin (null at the end)."""

    items: list[InputOutcome]
    next_cursor: str | None


class ArchivePart(msgspec.Struct, kw_only=True):
    """The archive of some consecutive inputs: a whole ZIP of its own, straight from storage."""

    first: int
    """Place of its first input."""
    count: int
    url: str
    size: int


class BatchOutputs(msgspec.Struct, kw_only=True):
    """Where the outputs are."""

    batch_id: UUID
    status: BatchStatus
    archive_url: str | None
    """Everything as one ZIP, once the batch has ended; a path of this API, to be asked for with the access token."""
    parts: list[ArchivePart]
    """What has ended so far, signed for an hour."""


def batch_from(row: Row) -> Batch:
    """Make the answer."""
    return Batch(
        id=row["id"],
        batch_id=row["id"],
        version_id=row["version_id"],
        user_id=row["user_id"],
        model_id=row["model_id"],
        model_name=row["model_name"],
        version_number=row["version_number"],
        status=BatchStatus(row["status"]),
        rev=row["rev"],
        params=row["params"],
        total=row["total"],
        succeeded=row["succeeded"],
        failed=row["failed"],
        input_size=row["input_size"],
        output_bytes=row["output_bytes"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        deadline=row["deadline"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
