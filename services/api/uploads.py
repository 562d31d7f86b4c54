"""What a client has uploaded, looked at and not read: `build` and `run` only ask storage (design, section 6)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog

from shared.errors import Conflict, PlatformFault, TooLarge
from shared.storage import STORAGE_ERRORS, ObjectInfo, ObjectStore

log = structlog.get_logger()

QUARANTINE = "quarantine/"


def quarantine_key() -> str:
    """Return a random key for one upload; nobody can guess it, nothing but a worker reads it."""
    return f"{QUARANTINE}{uuid4()}"


@asynccontextmanager
async def storage_at_hand() -> AsyncIterator[None]:
    """Say that storage is away (503, retryable) instead of failing as if it were a fault of ours."""
    try:
        yield
    except STORAGE_ERRORS as error:
        log.warning("storage does not answer", error=repr(error))
        raise PlatformFault("Object storage does not answer; try again in a moment.") from error


async def look_at(storage: ObjectStore, key: str, *, limit_bytes: int, missing: Conflict, what: str) -> ObjectInfo:
    """Return size and ETag of an upload. Raises `missing` when there is none, TooLarge past the limit."""
    async with storage_at_hand():
        found = await storage.head(key)
    if found is None:
        raise missing
    if found.size > limit_bytes:
        raise TooLarge(f"The {what} has {found.size} bytes; the limit is {limit_bytes} bytes.")
    return found


async def drop_upload(storage: ObjectStore, key: str, upload_id: str | None = None) -> None:
    """Remove an upload that nobody will read; never raises: what stays expires by the bucket's own rule."""
    try:
        if upload_id:
            await storage.abort_multipart(key, upload_id)
        await storage.delete(key)
    except STORAGE_ERRORS as error:
        log.warning("upload left to expire", key=key, error=repr(error))
