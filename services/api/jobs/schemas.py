"""Bodies and answers of the routes for jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.db import Row
from shared.settings import KIB
from shared.statuses import JobStatus

PARAMS_BYTES_MAX = 64 * KIB


class NewJob(msgspec.Struct, kw_only=True):
    """A job to be given its input."""

    version_id: UUID
    params: dict[str, Any] = {}
    """At most 64 KiB as JSON; given to `run()` as its third argument."""


class JobUpload(msgspec.Struct, kw_only=True):
    """Where the input of a new job goes: a plain PUT without further headers."""

    job_id: UUID
    upload_url: str
    expires_in: int
    """Seconds until the URL is refused."""
    max_bytes: int


class JobItem(msgspec.Struct, kw_only=True):
    """A job without its long fields; a large result is left out and `result_omitted` says so."""

    id: UUID
    version_id: UUID
    user_id: UUID
    model_id: UUID
    model_name: str
    version_number: str
    status: JobStatus
    rev: int
    """Grows by one with each event; the newest wins."""
    result: dict[str, Any] | None
    result_omitted: bool
    output_count: int
    timings: dict[str, float]
    """Milliseconds by phase."""
    error_code: str | None
    error_message: str | None
    deadline: datetime | None
    input_type: str | None
    input_size: int | None
    input_sha256: str | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Job(JobItem, kw_only=True):
    """A job, for its user only."""

    params: dict[str, Any]
    input_path: str | None
    input_url: str | None
    """Signed for an hour; null until the job has ended with its input kept."""
    output_paths: list[str]


class Output(msgspec.Struct, kw_only=True):
    """One file that the model wrote."""

    name: str
    """Relative to `output_dir`."""
    url: str
    size: int
    content_type: str
    sha256: str


class Outputs(msgspec.Struct, kw_only=True):
    """What came out; empty lists before the end."""

    job_id: UUID
    status: JobStatus
    result: dict[str, Any] | None
    output_urls: list[str]
    outputs: list[Output]


def _common(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "version_id": row["version_id"],
        "user_id": row["user_id"],
        "model_id": row["model_id"],
        "model_name": row["model_name"],
        "version_number": row["version_number"],
        "status": JobStatus(row["status"]),
        "rev": row["rev"],
        "result": row["result"],
        "timings": row["timings"],
        "error_code": row["error_code"],
        "error_message": row["error_message"],
        "deadline": row["deadline"],
        "input_type": row["input_type"],
        "input_size": row["input_size"],
        "input_sha256": row["input_sha256"],
        "queued_at": row["queued_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def job_item(row: Row) -> JobItem:
    """Make an item of a list."""
    return JobItem(**_common(row), output_count=row["output_count"], result_omitted=row["result_omitted"])


def job_from(row: Row, *, input_url: str | None) -> Job:
    """Make the whole answer."""
    return Job(
        **_common(row),
        output_count=len(row["outputs"]),
        result_omitted=False,
        params=row["params"],
        input_path=row["input_path"],
        input_url=input_url,
        output_paths=row["output_paths"],
    )
