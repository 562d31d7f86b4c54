"""The model's image on this host: by digest, pulled when it is missing."""

import asyncio
import time
from uuid import UUID

import aiodocker
import structlog
from aiodocker.exceptions import DockerError

from shared.codes import JobCode
from shared.db import Row, load_queries
from shared.errors import JobError, PlatformFault
from shared.service import Parts

log = structlog.get_logger()
_queries = load_queries("runs")

PULL_TIMEOUT_S = 600.0
KNOWN_S = 60.0
"""How long an image that was seen is taken to be there; when a sandbox does not start, `forget` has it looked at."""
_pulls: dict[str, asyncio.Lock] = {}
_known: dict[str, float] = {}


async def image_to_run(parts: Parts, version_id: UUID) -> tuple[Row, str]:
    """Return a version's row and the reference of its image, present on this host.

    Raises JobError (PLATFORM_ERROR) when the version has none any more, PlatformFault as `ensure_image`.
    """
    version: Row | None = await _queries.version_to_run(parts.pool, id=version_id)
    if version is None or not version["docker_image_digest"]:
        raise JobError(JobCode.PLATFORM_ERROR, "the version has no image any more; build it again")
    return version, await ensure_image(parts.docker, version)


async def ensure_image(docker: aiodocker.Docker, version: Row) -> str:
    """Return the reference `<repository>@<digest>` of the version's image, present on this host.

    Several jobs of one version pull it once. Raises PlatformFault when the registry does not give it.
    """
    repository = version["docker_image"].rsplit(":", 1)[0]
    reference = f"{repository}@{version['docker_image_digest']}"
    if time.monotonic() < _known.get(reference, 0.0):
        return reference
    if await _present(docker, reference):
        return _remember(reference)
    lock = _pulls.setdefault(reference, asyncio.Lock())
    try:
        async with lock:
            if not await _present(docker, reference):
                log.info("pulling image", image=reference)
                async with asyncio.timeout(PULL_TIMEOUT_S):
                    await docker.images.pull(reference)
    except (DockerError, OSError, TimeoutError) as error:
        raise PlatformFault(f"image {reference} cannot be pulled: {error}") from error
    finally:
        if not lock.locked():
            _pulls.pop(reference, None)
    return _remember(reference)


def forget(reference: str) -> None:
    """Look again next time: something went wrong with this image."""
    _known.pop(reference, None)


def _remember(reference: str) -> str:
    now = time.monotonic()
    for other in [other for other, until in _known.items() if until < now]:
        del _known[other]
    _known[reference] = now + KNOWN_S
    return reference


async def _present(docker: aiodocker.Docker, reference: str) -> bool:
    try:
        await docker.images.inspect(reference)
    except DockerError as error:
        if error.status == 404:
            return False
        raise PlatformFault(f"the container engine answers {error.status}: {error.message}") from error
    except OSError as error:
        raise PlatformFault(f"the container engine does not answer: {error}") from error
    return True
