"""Routes of `/api/jobs`."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, MediaType, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from services.api.injected import OpenContext, Origin, SignedIn
from services.api.jobs import service
from services.api.jobs.schemas import Job, JobItem, JobUpload, NewJob, Outputs
from services.api.origins import provide_origin
from services.api.paging import PAGE_DEFAULT, Cursor, Limit, Page
from shared.errors import Invalid
from shared.statuses import JobStatus

Statuses = Annotated[str | None, QueryParameter(name="status", description="States to show, separated by commas")]
After = Annotated[datetime | None, QueryParameter(name="created_after", description="Made then or later (RFC 3339)")]
Since = Annotated[datetime | None, QueryParameter(name="since", description="Another name of `created_after`")]
Before = Annotated[datetime | None, QueryParameter(name="created_before", description="Made before (RFC 3339)")]


class JobController(Controller):
    """Jobs: upload, run, watch, cancel, outputs, delete."""

    path = "/api/jobs"
    tags = ("jobs",)
    dependencies = {"origin": Provide(provide_origin, sync_to_thread=False)}  # noqa: RUF012 (Litestar's own idiom)

    @post("/", operation_id="create_job", summary="Create a job and get its upload URL")
    async def create(self, context: OpenContext, user: SignedIn, data: JSONBody[NewJob], origin: Origin) -> JobUpload:
        """Create a job on a version of an own or public model. PUT the input to `upload_url` next, then run."""
        return await service.create(context, user, data, origin)

    @get("/", operation_id="list_jobs", summary="Your jobs")
    async def list_jobs(
        self,
        context: OpenContext,
        user: SignedIn,
        statuses: Statuses = None,
        model_id: FromQuery[UUID | None] = None,
        version_id: FromQuery[UUID | None] = None,
        created_after: After = None,
        since: Since = None,
        created_before: Before = None,
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[JobItem]:
        """List your jobs, newest first; large results are left out."""
        wanted = service.JobFilter(
            statuses=_statuses(statuses),
            model_id=model_id,
            version_id=version_id,
            created_after=_utc(created_after or since),
            created_before=_utc(created_before),
        )
        return await service.page(context, user, wanted, limit=limit, cursor=cursor)

    @get("/{job_id:uuid}", operation_id="get_job", summary="One job")
    async def find(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID], origin: Origin) -> Job:
        """Read one of your jobs."""
        return await service.find(context, user, job_id, origin)

    @delete("/{job_id:uuid}", operation_id="delete_job", summary="Delete a job")
    async def remove(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID]) -> None:
        """Cancel the job if it has not ended and delete it with input, outputs and log."""
        await service.remove(context, user, job_id)

    @post("/{job_id:uuid}/run", operation_id="run_job", summary="Queue the job", status_code=202)
    async def run(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID], origin: Origin) -> Job:
        """Queue a job whose input has been uploaded."""
        return await service.run(context, user, job_id, origin)

    @post("/{job_id:uuid}/cancel", operation_id="cancel_job", summary="Cancel a job", status_code=200)
    async def cancel(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID], origin: Origin) -> Job:
        """Cancel a job in whatever state it is."""
        return await service.cancel(context, user, job_id, origin)

    @get("/{job_id:uuid}/outputs", operation_id="get_job_outputs", summary="Result and downloads")
    async def outputs(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID], origin: Origin) -> Outputs:
        """Get the result and signed URLs of the outputs; empty lists before the end."""
        return await service.outputs(context, user, job_id, origin)

    @get("/{job_id:uuid}/logs", operation_id="get_job_logs", summary="The job's log", media_type=MediaType.TEXT)
    async def read_log(self, context: OpenContext, user: SignedIn, job_id: FromPath[UUID]) -> str:
        """Read what the model has printed so far, as text."""
        return await service.read_log(context, user, job_id)


def _statuses(text: str | None) -> list[JobStatus] | None:
    if not text:
        return None
    try:
        return [JobStatus(part.strip()) for part in text.split(",")]
    except ValueError:
        raise Invalid(f"status: {text[:100]!r} has an unknown state; there are {', '.join(JobStatus)}") from None


def _utc(time: datetime | None) -> datetime | None:
    """A time without an offset means UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
