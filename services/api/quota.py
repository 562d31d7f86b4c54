"""What a user's packages and images take on disk, and how much the operator allows."""

from uuid import UUID

import msgspec

from services.api.context import Context
from shared.db import load_queries
from shared.errors import TooLarge
from shared.settings import MIB

_queries = load_queries("users")


class Usage(msgspec.Struct, frozen=True):
    """Bytes on disk; what several versions share counts once."""

    versions: int
    package_bytes: int
    image_bytes: int
    quota_bytes: int | None
    """What packages and images may take together; None: as much as there is."""


async def usage(context: Context, user_id: UUID) -> Usage:
    """Return what the user's versions take."""
    row = await _queries.usage(context.pool, user_id=user_id)
    return Usage(**row, quota_bytes=context.limits.user_bytes or None)


async def require_room(context: Context, user_id: UUID, package_bytes: int) -> None:
    """Raise TooLarge (QUOTA_EXCEEDED) when the package would not fit into what is left.

    How large the image gets shows only when it is built: one build may end above the quota, the next is refused.
    """
    if not context.limits.user_bytes:
        return
    now = await usage(context, user_id)
    taken = now.package_bytes + now.image_bytes
    if taken + package_bytes > context.limits.user_bytes:
        raise TooLarge(
            f"Your packages and images take {_mib(taken)}, this package {_mib(package_bytes)} more; the quota is "
            f"{_mib(context.limits.user_bytes)}. Delete versions that are no longer needed, or ask the operator "
            "(CLINAI_LIMIT_USER_BYTES).",
            code="QUOTA_EXCEEDED",
        )


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"
