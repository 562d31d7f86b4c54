"""The image of the very same package, built before by the same recipe: it gets one more name instead of a build."""

import hashlib

import msgspec
import structlog

from services.builder.base_image import BaseImage
from services.builder.build import Build
from services.builder.fetch import FetchedPackage
from shared.db import load_queries
from shared.errors import PlatformFault
from shared.registry import open_registry, split_reference
from shared.sandbox.engine import harness_command
from shared.service import Parts

log = structlog.get_logger()
_queries = load_queries("builds")

LIMITS = ("memory_bytes", "memory_bytes_max", "job_s", "job_s_max", "cpus", "processes", "tmp_bytes", "image_bytes")
"""What a smoke test may use, and so what its outcome depends on."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed image, and the lock it was made from."""

    reference: str
    digest: str
    size: int
    lock: str


def recipe(parts: Parts, base: BaseImage, *, dependencies: str) -> str:
    """Name everything but the package that decides the image and the outcome of its smoke test.

    `dependencies` names how dependency images are made. Two builds of one package by one recipe give the same.
    """
    what = [base.id, dependencies, *harness_command(), parts.engine.sandbox_runtime]
    what += [repr(getattr(parts.limits, name)) for name in LIMITS]
    return hashlib.sha256("\0".join(what).encode()).hexdigest()[:16]


async def built_before(build: Build, fetched: FetchedPackage, by: str) -> Image | None:
    """Find the image of this package made by the recipe `by`, name it after this version, and note its smoke test.

    The layers stay where they are in the registry; nothing is pulled or pushed. Nothing of the version it was made for
    is told, neither whose it is nor its log: whoever has the same bytes has a right to the same image.
    """
    row = await _queries.find_built(
        build.parts.pool, owner_id=build.claim.owner_id, package_sha256=fetched.sha256, recipe=by
    )
    if row is None or not await _named_again(build, row["docker_image"], row["docker_image_digest"]):
        return None
    build.about = {
        **(build.about or {}),
        **{name: row[name] for name in ("dependency_image", "sandbox", "wheels_only")},
    }
    whose = "You have built this very package before; its" if row["own"] else "This very package is known; its"
    build.say(f"{whose} image is used again")
    return Image(
        reference=build.reference, digest=row["docker_image_digest"], size=row["image_bytes"], lock=row["lock"]
    )


async def _named_again(build: Build, reference: str, digest: str) -> bool:
    host = build.parts.engine.registry
    source, target = (split_reference(name, host) for name in (reference, build.reference))
    if source is None or target is None:
        return False
    try:
        async with open_registry(host) as registry:
            return await registry.copy(source, digest, target, build.reference.rpartition(":")[2])
    except PlatformFault as fault:  # it is built anew, and the push has its own say
        log.warning("an image is not used again", image=reference, error=fault.message)
        return False
