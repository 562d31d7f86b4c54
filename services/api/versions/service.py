"""Versions: create, look at the upload, queue the build, cancel, read (design, section 1, path 1)."""

from uuid import UUID

import asyncpg

from services.api.context import Context, User
from services.api.logs import live_log, stored_log
from services.api.models.service import MISSING as MODEL_MISSING
from services.api.models.service import own_model
from services.api.paging import Page, before, make_page
from services.api.quota import require_room
from services.api.uploads import drop_upload, look_at, quarantine_key
from services.api.versions.schemas import (
    BuildStarted,
    NewVersion,
    Version,
    VersionItem,
    VersionUpload,
    version_from,
    version_item,
)
from shared import transitions
from shared.db import Row, load_queries
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.removal import remove_version
from shared.statuses import VersionStatus

_queries = load_queries("versions")

MISSING = "There is no such version, or it is not yours."


async def readable_version(context: Context, user: User, version_id: UUID) -> Row:
    """Return a version of an own or public model; raises NotFound."""
    row: Row | None = await _queries.find_version(context.pool, id=version_id, user_id=user.id)
    if row is None:
        raise NotFound(MISSING)
    return row


ONLY_OWNER_CHANGES = "This model is public: you may read and run it, but only its owner may change it."
ONLY_OWNER_READS = "This model is public: you may read and run it; package and build log stay with its owner."


async def own_version(context: Context, user: User, version_id: UUID, refusal: str = ONLY_OWNER_CHANGES) -> Row:
    """Return a version that the user may change; raises NotFound, or Forbidden for one of a public model."""
    row = await readable_version(context, user, version_id)
    if row["owner_id"] != user.id:
        raise Forbidden(refusal)
    return row


def require_uploading(row: Row) -> None:
    """Raise Conflict (ALREADY_STARTED) when the upload is over."""
    if row["status"] != VersionStatus.UPLOADING:
        raise Conflict(
            f"This version is {row['status']} already; make a new version to upload another package.",
            code="ALREADY_STARTED",
        )


async def create(context: Context, user: User, new: NewVersion, origin: str) -> VersionUpload:
    """Create a version in state UPLOADING and sign the URL of its package. Raises Conflict (VERSION_EXISTS)."""
    await own_model(context, user, new.model_id)
    key = quarantine_key()
    try:
        row = await _queries.create_version(
            context.pool,
            id=new_id(),
            model_id=new.model_id,
            owner_id=user.id,
            version_number=new.version_number,
            upload_key=key,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(
            f"version_number: this model has a version {new.version_number} already; choose another number.",
            code="VERSION_EXISTS",
        ) from None
    except asyncpg.ForeignKeyViolationError:
        raise NotFound(MODEL_MISSING) from None  # deleted in between
    return VersionUpload(
        version_id=row["id"],
        upload_url=context.storage.presign_put(key, origin=origin),
        expires_in=context.storage_settings.upload_expires_s,
        max_bytes=context.limits.zip_bytes,
    )


async def find(context: Context, user: User, version_id: UUID) -> Version:
    """Return one version."""
    row = await readable_version(context, user, version_id)
    return version_from(row, mine=row["owner_id"] == user.id)


async def page(context: Context, model_id: UUID, *, mine: bool, limit: int, cursor: str | None) -> Page[VersionItem]:
    """Return the versions of a model that the caller has found readable, newest first."""
    rows = [
        row
        async for row in _queries.list_versions(context.pool, model_id=model_id, before=before(cursor), rows=limit + 1)
    ]
    return make_page(rows, limit, lambda row: version_item(row, mine=mine))


async def build(context: Context, user: User, version_id: UUID) -> BuildStarted:
    """Queue the build: UPLOADING → QUEUED with `version.uploaded` in the same transaction.

    Only looks at the upload; the builder reads it. Raises Conflict (ALREADY_STARTED, PACKAGE_MISSING), TooLarge
    (also QUOTA_EXCEEDED).
    """
    row = await own_version(context, user, version_id)
    require_uploading(row)
    hint = "; join its parts first (POST …/parts/complete)" if row["upload_id"] else "; PUT the ZIP to its upload_url"
    package = await look_at(
        context.storage,
        row["upload_key"],
        limit_bytes=context.limits.zip_bytes,
        missing=Conflict(f"The package has not been uploaded yet{hint}.", code="PACKAGE_MISSING"),
        what="package",
    )
    await require_room(context, user.id, package.size)
    moved = await transitions.move(
        context.pool,
        "version",
        "queue_version",
        id=version_id,
        upload_size=package.size,
        upload_etag=package.etag,
        deadline_s=context.work.build_deadline_s,
    )
    if moved is None:
        raise Conflict("The build of this version has been started already.", code="ALREADY_STARTED")
    await context.outbox.publish(version_id)
    return BuildStarted(
        version_id=version_id,
        status=VersionStatus(moved["status"]),
        message=f"The build is queued; follow it at /api/models/versions/{version_id} or live over /ws.",
    )


async def cancel(context: Context, user: User, version_id: UUID) -> Version:
    """Cancel whatever state the build is in; again changes nothing. Raises Conflict (ALREADY_ENDED)."""
    row = await own_version(context, user, version_id)
    moved = await transitions.move(
        context.pool, "version", "cancel_version", id=version_id, message=f"Canceled by {user.username}."
    )
    if moved is not None:
        await context.outbox.publish(version_id)
        await drop_upload(context.storage, row["upload_key"], row["upload_id"])
    row = await own_version(context, user, version_id)
    if moved is None and row["status"] != VersionStatus.CANCELED:
        raise Conflict(f"This version is {row['status']} already; nothing is left to cancel.", code="ALREADY_ENDED")
    return version_from(row, mine=True)


async def read_log(context: Context, user: User, version_id: UUID) -> str:
    """Return the whole build log so far; for the owner only."""
    row = await own_version(context, user, version_id, ONLY_OWNER_READS)
    # A canceled build stores its log beside the row, within a second of the cancel.
    key = row["log_path"] or (f"logs/versions/{version_id}/{row['epoch']}.log" if row["finished_at"] else None)
    stored = await stored_log(context.storage, key, limit_bytes=context.limits.build_log_bytes)
    if stored is not None:
        return stored
    return await live_log(context.bus, "version", row["owner_id"], version_id) or row["build_logs"]


async def remove(context: Context, user: User, version_id: UUID) -> None:
    """Delete a version with its jobs, whoever ran them."""
    await own_version(context, user, version_id)
    await remove_version(context, version_id)
