"""Routes of `/api/models`."""

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from services.api.injected import OpenContext, SignedIn
from services.api.models import service
from services.api.models.schemas import Model, ModelChange, NewModel
from services.api.paging import PAGE_DEFAULT, Cursor, Limit, Page
from services.api.versions import service as versions
from services.api.versions.schemas import VersionItem


class ModelController(Controller):
    """Models: create, list, read, change, delete."""

    path = "/api/models"
    tags = ("models",)

    @post("/", operation_id="create_model", summary="Create a model")
    async def create(self, context: OpenContext, user: SignedIn, data: JSONBody[NewModel]) -> Model:
        """Create a model; its versions are uploaded next."""
        return await service.create(context, user, data)

    @get("/", operation_id="list_models", summary="Own and public models")
    async def list_models(
        self, context: OpenContext, user: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None
    ) -> Page[Model]:
        """List own and public models, newest first."""
        return await service.page(context, user, limit=limit, cursor=cursor)

    @get("/{model_id:uuid}", operation_id="get_model", summary="One model")
    async def find(self, context: OpenContext, user: SignedIn, model_id: FromPath[UUID]) -> Model:
        """Read an own or public model."""
        return await service.find(context, user, model_id)

    @patch("/{model_id:uuid}", operation_id="change_model", summary="Change a model")
    async def change(
        self, context: OpenContext, user: SignedIn, model_id: FromPath[UUID], data: JSONBody[ModelChange]
    ) -> Model:
        """Change name, description or visibility; what is not given stays."""
        return await service.change(context, user, model_id, data)

    @delete("/{model_id:uuid}", operation_id="delete_model", summary="Delete a model with everything of it")
    async def remove(self, context: OpenContext, user: SignedIn, model_id: FromPath[UUID]) -> None:
        """Cancel what runs and delete the model with its versions, jobs, objects and images."""
        await service.remove(context, user, model_id)

    @get("/{model_id:uuid}/versions", operation_id="list_versions", summary="Versions of a model")
    async def list_versions(
        self,
        context: OpenContext,
        user: SignedIn,
        model_id: FromPath[UUID],
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[VersionItem]:
        """List the versions of an own or public model, newest first, without logs."""
        model = await service.readable_model(context, user, model_id)
        return await versions.page(context, model_id, mine=model["owner_id"] == user.id, limit=limit, cursor=cursor)
