"""Jobs: create, look at the input, queue, cancel, read. A job is its user's alone (design, section 1, path 3)."""

import mimetypes
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.api.context import Context, User
from services.api.jobs.params import encode_params, row_faults
from services.api.jobs.schemas import (
    Job,
    JobItem,
    JobUpload,
    NewJob,
    Output,
    Outputs,
    job_from,
    job_item,
)
from services.api.logs import live_log, stored_log
from services.api.paging import EPOCH, OLDEST, Moment, Page, before_moment, make_page, moment_cursor
from services.api.uploads import drop_upload, look_at, quarantine_key
from services.api.versions.service import readable_version
from shared import transitions
from shared.db import Row, load_queries
from shared.errors import Conflict, Forbidden, NotFound
from shared.events import RESULT_IN_EVENT_BYTES
from shared.ids import new_id
from shared.removal import remove_job
from shared.statuses import JobStatus, VersionStatus

_queries = load_queries("jobs")

MISSING = "There is no such job, or it is not yours."


class JobFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which jobs a list shows; None shows all. `created_after` is inclusive, `created_before` is not."""

    statuses: Sequence[JobStatus] | None = None
    model_id: UUID | None = None
    version_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def own_job(context: Context, user: User, job_id: UUID) -> Row:
    """Return one of the user's jobs; raises NotFound."""
    row: Row | None = await _queries.find_job(context.pool, id=job_id, user_id=user.id)
    if row is None:
        raise NotFound(MISSING)
    return row


async def create(context: Context, user: User, new: NewJob, origin: str) -> JobUpload:
    """Create a job in state UPLOADING and sign the URL of its input; the version may still be building.

    Raises Conflict (VERSION_NOT_READY) when the version will never be READY: nobody uploads in vain.
    """
    version = await readable_version(context, user, new.version_id)
    if version["status"] in (VersionStatus.FAILED, VersionStatus.CANCELED):
        raise not_ready(version["status"])
    encode_params(new.params)
    key = quarantine_key()
    with row_faults():
        row = await _queries.create_job(
            context.pool,
            id=new_id(),
            version_id=new.version_id,
            user_id=user.id,
            params=new.params,
            upload_key=key,
        )
    return JobUpload(
        job_id=row["id"],
        upload_url=context.storage.presign_put(key, origin=origin),
        expires_in=context.storage_settings.upload_expires_s,
        max_bytes=context.limits.input_bytes,
    )


async def find(context: Context, user: User, job_id: UUID, origin: str) -> Job:
    """Return one job."""
    return answer(context, await own_job(context, user, job_id), origin)


async def page(context: Context, user: User, wanted: JobFilter, *, limit: int, cursor: str | None) -> Page[JobItem]:
    """Return the user's jobs that fit, newest first."""
    start = before_moment(cursor)
    if wanted.created_before is not None:
        start = min(start, Moment(wanted.created_before, OLDEST))
    rows = [
        row
        async for row in _queries.list_jobs(
            context.pool,
            user_id=user.id,
            before_at=start.at,
            before=start.id,
            rows=limit + 1,
            result_bytes=RESULT_IN_EVENT_BYTES,
            statuses=list(JobStatus if wanted.statuses is None else dict.fromkeys(wanted.statuses)),
            model_id=wanted.model_id,
            version_id=wanted.version_id,
            created_after=wanted.created_after or EPOCH,
        )
    ]
    return make_page(rows, limit, job_item, cursor=moment_cursor)


async def run(context: Context, user: User, job_id: UUID, origin: str) -> Job:
    """Queue the job: UPLOADING → QUEUED with `job.submitted` in the same transaction.

    Only looks at the input; the runner reads it. Raises Conflict (ALREADY_STARTED, VERSION_NOT_READY, INPUT_MISSING),
    TooLarge, Forbidden when the model is private by now.
    """
    row = await own_job(context, user, job_id)
    if row["status"] != JobStatus.UPLOADING:
        raise Conflict(
            f"This job is {row['status']} already; make a new job to run another input.", code="ALREADY_STARTED"
        )
    if not row["may_run"]:
        raise Forbidden("The owner of this model has made it private; it cannot be run any more.")
    if row["version_status"] != VersionStatus.READY:
        raise not_ready(row["version_status"])
    found = await look_at(
        context.storage,
        row["upload_key"],
        limit_bytes=context.limits.input_bytes,
        missing=Conflict(
            "The input has not been uploaded yet; PUT the image to the job's upload_url.", code="INPUT_MISSING"
        ),
        what="input",
    )
    moved = await transitions.move_event(
        context.pool,
        "job",
        "queue_job",
        id=job_id,
        upload_size=found.size,
        upload_etag=found.etag,
        deadline_s=context.work.job_deadline_s,
    )
    if moved is None:
        raise Conflict("This job has been started already.", code="ALREADY_STARTED")
    sending = context.outbox.send_soon(moved.event)  # nothing went before it: it is the job's first
    job = await find(context, user, job_id, origin)
    await sending
    return job


async def cancel(context: Context, user: User, job_id: UUID, origin: str) -> Job:
    """Cancel whatever state the job is in; again changes nothing. Raises Conflict (ALREADY_ENDED)."""
    row = await own_job(context, user, job_id)
    moved = await transitions.move(
        context.pool, "job", "cancel_job", id=job_id, message=f"Canceled by {user.username}."
    )
    if moved is not None:
        await context.outbox.publish(job_id)
        await drop_upload(context.storage, row["upload_key"])
    row = await own_job(context, user, job_id)
    if moved is None and row["status"] != JobStatus.CANCELED:
        raise Conflict(f"This job is {row['status']} already; nothing is left to cancel.", code="ALREADY_ENDED")
    return answer(context, row, origin)


async def outputs(context: Context, user: User, job_id: UUID, origin: str) -> Outputs:
    """Return result and signed downloads; empty lists before the end and after a failure."""
    row = await own_job(context, user, job_id)
    found = downloads(context, row, origin)
    return Outputs(
        job_id=job_id,
        status=JobStatus(row["status"]),
        result=row["result"],
        output_urls=[output.url for output in found],
        outputs=found,
    )


def downloads(context: Context, row: Row, origin: str) -> list[Output]:
    """Return a job's outputs, each with a signed URL."""
    return [
        Output(
            name=output["name"],
            url=context.storage.presign_get(
                output["key"],
                origin=origin,
                filename=output["name"].rpartition("/")[2],
                content_type=output["content_type"],
            ),
            size=output["size"],
            content_type=output["content_type"],
            sha256=output["sha256"],
        )
        for output in row["outputs"]
    ]


async def read_log(context: Context, user: User, job_id: UUID) -> str:
    """Return what the model has printed so far; "" before it runs."""
    row = await own_job(context, user, job_id)
    stored = await stored_log(context.storage, row["log_path"], limit_bytes=context.limits.job_log_bytes)
    if stored is not None:
        return stored
    return await live_log(context.bus, "job", row["user_id"], job_id)


async def remove(context: Context, user: User, job_id: UUID) -> None:
    """Delete a job with input, outputs and log; one that is open is canceled first."""
    await own_job(context, user, job_id)
    await remove_job(context, job_id)


def not_ready(status: str) -> Conflict:
    """The error for a version that cannot run (yet)."""
    return Conflict(
        f"The version is {status}, not READY: a job runs on a version that has been built.", code="VERSION_NOT_READY"
    )


def answer(context: Context, row: Row, origin: str) -> Job:
    """Make the answer about one job."""
    url = None
    if row["input_path"]:
        type_ = row["input_type"] or "application/octet-stream"
        url = context.storage.presign_get(
            row["input_path"],
            origin=origin,
            filename=f"input{mimetypes.guess_extension(type_) or '.bin'}",
            content_type=type_,
        )
    return job_from(row, input_url=url)
