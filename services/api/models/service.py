"""Models: who sees and who changes them. One that is not the user's and not public is not there (404)."""

from uuid import UUID

from msgspec import UNSET

from services.api.context import Context, User
from services.api.models.schemas import Model, ModelChange, NewModel, model_from
from services.api.paging import Page, before, make_page
from shared.db import Row, load_queries
from shared.errors import Forbidden, NotFound
from shared.ids import new_id
from shared.removal import remove_model

_queries = load_queries("models")

MISSING = "There is no such model, or it is not yours."


async def readable_model(context: Context, user: User, model_id: UUID) -> Row:
    """Return a model that the user owns or that is public; raises NotFound."""
    row: Row | None = await _queries.find_model(context.pool, id=model_id, user_id=user.id)
    if row is None:
        raise NotFound(MISSING)
    return row


async def own_model(context: Context, user: User, model_id: UUID) -> Row:
    """Return a model that the user may change; raises NotFound, or Forbidden for somebody else's public one."""
    row = await readable_model(context, user, model_id)
    if row["owner_id"] != user.id:
        raise Forbidden("This model is public: you may read and run it, but only its owner may change it.")
    return row


async def create(context: Context, user: User, new: NewModel) -> Model:
    """Create a model of the user's."""
    row = await _queries.create_model(
        context.pool,
        id=new_id(),
        owner_id=user.id,
        name=new.name.strip(),
        description=new.description,
        is_public=new.is_public,
    )
    return model_from(row, user.username)


async def find(context: Context, user: User, model_id: UUID) -> Model:
    """Return one model."""
    row = await readable_model(context, user, model_id)
    return model_from(row, row["owner"])


async def page(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[Model]:
    """Return own and public models, newest first."""
    rows = [
        row async for row in _queries.list_models(context.pool, user_id=user.id, before=before(cursor), rows=limit + 1)
    ]
    return make_page(rows, limit, lambda row: model_from(row, row["owner"]))


async def change(context: Context, user: User, model_id: UUID, wanted: ModelChange) -> Model:
    """Change what is given."""
    await own_model(context, user, model_id)
    row = await _queries.change_model(
        context.pool,
        id=model_id,
        owner_id=user.id,
        name=None if wanted.name is UNSET else wanted.name.strip(),
        description=None if wanted.description is UNSET else wanted.description,
        is_public=None if wanted.is_public is UNSET else wanted.is_public,
    )
    if row is None:
        raise NotFound(MISSING)  # deleted in between
    return model_from(row, user.username)


async def remove(context: Context, user: User, model_id: UUID) -> None:
    """Delete a model with its versions and their jobs, whoever ran them."""
    await own_model(context, user, model_id)
    await remove_model(context, model_id)
