"""Routes of `/api/admin`, for operators only."""

from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from services.api.admin import service
from services.api.admin.disk import DiskMeter
from services.api.admin.schemas import (
    AdminUser,
    CleanedUp,
    Cleanup,
    DeadLetter,
    Disk,
    Gone,
    Queue,
    UserChange,
    Workers,
)
from services.api.context import User
from services.api.injected import OpenContext
from services.api.paging import PAGE_DEFAULT, Cursor, Limit, Page, before, make_page
from services.api.security import admin_only
from shared.db import load_queries
from shared.removal import remove_user

_queries = load_queries("admin")


class AdminController(Controller):
    """Look, redrive, clean up, remove."""

    path = "/api/admin"
    tags = ("admin",)
    guards = (admin_only,)

    @get("/users", operation_id="admin_list_users", summary="All accounts")
    async def users(self, context: OpenContext, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> Page[AdminUser]:
        """List accounts, newest first, with how much they have."""
        rows = [row async for row in _queries.page_users(context.pool, before=before(cursor), limit=limit + 1)]
        return make_page(rows, limit, service.user_of)

    @patch("/users/{user_id:uuid}", operation_id="admin_change_user", summary="Role and access of an account")
    async def change_user(self, context: OpenContext, user_id: FromPath[UUID], data: JSONBody[UserChange]) -> AdminUser:
        """409 LAST_OPERATOR when nobody could maintain the platform afterwards."""
        return await service.change_user(context.pool, user_id, data)

    @delete(
        "/users/{user_id:uuid}", operation_id="admin_delete_user", summary="Delete an account wholly", status_code=200
    )
    async def delete_user(self, context: OpenContext, user_id: FromPath[UUID]) -> Gone:
        """Models, versions, images, jobs, outputs, sessions: all go. An account that is gone answers with zeros."""
        removed = msgspec.structs.asdict(await remove_user(context, user_id))
        return msgspec.convert({name: removed[name] for name in Gone.__struct_fields__}, Gone)

    @get("/queue", operation_id="admin_queue", summary="What has not ended")
    async def queue(self, context: OpenContext) -> Queue:
        """Count versions and jobs by state, with the age of the oldest, and what waits on the bus."""
        return await service.queue(context.pool, context.bus)

    @get("/workers", operation_id="admin_workers", summary="Heartbeats of all services")
    async def workers(self, context: OpenContext) -> Workers:
        """List every service that has beaten within a day."""
        return await service.workers(context.pool)

    @get("/dead-letters", operation_id="admin_list_dead_letters", summary="Messages that were delivered too often")
    async def dead_letters(
        self, context: OpenContext, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None
    ) -> Page[DeadLetter]:
        """List dead letters, newest first."""
        rows = [row async for row in _queries.page_dead_letters(context.pool, before=before(cursor), limit=limit + 1)]
        return make_page(rows, limit, service.dead_letter_of)

    @post(
        "/dead-letters/{letter_id:uuid}/redrive",
        operation_id="admin_redrive",
        summary="Send its object's last event again",
        status_code=204,
    )
    async def redrive(self, context: OpenContext, letter_id: FromPath[UUID]) -> None:
        """409 NOTHING_TO_REDRIVE when the object is gone or has ended."""
        await service.redrive(context, letter_id)

    @delete("/dead-letters/{letter_id:uuid}", operation_id="admin_dismiss", summary="Forget a dead letter")
    async def dismiss(self, context: OpenContext, letter_id: FromPath[UUID]) -> None:
        """Delete the row; the version or job is not touched."""
        await service.dismiss(context.pool, letter_id)

    @get("/disk", operation_id="admin_disk", summary="Disk use by model")
    async def disk(self, request: Request[User, None, State], context: OpenContext) -> Disk:
        """Bytes by model, the largest first; measured at most every 30 s."""
        return await _meter(request.app.state).read(context)

    @post("/cleanup", operation_id="admin_cleanup", summary="Find and remove what nobody refers to", status_code=200)
    async def cleanup(self, context: OpenContext, data: JSONBody[Cleanup]) -> CleanedUp:
        """A dry run unless the body says `"dry_run": false`."""
        return await service.clean_up(context, data, upload_hours=context.work.upload_expires_h)


def _meter(state: State) -> DiskMeter:
    if "disk_meter" not in state:
        state.disk_meter = DiskMeter()
    meter: DiskMeter = state.disk_meter
    return meter
