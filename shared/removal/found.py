"""What an orphan search finds, and how old it must be."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec

Kind = Literal["object", "upload", "manifest", "image", "container", "version", "dead letter"]


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that nobody refers to."""

    kind: Kind
    name: str
    """Key of an object, `<key> <upload id>`, `<repository>@<digest>`, or an id."""
    bytes: int
    age_s: float
    reason: str

    @property
    def id(self) -> UUID:
        """The name of a row."""
        return UUID(self.name)


class Grace:
    """How old a thing must be before it may be called an orphan: what is young may belong to work under way."""

    zone = UTC

    def __init__(self, hours: float) -> None:
        self._age_s = hours * 3600
        self._now = datetime.now(UTC)

    def age_s(self, made_at: datetime) -> float:
        """Age in seconds."""
        return (self._now - made_at).total_seconds()

    def over(self, age_s: float) -> bool:
        """Tell whether a thing of this age may go; without any grace, clocks that differ do not matter."""
        return age_s >= self._age_s or self._age_s <= 0
