"""Keyset paging: newest first by UUIDv7 id (jobs: by time and id), behind a cursor that clients hand back as it is.

A page costs one index range whatever its depth, and rows that come or go meanwhile shift nothing.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from shared.db import Row
from shared.errors import Invalid

PAGE_DEFAULT, PAGE_MAX = 50, 100
MOMENT_BYTES = 24
"""Microseconds since 1970 in 8 bytes, then the id."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEWEST = UUID(int=2**128 - 1)
"""Where the first page begins: no id is as high."""
OLDEST = UUID(int=0)
"""No id is as low."""

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
    with _readable():
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))


class Moment(NamedTuple):
    """A place in a list by time, then id: everything older follows."""

    at: datetime
    id: UUID


NOW = Moment(datetime(9999, 12, 31, tzinfo=UTC), NEWEST)
"""Where the first page of a list by time begins."""


def before_moment(cursor: str | None) -> Moment:
    """Return the place below which the page of a list by time begins; raises Invalid for a cursor that is none."""
    if not cursor:
        return NOW
    with _readable():
        raw = base64.urlsafe_b64decode(cursor + "==")
        if len(raw) != MOMENT_BYTES:
            raise ValueError
        return Moment(EPOCH + timedelta(microseconds=int.from_bytes(raw[:-16], signed=True)), UUID(bytes=raw[-16:]))


@contextmanager
def _readable() -> Iterator[None]:
    """Raise Invalid for what cannot be read as a cursor."""
    try:
        yield
    except (ValueError, OverflowError, binascii.Error):
        raise Invalid("cursor: not a cursor of this API; hand back `next_cursor` of the page before") from None


def id_cursor(row: Row) -> str:
    """The cursor of a list by id."""
    return _text(row["id"].bytes)


def moment_cursor(row: Row) -> str:
    """The cursor of a list by time."""
    microseconds = (row["created_at"] - EPOCH) // timedelta(microseconds=1)
    return _text(microseconds.to_bytes(8, signed=True) + row["id"].bytes)


def make_page(
    rows: Sequence[Row], limit: int, item: Callable[[Row], T], *, cursor: Callable[[Row], str] = id_cursor
) -> Page[T]:
    """Make a page of `limit` items from rows fetched with `limit + 1`: the one too many tells of a next page."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page([item(row) for row in shown], cursor(shown[-1]) if more else None)


def _text(place: bytes) -> str:
    return base64.urlsafe_b64encode(place).rstrip(b"=").decode()
