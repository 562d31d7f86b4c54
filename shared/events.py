"""Events: past-tense facts about versions, jobs and batches (design, section 4; docs/events.md).

Subject `<noun>.<verb>.<owner_id>.<id>`; CloudEvents 1.0 attributes in the headers (binary content mode of the NATS
protocol binding); the body is one of the Structs below as JSON. Unknown fields are ignored, fields only ever added.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

EVENTS, LOGS, ADVISORIES = "EVENTS", "LOGS", "ADVISORIES"
RESULT_IN_EVENT_BYTES = 32 * 1024
"""A larger result is left out of the event (`result: null`, `result_omitted: true`); read the job."""

Noun = Literal["version", "job", "batch"]
VERBS = {
    "version": {
        "QUEUED": "uploaded",
        "BUILDING": "building",
        "READY": "ready",
        "FAILED": "failed",
        "CANCELED": "canceled",
    },
    "job": {
        "QUEUED": "submitted",
        "RUNNING": "running",
        "SUCCEEDED": "succeeded",
        "FAILED": "failed",
        "CANCELED": "canceled",
    },
    "batch": {
        "QUEUED": "submitted",
        "RUNNING": "running",
        "COMPLETED": "completed",
        "CANCELED": "canceled",
    },
}
PROGRESSED = "progressed"
"""A batch that is RUNNING still has more inputs that ended."""


class VersionEvent(msgspec.Struct, kw_only=True):
    """Body of `version.*`; `rev` grows by one with each event of the version."""

    id: UUID
    version_id: UUID
    model_id: UUID
    owner_id: UUID
    version_number: str
    status: str
    rev: int
    epoch: int
    docker_image: str | None = None
    docker_image_digest: str | None = None
    package_sha256: str | None = None
    phases: list[dict[str, Any]] = []
    error_code: str | None = None
    error_message: str | None = None
    deadline: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class JobEvent(msgspec.Struct, kw_only=True):
    """Body of `job.*`; `rev` grows by one with each event of the job."""

    id: UUID
    job_id: UUID
    version_id: UUID
    owner_id: UUID
    status: str
    rev: int
    epoch: int
    result: dict[str, Any] | None = None
    result_omitted: bool = False
    output_count: int = 0
    timings: dict[str, float] = {}
    error_code: str | None = None
    error_message: str | None = None
    deadline: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class BatchEvent(msgspec.Struct, kw_only=True):
    """Body of `batch.*`; `rev` grows by one with each event of the batch."""

    id: UUID
    batch_id: UUID
    version_id: UUID
    owner_id: UUID
    status: str
    rev: int
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    error_code: str | None = None
    error_message: str | None = None
    deadline: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the outbox holds it, at its first emission."""

    id: UUID
    object_id: UUID
    rev: int
    subject: str
    data: bytes
    traceparent: str
    time: datetime

    @property
    def type(self) -> str:
        """`<noun>.<verb>`."""
        return ".".join(self.subject.split(".", 2)[:2])


def subject(noun: Noun, status: str, owner_id: UUID | str, object_id: UUID | str) -> str:
    """Return the subject of the event that a state change to `status` makes."""
    return f"{noun}.{VERBS[noun][status]}.{owner_id}.{object_id}"


def log_subject(noun: Noun, owner_id: UUID | str, object_id: UUID | str) -> str:
    """Return the subject of an object's live log lines in the LOGS stream."""
    return f"log.{noun}.{owner_id}.{object_id}"


def headers(*, event_id: UUID, type_: str, time: datetime, traceparent: str, emission: int) -> dict[str, str]:
    """CloudEvents attributes, trace context and the deduplication id of one emission."""
    return {
        "Nats-Msg-Id": f"{event_id}:{emission}",
        "ce-specversion": "1.0",
        "ce-id": str(event_id),
        "ce-type": type_,
        "ce-source": "clinai",
        "ce-time": time.isoformat(),
        "content-type": "application/json",
        "traceparent": traceparent,
    }


def version_event(row: Any) -> VersionEvent:
    """Make the body from a `versions` row."""
    return VersionEvent(
        id=row["id"],
        version_id=row["id"],
        model_id=row["model_id"],
        owner_id=row["owner_id"],
        version_number=row["version_number"],
        status=row["status"],
        rev=row["rev"],
        epoch=row["epoch"],
        docker_image=row["docker_image"],
        docker_image_digest=row["docker_image_digest"],
        package_sha256=row["package_sha256"],
        phases=row["phases"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        deadline=row["deadline"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def job_event(row: Any) -> JobEvent:
    """Make the body from a `jobs` row; a large result stays out."""
    result = row["result"]
    omitted = result is not None and len(msgspec.json.encode(result)) > RESULT_IN_EVENT_BYTES
    return JobEvent(
        id=row["id"],
        job_id=row["id"],
        version_id=row["version_id"],
        owner_id=row["user_id"],
        status=row["status"],
        rev=row["rev"],
        epoch=row["epoch"],
        result=None if omitted else result,
        result_omitted=omitted,
        output_count=len(row["outputs"]),
        timings=row["timings"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        deadline=row["deadline"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def batch_event(row: Any) -> BatchEvent:
    """Make the body from a `batches` row."""
    return BatchEvent(
        id=row["id"],
        batch_id=row["id"],
        version_id=row["version_id"],
        owner_id=row["user_id"],
        status=row["status"],
        rev=row["rev"],
        total=row["total"],
        succeeded=row["succeeded"],
        failed=row["failed"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        deadline=row["deadline"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def event_of(noun: Noun, row: Any) -> tuple[str, VersionEvent | JobEvent | BatchEvent]:
    """Return subject and body of the event of the state that a row has just entered."""
    bodies: dict[Noun, Callable[[Any], VersionEvent | JobEvent | BatchEvent]] = {
        "version": version_event,
        "job": job_event,
        "batch": batch_event,
    }
    body = bodies[noun](row)
    if noun == "batch" and row["status"] == "RUNNING" and row["succeeded"] + row["failed"]:
        return f"batch.{PROGRESSED}.{body.owner_id}.{body.id}", body
    return subject(noun, body.status, body.owner_id, body.id), body
