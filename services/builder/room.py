"""Room on the engine's disk: dependency images nobody uses, or that the registry can give back, go oldest first.

A dependency image is *unused* when no READY version was built on it and nothing was built on it for `keep_days`. When
less than `min_free_bytes` are left on the engine's disk, the builder removes unused ones without regard to their age,
then, least recently built first, the local copies of model images: the registry has them, and a runner pulls by digest.

`python -m services.builder.room [--days N] [--remove]` lists (and removes) what is unused.
"""

import argparse
import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import aiodocker
import msgspec
import structlog

from services.builder import registry
from shared import settings
from shared.db import Pool, load_queries, open_pool
from shared.engine import open_engine
from shared.settings import GIB, Engine, Group, Instance, load, load_env_file

log = structlog.get_logger()
_queries = load_queries("builds")

LOOK_EVERY_S = 300.0
NEVER = datetime.fromtimestamp(0, UTC)


class Room(Group, frozen=True, kw_only=True):
    """When images make room for others on the engine's disk."""

    prefix = "CLINAI_ROOM_"
    min_free_bytes: int = 10 * GIB
    """With less free on the engine's disk, images are removed; 0: never."""
    keep_days: float = 7.0
    """How long a dependency image that no READY version uses is kept for the next build."""


class LocalImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of ours in this engine."""

    reference: str
    bytes: int
    """Its size with all layers; less comes free when others share them."""
    last_built: datetime
    """When a build last ended that made or used it."""
    used: bool
    """A READY version was built on it."""


async def dependency_images(docker: aiodocker.Docker, pool: Pool, *, instance: str) -> list[LocalImage]:
    """Dependency images of this instance, least recently used first."""
    found = await _images(docker, [f"clinai.instance={instance}", "clinai.kind=image"], part="/clinai/deps:")
    rows = {
        row["reference"]: row
        async for row in _queries.dependency_use(pool, references=[reference for reference, *_ in found])
    }
    images = [
        LocalImage(
            reference=reference,
            bytes=size,
            last_built=max(created, row["last_built"] or NEVER) if (row := rows.get(reference)) else created,
            used=bool(row and row["used"]),
        )
        for reference, size, created in found
    ]
    return sorted(images, key=lambda image: image.last_built)


async def unused(docker: aiodocker.Docker, pool: Pool, *, instance: str, days: float) -> list[LocalImage]:
    """Dependency images that no READY version uses and no build has used for `days`."""
    before = datetime.now(UTC) - timedelta(days=days)
    images = await dependency_images(docker, pool, instance=instance)
    return [image for image in images if not image.used and image.last_built < before]


async def make_room(docker: aiodocker.Docker, pool: Pool, room: Room, *, instance: str, busy: Iterable[str]) -> int:
    """Remove images until enough is free; return how many went. `busy` are references that builds need now.

    Does nothing when the engine's disk cannot be seen from here (a remote engine).
    """
    if not await _short(docker, room):
        return 0
    keep, removed = set(busy), 0
    images = await dependency_images(docker, pool, instance=instance)
    candidates = [image.reference for image in images if not image.used]
    candidates += await _pushed_models(docker, pool, instance=instance)
    candidates += [image.reference for image in images if image.used]
    for reference in candidates:
        if reference in keep:
            continue
        await registry.remove_image(docker, reference)
        removed += 1
        if not await _short(docker, room):
            break
    free = await _free_bytes(docker)
    log.warning("the engine's disk is short; removed images", removed=removed, free_bytes=free)
    return removed


async def keep_room(
    docker: aiodocker.Docker, pool: Pool, room: Room, *, instance: str, busy: Callable[[], set[str]]
) -> None:
    """Every five minutes remove unused images past their time, and more when the disk is short; for ever."""
    while True:
        try:
            for image in await unused(docker, pool, instance=instance, days=room.keep_days):
                if image.reference not in busy():
                    await registry.remove_image(docker, image.reference)
                    log.info("removed an unused dependency image", image=image.reference, bytes=image.bytes)
            await make_room(docker, pool, room, instance=instance, busy=busy())
        except Exception as error:
            log.warning("room not made; trying again", error=repr(error))
        await asyncio.sleep(LOOK_EVERY_S)


async def _images(docker: aiodocker.Docker, labels: list[str], *, part: str) -> list[tuple[str, int, datetime]]:
    found = await docker.images.list(filters={"label": labels})
    return [
        (tag, image["Size"], datetime.fromtimestamp(image["Created"], UTC))
        for image in found
        for tag in image.get("RepoTags") or []
        if part in tag
    ]


async def _pushed_models(docker: aiodocker.Docker, pool: Pool, *, instance: str) -> list[str]:
    """Local model images that are in the registry for certain (their version is READY), oldest first."""
    found = await _images(docker, [f"clinai.instance={instance}", "clinai.version"], part="/clinai/model-")
    rows = _queries.images_in_use(pool, references=[reference for reference, *_ in found])
    ready = {row["docker_image"] async for row in rows}
    return [reference for reference, _, created in sorted(found, key=lambda item: item[2]) if reference in ready]


async def _short(docker: aiodocker.Docker, room: Room) -> bool:
    free = await _free_bytes(docker) if room.min_free_bytes > 0 else None
    return free is not None and free < room.min_free_bytes


async def _free_bytes(docker: aiodocker.Docker) -> int | None:
    """Free bytes on the engine's disk; None when it is not one of this host."""
    info = await docker.system.info()
    if info.get("Name") != os.uname().nodename:
        return None
    try:
        return (await asyncio.to_thread(shutil.disk_usage, info["DockerRootDir"])).free
    except OSError:
        return None


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m services.builder.room", description=__doc__)
    parser.add_argument("--days", type=float, default=load(Room).keep_days, help="not used for so long (%(default)s)")
    parser.add_argument("--remove", action="store_true", help="remove them; without it they are listed")
    args = parser.parse_args()
    load_env_file()
    pool = await open_pool(load(settings.Database))
    async with open_engine(load(Engine)) as docker:
        images = await unused(docker, pool, instance=load(Instance).instance, days=args.days)
        for image in images:
            if args.remove:
                await registry.remove_image(docker, image.reference)
            print(f"{'removed' if args.remove else 'unused'}  {image.bytes / 1e6:8.1f} MB  {image.reference}")
    await pool.close()
    print(f"{len(images)} unused dependency images" + ("" if args.remove or not images else "; --remove removes them"))


if __name__ == "__main__":
    asyncio.run(_main())
