"""Large packages in parts, resumable: URLs for those that have not arrived, then joining (design, section 6)."""

from uuid import UUID

from services.api.context import Context, User
from services.api.quota import require_room
from services.api.uploads import look_at, storage_at_hand
from services.api.versions.joining import Arrived, fitting, part_count, whole
from services.api.versions.schemas import (
    PART_BYTES_DEFAULT,
    PARTS_MAX,
    URLS_MAX,
    ArrivedPart,
    Parts,
    PartsJoined,
    PartUrl,
    WantedParts,
)
from services.api.versions.service import own_version, require_uploading
from shared.db import Row, load_queries
from shared.errors import Conflict, Invalid, TooLarge
from shared.storage import ObjectChanged

_queries = load_queries("versions")


async def offer(context: Context, user: User, version_id: UUID, wanted: WantedParts, origin: str) -> Parts:
    """Sign URLs for parts and tell which have arrived; begins the upload at the first call, resumes it later.

    With `size`, a part of another length than it must have counts as not arrived: it was cut, or sent for another
    `part_size`, and sending it again replaces it. Raises Conflict (ALREADY_STARTED), TooLarge (also QUOTA_EXCEEDED),
    Invalid.
    """
    row = await own_version(context, user, version_id)
    require_uploading(row)
    part_bytes = _part_bytes(context, wanted)
    if wanted.size:
        await require_room(context, user.id, wanted.size)
    count = part_count(wanted.size, part_bytes) if wanted.size else PARTS_MAX
    if wanted.numbers and max(wanted.numbers) > count:
        raise Invalid(f"numbers: {max(wanted.numbers)} is past the last part, {count}, of part_size {part_bytes}")
    async with storage_at_hand():
        upload_id, arrived = await _begin_or_resume(context, row, wanted.size)
    if wanted.size:
        arrived = fitting(arrived, wanted.size, part_bytes)
    there = {part["number"] for part in arrived}
    numbers = wanted.numbers or [number for number in range(1, count + 1) if number not in there][:URLS_MAX]
    return Parts(
        part_size=part_bytes,
        expires_in=context.storage_settings.upload_expires_s,
        parts=[
            PartUrl(number, context.storage.presign_part(row["upload_key"], upload_id, number, origin=origin))
            for number in numbers
        ],
        uploaded=[ArrivedPart(part["number"], part["size"], part["etag"]) for part in arrived],
    )


async def complete(context: Context, user: User, version_id: UUID) -> PartsJoined:
    """Join the parts that have arrived; again changes nothing.

    Raises Conflict (ALREADY_STARTED; PARTS_MISSING naming them; PACKAGE_MISSING when none was begun), TooLarge.
    """
    row = await own_version(context, user, version_id)
    require_uploading(row)
    if row["upload_id"]:
        try:
            async with storage_at_hand():
                arrived = await context.storage.uploaded_parts(row["upload_key"], row["upload_id"])
                parts = whole(arrived, row["upload_size"])
                _check_size(parts, context.limits.zip_bytes)
                await context.storage.complete_multipart(row["upload_key"], row["upload_id"], parts)
        except ObjectChanged:
            pass  # joined by an answer that was lost, or expired: what storage has now decides
        else:
            await _queries.forget_parts(context.pool, id=version_id, upload_id=row["upload_id"])
    package = await look_at(
        context.storage,
        row["upload_key"],
        limit_bytes=context.limits.zip_bytes,
        missing=Conflict("No part has been uploaded; ask for URLs first (POST …/parts).", code="PACKAGE_MISSING"),
        what="package",
    )
    return PartsJoined(version_id=version_id, size=package.size)


def _part_bytes(context: Context, wanted: WantedParts) -> int:
    limit = context.limits.zip_bytes
    if wanted.size is None:
        if not wanted.numbers:
            raise Invalid("numbers, size: say which parts you want, or how many bytes the whole package has")
        return wanted.part_size or PART_BYTES_DEFAULT
    if wanted.size > limit:
        raise TooLarge(f"The package has {wanted.size} bytes; the limit is {limit} bytes.")
    smallest = part_count(wanted.size, PARTS_MAX)
    if wanted.part_size is not None and wanted.part_size < smallest:
        raise Invalid(f"part_size: {wanted.part_size} makes more than {PARTS_MAX} parts; take {smallest} or more")
    return wanted.part_size or max(PART_BYTES_DEFAULT, smallest)


async def _begin_or_resume(context: Context, row: Row, size: int | None) -> tuple[str, Arrived]:
    """Return the upload's id and the parts that have arrived; an upload that expired begins anew."""
    if row["upload_id"]:
        try:
            arrived = await context.storage.uploaded_parts(row["upload_key"], row["upload_id"])
        except ObjectChanged:
            await _queries.forget_parts(context.pool, id=row["id"], upload_id=row["upload_id"])
        else:
            await _queries.begin_parts(context.pool, id=row["id"], upload_id=row["upload_id"], size=size)
            return row["upload_id"], arrived
    mine = await context.storage.start_multipart(row["upload_key"])
    first: str | None = await _queries.begin_parts(context.pool, id=row["id"], upload_id=mine, size=size)
    if first != mine:
        await context.storage.abort_multipart(row["upload_key"], mine)
    if first is None:
        raise Conflict("The upload of this version is over; make a new version.", code="ALREADY_STARTED")
    return first, [] if first == mine else await context.storage.uploaded_parts(row["upload_key"], first)


def _check_size(parts: Arrived, limit_bytes: int) -> None:
    total = sum(part["size"] for part in parts)
    if total > limit_bytes:
        raise TooLarge(f"The package has {total} bytes; the limit is {limit_bytes} bytes.")
