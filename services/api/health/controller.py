"""GET /api/health."""

from litestar import Controller, Request, Response, get
from litestar.datastructures import State

from services.api.context import User
from services.api.health.schemas import Health, PlatformStatus


class HealthController(Controller):
    """How the platform is; answers whatever else is away."""

    path = "/api/health"
    tags = ("health",)
    opt = {"always": True}  # noqa: RUF012 - Litestar's own attribute
    security = ({},)

    @get(
        "/",
        operation_id="get_health",
        summary="How the platform is, part by part",
        raises=[],
    )
    async def get_health(self, request: Request[User, None, State]) -> Response[Health]:
        """`status` is ok, starting, degraded (a part is down, the rest serves) or down (nothing can be served).

        Each component is `ok`, `starting` or `down: why`. The HTTP status is 503 while the gateway itself cannot serve
        (it is still opening its parts, or the database is away), else 200.
        """
        components = await request.app.state.checks.components()
        opened = request.app.state.gateway.context is not None
        return Response(
            Health(_status(components, opened), components),
            status_code=200 if opened and components["postgres"] == "ok" else 503,
        )


def _status(components: dict[str, str], opened: bool) -> PlatformStatus:
    if components["postgres"].startswith("down"):
        return PlatformStatus.DOWN
    if any(state.startswith("down") for state in components.values()):
        return PlatformStatus.DEGRADED
    if not opened or "starting" in components.values():
        return PlatformStatus.STARTING
    return PlatformStatus.OK
