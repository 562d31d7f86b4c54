"""Bodies and answers of the routes for models."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.api.wording import worded
from shared.db import Row

# Postgres keeps no NUL in text; a name of blanks cannot be told from another.
_NOT_BLANK = worded(
    r"^[^\u0000]*[^\s\u0000][^\u0000]*$", "must have a character that can be seen, and no U+0000, which cannot be kept"
)
_NO_NUL = worded(r"^[^\u0000]*$", "must have no character U+0000, which cannot be kept")
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NOT_BLANK)]
Description = Annotated[str, Meta(max_length=10_000, pattern=_NO_NUL)]


class NewModel(msgspec.Struct, kw_only=True):
    """What a model begins with."""

    name: Name
    description: Description = ""
    is_public: bool = False


class ModelChange(msgspec.Struct, kw_only=True):
    """What changes of a model; a field that is not given stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    is_public: bool | UnsetType = UNSET


class Model(msgspec.Struct, kw_only=True):
    """A model: a name for its versions, private or readable and runnable by everybody who is signed in."""

    id: UUID
    name: str
    description: str
    owner_id: UUID
    owner: str
    """Username of the owner."""
    is_public: bool
    created_at: datetime
    updated_at: datetime


def model_from(row: Row, owner: str) -> Model:
    """Make the answer from a row of `models` and its owner's name."""
    return Model(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        owner_id=row["owner_id"],
        owner=owner,
        is_public=row["is_public"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
