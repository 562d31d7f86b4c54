"""The model image: a dependency image and, on top, the code at /app, root's and read-only to the model."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from services.builder.build import Build
from services.builder.container import CHUNK_BYTES, build_container, file_chunks
from services.builder.install import still_spec
from shared.codes import BuildCode
from shared.errors import BuildError
from shared.package import Package, tar_pieces


async def make_image(build: Build, dependencies: str, package: Package, weights: Path | None) -> int:
    """Commit `build.reference` from the dependency image, the package and a tar of weights; return its size in bytes.

    Raises BuildError (BUILD_TOO_LARGE).
    """
    docker, limit = build.parts.docker, build.parts.limits.image_bytes
    spec = still_spec(build, dependencies, build.labels)
    async with build_container(docker, spec, removals=build.removals) as container:
        await container.put(_unpacked(package), "/app")
        if weights is not None:
            await container.put(file_chunks(weights), "/app")
        await container.commit(build.reference, {**build.labels, "clinai.kind": "image"})
    size: int = (await docker.images.inspect(build.reference))["Size"]
    if size > limit:
        raise BuildError(
            BuildCode.BUILD_TOO_LARGE,
            f"the image takes {size} bytes and the limit is {limit}; use fewer or smaller packages and weights",
        )
    return size


async def _unpacked(package: Package) -> AsyncIterator[bytes]:
    """Stream the package's files as a tar, unpacked beside the loop while the engine takes them."""
    pieces = tar_pieces(package)
    while gathered := await asyncio.to_thread(_next, pieces):
        yield gathered


def _next(pieces: Iterator[bytes]) -> bytes:
    """About CHUNK_BYTES of the pieces: small files are many, and a thread for each would cost more than they do."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= CHUNK_BYTES:
            break
    return bytes(gathered)
