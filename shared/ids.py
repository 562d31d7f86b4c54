"""Identifiers: UUIDv7, so that ids sort by time of making (RFC 9562, section 5.7)."""

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Return a new time-ordered id."""
    return uuid_utils.compat.uuid7()
