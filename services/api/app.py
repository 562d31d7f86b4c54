"""The gateway's application: which nouns there are, and what stands around them.

request → Frame (trace, log, metrics) → router → Gate (token, rate) → handler(context, user, …)
"""

from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.admin.controller import AdminController
from services.api.batches.controller import BatchController
from services.api.context import Context, User
from services.api.frame import App, Frame
from services.api.gateway import Gateway
from services.api.health.checks import Checks
from services.api.health.controller import HealthController
from services.api.injected import OpenContext
from services.api.jobs.controller import JobController
from services.api.live.controller import LiveController
from services.api.models.controller import ModelController
from services.api.predict.controller import PredictController
from services.api.problems import problem_response
from services.api.reference import openapi_config
from services.api.security import Gate, open_context
from services.api.users.controller import UserController
from services.api.users.service import UserService
from services.api.versions.controller import VersionController
from shared.settings import MIB

BODY_BYTES = MIB
"""Largest JSON body; a route that takes more (an image to predict on) says so itself."""
VERSION = "0.1.0"

CONTROLLERS: list[ControllerRouterHandler] = [
    UserController,
    ModelController,
    VersionController,
    JobController,
    BatchController,
    PredictController,
    LiveController,
    AdminController,
    HealthController,
]


def provide_context(request: Request[User, None, State]) -> Context:
    """The open parts, injected into handlers as `context`."""
    return open_context(request.app.state.gateway)


def provide_user(request: Request[User, None, State], context: OpenContext) -> User:
    """Who sent the request, injected into handlers as `user`.

    `context` is asked for so that it comes first: for dependencies that could come side by side Litestar makes a task
    each, which costs more than all else that it does for a request.
    """
    return request.user


@get("/metrics", media_type=MediaType.TEXT, opt={"always": True}, include_in_schema=False, sync_to_thread=True)
def metrics() -> Response[bytes]:
    """Prometheus page; the edge does not pass it on."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def create_app(environ: dict[str, str] | None = None) -> App:
    """Build the application from settings in `environ` (default: the process's own)."""
    gateway = Gateway(environ)
    app = Litestar(
        route_handlers=[*CONTROLLERS, metrics],
        lifespan=[lambda _: gateway.running()],
        state=State({"gateway": gateway, "checks": Checks(gateway), "users": UserService(gateway.auth)}),
        dependencies={
            "context": Provide(provide_context, sync_to_thread=False),
            "user": Provide(provide_user, sync_to_thread=False),
        },
        middleware=[Gate(gateway)],
        exception_handlers={Exception: problem_response},
        request_max_body_size=BODY_BYTES,
        openapi_config=openapi_config(VERSION),
        logging_config=None,
    )
    return Frame(app, trusted_proxies=gateway.auth.trusted_proxies)
