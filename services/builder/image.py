"""The model image: a dependency image and, on top, the code at /app, root's and read-only to the model."""

from collections.abc import AsyncIterator
from pathlib import Path

from services.builder.build import Build
from services.builder.container import build_container, file_chunks
from services.builder.install import still_spec
from shared.codes import BuildCode
from shared.errors import BuildError


async def make_image(build: Build, dependencies: str, code: Path, weights: Path | None) -> int:
    """Commit `build.reference` from the dependency image and tar files of code and weights; return its size in bytes.

    Raises BuildError (BUILD_TOO_LARGE).
    """
    docker, limit = build.parts.docker, build.parts.limits.image_bytes
    spec = still_spec(build, dependencies, build.labels)
    async with build_container(docker, spec, removals=build.removals) as container:
        for tar in filter(None, (code, weights)):
            await container.put(_chunks(tar), "/app")
        await container.commit(build.reference, {**build.labels, "clinai.kind": "image"})
    size: int = (await docker.images.inspect(build.reference))["Size"]
    if size > limit:
        raise BuildError(
            BuildCode.BUILD_TOO_LARGE,
            f"the image takes {size} bytes and the limit is {limit}; use fewer or smaller packages and weights",
        )
    return size


def _chunks(tar: Path) -> AsyncIterator[bytes]:
    return file_chunks(tar)
