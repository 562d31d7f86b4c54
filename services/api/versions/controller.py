"""Routes of `/api/models/versions`."""

from uuid import UUID

from litestar import Controller, MediaType, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath, JSONBody

from services.api.injected import OpenContext, Origin, SignedIn
from services.api.origins import provide_origin
from services.api.versions import parts, service
from services.api.versions.schemas import (
    BuildStarted,
    NewVersion,
    Parts,
    PartsJoined,
    Version,
    VersionUpload,
    WantedParts,
)


class VersionController(Controller):
    """Versions: upload, build, watch, cancel, delete."""

    path = "/api/models/versions"
    tags = ("versions",)
    dependencies = {"origin": Provide(provide_origin, sync_to_thread=False)}  # noqa: RUF012 (Litestar's own idiom)

    @post("/", operation_id="create_version", summary="Create a version and get its upload URL")
    async def create(
        self, context: OpenContext, user: SignedIn, data: JSONBody[NewVersion], origin: Origin
    ) -> VersionUpload:
        """Create a version of an own model. PUT the ZIP to `upload_url` next, then build."""
        return await service.create(context, user, data, origin)

    @get("/{version_id:uuid}", operation_id="get_version", summary="One version")
    async def find(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> Version:
        """Read a version of an own or public model; what only its owner may see is empty for others."""
        return await service.find(context, user, version_id)

    @delete("/{version_id:uuid}", operation_id="delete_version", summary="Delete a version")
    async def remove(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> None:
        """Cancel what runs and delete the version with its jobs, objects and image."""
        await service.remove(context, user, version_id)

    @get(
        "/{version_id:uuid}/logs",
        operation_id="get_version_logs",
        summary="The build log",
        media_type=MediaType.TEXT,
    )
    async def read_log(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> str:
        """Read the whole build log so far, as text; for the owner only."""
        return await service.read_log(context, user, version_id)

    @post("/{version_id:uuid}/build", operation_id="build_version", summary="Queue the build", status_code=202)
    async def build(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> BuildStarted:
        """Queue the build of an uploaded package; its faults show on the version."""
        return await service.build(context, user, version_id)

    @post("/{version_id:uuid}/cancel", operation_id="cancel_version", summary="Cancel a build", status_code=200)
    async def cancel(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> Version:
        """Cancel an upload or a build in whatever phase it is."""
        return await service.cancel(context, user, version_id)

    @post(
        "/{version_id:uuid}/parts",
        operation_id="offer_version_parts",
        summary="URLs for a package in parts",
        status_code=200,
    )
    async def offer_parts(
        self,
        context: OpenContext,
        user: SignedIn,
        version_id: FromPath[UUID],
        data: JSONBody[WantedParts],
        origin: Origin,
    ) -> Parts:
        """Get URLs for parts of a large package and hear which have arrived; call it again to resume."""
        return await parts.offer(context, user, version_id, data, origin)

    @post(
        "/{version_id:uuid}/parts/complete",
        operation_id="complete_version_parts",
        summary="Join the parts",
        status_code=200,
    )
    async def complete_parts(self, context: OpenContext, user: SignedIn, version_id: FromPath[UUID]) -> PartsJoined:
        """Join the parts that have arrived into the package."""
        return await parts.complete(context, user, version_id)
