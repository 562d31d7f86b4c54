"""Keyset paging: newest first by UUIDv7 id, behind a cursor that clients hand back as it is.

A page costs one index range whatever its depth, and rows that come or go meanwhile shift nothing.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from shared.db import Row
from shared.errors import Invalid

PAGE_DEFAULT, PAGE_MAX = 50, 100
NEWEST = UUID(int=2**128 - 1)
"""Where the first page begins: no id is as high."""

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T]):
    """Some items, newest first, and where the next ones begin (null at the end)."""

    items: list[T]
    next_cursor: str | None


Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=PAGE_MAX, description="Items of a page, at most 100")]
Cursor = Annotated[str | None, QueryParameter(name="cursor", description="`next_cursor` of the page before")]


def before(cursor: str | None) -> UUID:
    """Return the id below which the page begins; raises Invalid for a cursor that is none of ours."""
    if not cursor:
        return NEWEST
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise Invalid("cursor: not a cursor of this API; hand back `next_cursor` of the page before") from None


def make_page(rows: Sequence[Row], limit: int, item: Callable[[Row], T]) -> Page[T]:
    """Make a page of `limit` items from rows fetched with `limit + 1`: the one too many tells of a next page."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page([item(row) for row in shown], _cursor(shown[-1]["id"]) if more else None)


def _cursor(id: UUID) -> str:
    return base64.urlsafe_b64encode(id.bytes).rstrip(b"=").decode()
