"""The registry, through the engine, whose credentials and TLS it uses: push, pull, and whether an image is there."""

import re
from contextlib import aclosing

import aiodocker

from shared.errors import PlatformFault

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


async def digest_of(docker: aiodocker.Docker, reference: str) -> str | None:
    """Digest of an image's manifest in the registry; None when it is not there."""
    try:
        answer = await docker._query_json(f"distribution/{reference}/json")
    except aiodocker.DockerError as error:
        if error.status == 404 or "manifest unknown" in error.message or "not found" in error.message:
            return None
        raise
    return str(answer["Descriptor"]["digest"])


async def push(docker: aiodocker.Docker, reference: str) -> str:
    """Push an image and return its digest; raises DockerError when the registry refuses a part of it."""
    digest = ""
    async with aclosing(docker.images.push(reference, stream=True)) as items:  # type: ignore[type-var]
        async for item in items:
            digest = (item.get("aux") or {}).get("Digest", digest)
    if not DIGEST.match(digest):
        digest = await digest_of(docker, reference) or ""
    if not DIGEST.match(digest):
        raise PlatformFault(f"the push of {reference} ended without a digest")
    return digest


async def present(docker: aiodocker.Docker, reference: str) -> bool:
    """Tell whether the engine has an image."""
    try:
        await docker.images.inspect(reference)
    except aiodocker.DockerError as error:
        if error.status == 404:
            return False
        raise
    return True


async def pull(docker: aiodocker.Docker, reference: str) -> bool:
    """Pull an image if the registry has it; False when it has not."""
    try:
        async with aclosing(docker.images.pull(reference, stream=True)) as items:  # type: ignore[type-var]
            async for _ in items:
                pass
    except aiodocker.DockerError as error:
        if error.status == 404 or "not found" in error.message or "manifest unknown" in error.message:
            return False
        raise
    return await present(docker, reference)


async def remove_image(docker: aiodocker.Docker, reference: str) -> None:
    """Take an image's name, and with the last name its layers, from the engine; one that is not there is fine."""
    try:
        await docker.images.delete(reference, force=True)
    except aiodocker.DockerError as error:
        if error.status not in (404, 409):
            raise
