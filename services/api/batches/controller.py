"""Routes of `/api/jobs/batch`."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import Stream

from services.api.batches import results, service
from services.api.batches.body import Body
from services.api.batches.schemas import Batch, BatchOutputs, BatchUpload, InputPage, NewBatch
from services.api.injected import OpenContext, Origin, SignedIn
from services.api.origins import provide_origin
from services.api.paging import PAGE_DEFAULT, Cursor, Limit, Page
from services.api.predict.schemas import read_key
from shared.batches.outcomes import InputStatus
from shared.errors import Invalid

ApiRequest = Request[Any, Any, Any]
Params = Annotated[str | None, QueryParameter(description="Parameters for `run()` of every input, a JSON object")]
Key = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", description="The same key within 24 h stands for the same batch"),
]
OfStatus = Annotated[InputStatus | None, QueryParameter(name="status", description="Only inputs in this state")]

_BINARY = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
_TEXT = Schema(type=OpenAPIType.STRING)
_FORM: dict[str, Reference | Schema] = {
    "version_id": _TEXT,
    "params": _TEXT,
    "files": Schema(type=OpenAPIType.ARRAY, items=_BINARY),
}


@dataclass
class BatchBody(Operation):
    """Inputs, read by hand."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            {
                "application/zip": OpenAPIMediaType(_BINARY),
                "multipart/form-data": OpenAPIMediaType(
                    Schema(type=OpenAPIType.OBJECT, properties=_FORM, required=["files"])
                ),
                "application/json": OpenAPIMediaType(
                    Schema(
                        type=OpenAPIType.OBJECT,
                        properties={"version_id": _TEXT, "params": Schema(type=OpenAPIType.OBJECT)},
                        required=["version_id"],
                    )
                ),
            },
            required=True,
            description="A ZIP of images, or a form with files; or JSON, to upload the ZIP to storage",
        )


class BatchController(Controller):
    """Many inputs in, their outputs and outcomes out."""

    path = "/api/jobs/batch"
    tags = ("batches",)
    dependencies = {"origin": Provide(provide_origin, sync_to_thread=False)}  # noqa: RUF012 (Litestar's own idiom)

    @post(
        "/",
        operation_id="create_batch",
        summary="Run many images through a version",
        status_code=202,
        responses={
            202: ResponseSpec(Batch, description="Queued; `Location` is where it is"),
            201: ResponseSpec(BatchUpload, description="After JSON: PUT the ZIP to `upload_url`, then run"),
        },
        operation_class=BatchBody,
    )
    async def create(
        self,
        request: ApiRequest,
        context: OpenContext,
        user: SignedIn,
        origin: Origin,
        version_id: FromQuery[UUID | None] = None,
        params: Params = None,
        key: Key = None,
    ) -> Response[Any]:
        """Store and queue up to 1,000 inputs of one version; or, with JSON, get a URL to upload their ZIP to."""
        if request.content_type[0].lower() == "application/json":
            made = await service.create(context, user, await _new_batch(request), origin)
            return Response(made, status_code=201, headers=_location(made.batch_id))
        wanted = service.Wanted(version_id=version_id, params=params, key=read_key(key))
        body = Body(request, context.limits, hashing=wanted.key is not None)
        batch_id = await service.submit(context, user, body, wanted)
        found = await service.find(context, user, batch_id)
        return Response(found, status_code=202, headers=_location(batch_id))

    @get("/", operation_id="list_batches", summary="Your batches")
    async def list_batches(
        self,
        context: OpenContext,
        user: SignedIn,
        version_id: FromQuery[UUID | None] = None,
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[Batch]:
        """List your batches, newest first."""
        return await service.page(context, user, version_id=version_id, limit=limit, cursor=cursor)

    @get("/{batch_id:uuid}", operation_id="get_batch", summary="One batch")
    async def find(self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID]) -> Batch:
        """Get one of your batches: how many of its inputs have ended, and how."""
        return await service.find(context, user, batch_id)

    @delete("/{batch_id:uuid}", operation_id="delete_batch", summary="Delete a batch")
    async def remove(self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID]) -> None:
        """Cancel the batch if it has not ended and delete it with inputs and outputs."""
        await service.remove(context, user, batch_id)

    @post("/{batch_id:uuid}/run", operation_id="run_batch", summary="Queue an uploaded batch", status_code=202)
    async def run(self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID]) -> Batch:
        """Queue a batch whose ZIP has been uploaded."""
        return await service.run(context, user, batch_id)

    @post("/{batch_id:uuid}/cancel", operation_id="cancel_batch", summary="Cancel a batch", status_code=200)
    async def cancel(self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID]) -> Batch:
        """Cancel the inputs that have not ended; what has ended stays."""
        return await service.cancel(context, user, batch_id)

    @get("/{batch_id:uuid}/inputs", operation_id="list_batch_inputs", summary="What came of each input")
    async def inputs(
        self,
        context: OpenContext,
        user: SignedIn,
        batch_id: FromPath[UUID],
        status: OfStatus = None,
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
    ) -> InputPage:
        """List inputs by their place in the batch, each with its state, fault, result and outputs."""
        return await results.inputs(context, user, batch_id, status, limit=limit, cursor=cursor)

    @get("/{batch_id:uuid}/outputs", operation_id="get_batch_outputs", summary="Where the outputs are")
    async def outputs(
        self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID], origin: Origin
    ) -> BatchOutputs:
        """Get the address of the archive, and signed URLs of its parts as far as they are there."""
        return await results.outputs(context, user, batch_id, origin)

    @get(
        "/{batch_id:uuid}/archive",
        operation_id="get_batch_archive",
        summary="All outputs as one ZIP",
        media_type="application/zip",
        responses={200: ResponseSpec(bytes, description="A ZIP", media_type="application/zip")},
    )
    async def archive(self, context: OpenContext, user: SignedIn, batch_id: FromPath[UUID]) -> Stream:
        """Get the outputs of every input and the list of outcomes in one archive, once the batch has ended."""
        pieces = await results.archive(context, user, batch_id)
        headers = {"Content-Disposition": f'attachment; filename="batch-{batch_id}.zip"'}
        return Stream(pieces, media_type="application/zip", headers=headers)


def _location(batch_id: UUID) -> dict[str, str]:
    return {"Location": f"/api/jobs/batch/{batch_id}"}


async def _new_batch(request: ApiRequest) -> NewBatch:
    try:
        return msgspec.json.decode(await request.body(), type=NewBatch)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"The body is not as it should be: {error}") from None
