"""Routes that predict in one call."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, post
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter

from services.api.context import Context, User
from services.api.injected import OpenContext, Origin, SignedIn
from services.api.origins import provide_origin
from services.api.predict import service
from services.api.predict.body import Input, read_input
from services.api.predict.schemas import Prediction, Wishes, read_key, read_params, read_wait
from services.api.predict.service import OPEN, Target
from shared.errors import Invalid

ApiRequest = Request[Any, Any, Any]
Params = Annotated[str | None, QueryParameter(description="Parameters for `run()`, a JSON object")]
Disconnect = Annotated[
    str | None, QueryParameter(description="`cancel`: cancel the job when the client hangs up before its end")
]
Prefer = Annotated[
    str | None,
    HeaderParameter(name="Prefer", description="`wait=N`: answer after N seconds at the latest (0 to 60, default 60)"),
]
Key = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", description="The same key within 24 h stands for the same job"),
]

_BINARY = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
_TEXT = Schema(type=OpenAPIType.STRING, description="A JSON object")
BODY = RequestBody(
    {
        "application/octet-stream": OpenAPIMediaType(_BINARY),
        "multipart/form-data": OpenAPIMediaType(
            Schema(type=OpenAPIType.OBJECT, properties={"file": _BINARY, "params": _TEXT}, required=["file"])
        ),
    },
    required=True,
    description="The image as it is, of whatever type, or a form",
)


@dataclass
class PredictBody(Operation):
    """An image, read by hand."""

    def __post_init__(self) -> None:
        self.request_body = BODY


ANSWERS = {
    200: ResponseSpec(Prediction, description="The job has ended, well or not"),
    202: ResponseSpec(Prediction, description="The wait is over and the job goes on; `Location` is where it is"),
}


class PredictController(Controller):
    """An image in, the finished job with its outputs out."""

    path = "/api/models"
    tags = ("predict",)
    dependencies = {"origin": Provide(provide_origin, sync_to_thread=False)}  # noqa: RUF012 (Litestar's own idiom)

    @post(
        "/versions/{version_id:uuid}/predict",
        operation_id="predict",
        summary="Run an image through a version and wait for the result",
        status_code=200,
        responses=ANSWERS,
        operation_class=PredictBody,
    )
    async def by_version(
        self,
        request: ApiRequest,
        context: OpenContext,
        user: SignedIn,
        version_id: FromPath[UUID],
        origin: Origin,
        prefer: Prefer = None,
        key: Key = None,
        params: Params = None,
        inline: FromQuery[bool] = False,
        on_disconnect: Disconnect = None,
    ) -> Response[Prediction]:
        """Queue a job like any other and answer it when it has ended; `?inline=true` gives small outputs at once."""
        wishes = _wishes(prefer, key, inline, on_disconnect)
        target = await service.find_version(context, user, version_id)
        return await _predict(request, context, user, target, wishes, params, origin)

    @post(
        "/{model_id:uuid}/predict",
        operation_id="predict_newest",
        summary="The same on the newest READY version of a model",
        status_code=200,
        responses=ANSWERS,
        operation_class=PredictBody,
    )
    async def by_model(
        self,
        request: ApiRequest,
        context: OpenContext,
        user: SignedIn,
        model_id: FromPath[UUID],
        origin: Origin,
        prefer: Prefer = None,
        key: Key = None,
        params: Params = None,
        inline: FromQuery[bool] = False,
        on_disconnect: Disconnect = None,
    ) -> Response[Prediction]:
        """Queue a job on the version that was made last among those that are READY."""
        wishes = _wishes(prefer, key, inline, on_disconnect)
        target = await service.newest_version(context, user, model_id)
        return await _predict(request, context, user, target, wishes, params, origin)


def _wishes(prefer: str | None, key: str | None, inline: bool, on_disconnect: str | None) -> Wishes:
    if on_disconnect not in (None, "", "cancel"):
        raise Invalid(f"on_disconnect: {on_disconnect[:50]!r} is not known; there is `cancel`")
    wait_s, applied = read_wait(prefer or "")
    return Wishes(wait_s=wait_s, applied=applied, key=read_key(key), inline=inline, cancel=on_disconnect == "cancel")


async def _predict(
    request: ApiRequest,
    context: Context,
    user: User,
    target: Target,
    wishes: Wishes,
    params: str | None,
    origin: str,
) -> Response[Prediction]:
    limit = context.limits.input_bytes
    with Input(context.instance.data.absolute() / "tmp" / "api", limit_bytes=limit) as body:
        in_form = await read_input(request, body, limit_bytes=limit)
        if params is not None and in_form is not None:
            raise Invalid("params: they are in the URL and in the form; send them once")

        async def gone() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        found = await service.predict(
            context,
            user,
            target,
            body,
            read_params(params if params is not None else in_form),
            wishes,
            origin=origin,
            gone=gone,
        )
    headers = {"Preference-Applied": wishes.applied} if wishes.applied else {}
    if found.status not in OPEN:
        return Response(found, status_code=200, headers=headers)
    return Response(found, status_code=202, headers={**headers, "Location": f"/api/jobs/{found.id}"})
