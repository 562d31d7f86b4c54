"""Images of versions that are gone: their manifests in the registry and their copies in this host's engine."""

import asyncio
import json
from collections.abc import Iterable
from uuid import UUID

import aiodocker
import structlog

from shared.db import Row, load_queries
from shared.errors import PlatformFault
from shared.registry import open_registry, split_reference
from shared.removal.parts import Removed, WithParts

log = structlog.get_logger()
_queries = load_queries("removal")

REPOSITORY = "clinai/model-"
"""Repository of a version's images, followed by the version's id; one tag an epoch."""
ENGINE_TIMEOUT_S = 20.0


def maker_of(repository: str) -> UUID | None:
    """Id of the version whose build made the images of a repository."""
    try:
        return UUID(repository.removeprefix(REPOSITORY)) if repository.startswith(REPOSITORY) else None
    except ValueError:
        return None


async def drop_images(parts: WithParts, versions: list[Row], removed: Removed) -> None:
    """Delete the images that only these (deleted) versions used.

    Versions of the same package share an image, each under a name of its own: a name in the registry goes with its
    version, the image in the engine with the last of them. Never raises; notes in `removed` what it could not do.
    """
    makers = {row["id"] for row in versions if row["epoch"] > 0}
    for row in versions:  # built by an older release: one package, one name
        repository = split_reference(row["docker_image"] or "", parts.engine.registry)
        if repository and (maker := maker_of(repository)):
            makers.add(maker)
    if not makers:
        return
    try:
        removed.images += await _from_registry(parts, makers)
    except (PlatformFault, OSError) as error:
        removed.left.append(f"images in the registry: {error}")
    try:
        async with asyncio.timeout(ENGINE_TIMEOUT_S):
            removed.images += await _from_engine(
                parts, makers, {row["docker_image_digest"] for row in versions if row["docker_image_digest"]}
            )
    except (aiodocker.DockerError, OSError, TimeoutError) as error:
        removed.left.append(f"images in the engine: {error or type(error).__name__}")


async def used(parts: WithParts, digests: Iterable[str]) -> set[str]:
    """Those of the digests that a READY version refers to, under whatever name."""
    return {digest for _, digest in await names_in_use(parts, digests)}


async def names_in_use(parts: WithParts, digests: Iterable[str]) -> set[tuple[str, str]]:
    """(repository, digest) of every READY version that refers to one of the digests."""
    rows = _queries.digests_in_use(parts.pool, digests=list(digests))
    return {(_repository(row["docker_image"]), row["digest"]) async for row in rows}


def _repository(reference: str) -> str:
    """Repository of `<host>/<repository>:<tag>`, whatever the host is called now."""
    return reference.partition("/")[2].rpartition(":")[0]


async def _from_registry(parts: WithParts, makers: set[UUID]) -> int:
    deleted = 0
    async with open_registry(parts.engine.registry) as registry:
        for maker in sorted(makers):
            repository = f"{REPOSITORY}{maker}"
            digests = {await registry.digest(repository, tag) for tag in await registry.tags(repository)} - {None}
            known = {digest for digest in digests if digest}
            in_use = await names_in_use(parts, known)
            for digest in known:
                if (repository, digest) not in in_use:
                    deleted += await registry.delete(repository, digest)
    return deleted


async def _from_engine(parts: WithParts, makers: set[UUID], digests: set[str]) -> int:
    """Remove what these versions made or used; the label tells who made an image, not who else uses it."""
    deleted, made = 0, {str(maker) for maker in makers}
    await _loaded_models(parts, made)
    ours = [f"clinai.instance={parts.instance.instance}", "clinai.kind=image"]
    for image in await parts.docker.images.list(filters={"label": ours}):
        own = image_digests(image)
        if (image["Labels"].get("clinai.version") in made or own & digests) and not own & await used(parts, own):
            deleted += await remove_image(parts.docker, image["Id"])
    return deleted


async def _loaded_models(parts: WithParts, versions: set[str]) -> None:
    """Remove the sandboxes that wait with these models loaded: nobody will run them, and they hold their image."""
    ours = json.dumps({"label": [f"clinai.instance={parts.instance.instance}", "clinai.kind=sandbox", "clinai.tenant"]})
    for container in await parts.docker.containers.list(all="1", filters=ours):
        if container["Labels"].get("clinai.version") in versions:
            try:
                await container.delete(force=True, v=True)
            except aiodocker.DockerError as error:
                if error.status not in (404, 409):  # gone, or being removed
                    raise


def image_digests(image: dict[str, list[str] | None]) -> set[str]:
    """Registry digests of an engine's image, under whatever name."""
    return {name.rsplit("@", 1)[1] for name in image.get("RepoDigests") or [] if "@" in name}


async def remove_image(docker: aiodocker.Docker, image: str) -> bool:
    """Remove an image with all its names; False when it was gone or a container still uses it."""
    try:
        await docker.images.delete(image, force=True)
    except aiodocker.DockerError as error:
        if error.status not in (404, 409):
            raise
        log.info("image not removed", image=image, reason=error.message)
        return False
    return True
