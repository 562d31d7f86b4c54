"""Manifests, images and containers that no version or job refers to.

A model image is wanted while a READY version refers to its digest or its build is under way. A dependency image is
wanted while a wanted model image is built on it: its layers are the model image's first layers. Base and toolchain
images are never touched, nor is anything without this instance's label: registry and engine may serve others too.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import aiodocker

from shared.db import Row, load_queries
from shared.registry import Manifest, Registry, open_registry, split_reference
from shared.removal.found import Grace, Orphan
from shared.removal.images import REPOSITORY, image_digests, maker_of, names_in_use, remove_image, used
from shared.removal.parts import WithParts

_queries = load_queries("removal")

DEPENDENCIES = "clinai/deps"
CONTAINER_GRACE_S = 120.0
"""Containers are told apart by their epoch; the grace is only for one whose worker is removing it just now."""
_AT_WORK = ("QUEUED", "BUILDING")


class _Found(NamedTuple):
    repository: str
    manifest: Manifest
    created_at: datetime
    tags: list[str]


# -- registry ---------------------------------------------------------------------------------------------------------


async def find_in_registry(parts: WithParts, grace: Grace, problems: list[str]) -> list[Orphan]:
    """Manifests of this instance that nobody wants; READY versions without an image become `problems`."""
    async with open_registry(parts.engine.registry) as registry:
        found = [item async for item in _ours(registry, parts.instance.instance)]
    digests = {item.manifest.digest for item in found}
    in_use = await names_in_use(parts, digests)
    at_work = await _at_work(parts, {maker for item in found if (maker := maker_of(item.repository))})
    kept: list[_Found] = []
    loose: list[_Found] = []
    for item in found:
        maker = maker_of(item.repository)
        wanted = (item.repository, item.manifest.digest) in in_use or maker in at_work
        (kept if wanted else loose).append(item)
    chains = [tuple(layer.digest for layer in item.manifest.layers) for item in kept if maker_of(item.repository)]
    orphans = []
    kept_layers = {layer.digest for item in kept for layer in item.manifest.layers}
    for item in loose:
        layers = tuple(layer.digest for layer in item.manifest.layers)
        age_s = grace.age_s(item.created_at)
        is_base = item.repository == DEPENDENCIES and any(chain[: len(layers)] == layers for chain in chains)
        if is_base or not grace.over(age_s):
            kept_layers.update(layers)
            continue
        name = f"{item.repository}@{item.manifest.digest}"
        reason = f"no version uses it (tags: {', '.join(item.tags)})"
        orphans.append((item, Orphan(kind="manifest", name=name, bytes=0, age_s=age_s, reason=reason)))
    problems += await _without_image(parts, {(item.repository, item.manifest.digest) for item in found})
    return _weighed(orphans, kept_layers)


def _weighed(orphans: list[tuple[_Found, Orphan]], counted: set[str]) -> list[Orphan]:
    """Give each orphan the bytes of the layers that only orphans have, each layer counted once."""
    done = []
    for item, orphan in orphans:
        own = [layer for layer in item.manifest.layers if layer.digest not in counted]
        counted.update(layer.digest for layer in own)
        size = sum(layer.size for layer in own)
        done.append(Orphan(kind="manifest", name=orphan.name, bytes=size, age_s=orphan.age_s, reason=orphan.reason))
    return done


async def _ours(registry: Registry, instance: str) -> Any:
    async for repository in registry.repositories():
        if repository != DEPENDENCIES and maker_of(repository) is None:
            continue
        by_digest: dict[str, _Found] = {}
        for tag in await registry.tags(repository):
            manifest = await registry.manifest(repository, tag)
            if manifest is None or manifest.config is None:
                continue
            if manifest.digest in by_digest:
                by_digest[manifest.digest].tags.append(tag)
                continue
            about = await registry.configuration(repository, manifest.config)
            labels = (about.get("config") or {}).get("Labels") or {}
            if labels.get("clinai.instance") == instance:
                by_digest[manifest.digest] = _Found(repository, manifest, _time(about.get("created", "")), [tag])
        for found in by_digest.values():
            yield found


async def _without_image(parts: WithParts, known: set[tuple[str, str]]) -> list[str]:
    lost = []
    async for row in _queries.ready_images(parts.pool):
        repository = split_reference(row["docker_image"] or "", parts.engine.registry)
        if repository is not None and (repository, row["docker_image_digest"]) not in known:
            lost.append(f"version {row['id']}: READY, but its image is not in the registry; upload it again")
    return lost


async def delete_manifests(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    """Delete manifests that are still not wanted."""
    gone = []
    async with open_registry(parts.engine.registry) as registry:
        for orphan in some:
            repository, digest = orphan.name.split("@", 1)
            maker = maker_of(repository)
            if (repository, digest) in await names_in_use(parts, [digest]) or (
                maker and await _at_work(parts, [maker])
            ):
                continue
            if await registry.delete(repository, digest):
                gone.append(orphan)
    return gone


# -- engine -----------------------------------------------------------------------------------------------------------


async def find_in_engine(parts: WithParts, grace: Grace) -> list[Orphan]:
    """Images and containers of this instance on this host that nobody wants."""
    return await _containers(parts) + await _images(parts, grace)


async def _images(parts: WithParts, grace: Grace) -> list[Orphan]:
    label = {"label": [f"clinai.instance={parts.instance.instance}", "clinai.kind=image"]}
    images = await parts.docker.images.list(filters=label)
    in_use = await used(parts, {digest for image in images for digest in image_digests(image)})
    at_work = await _at_work(parts, {maker for image in images if (maker := _maker(image))})
    kept = {image["Id"] for image in images if image_digests(image) & in_use or _maker(image) in at_work}
    chains = [await _layers(parts.docker, image_id) for image_id in sorted(kept)]
    found = []
    for image in sorted(images, key=lambda image: _maker(image) is None):  # the engine wants children removed first
        if image["Id"] in kept:
            continue
        age_s = grace.age_s(datetime.fromtimestamp(image["Created"], tz=grace.zone))
        if not grace.over(age_s):
            continue
        if _maker(image) is None:
            layers = await _layers(parts.docker, image["Id"])
            if any(chain[: len(layers)] == layers for chain in chains):
                continue
        names = image.get("RepoTags") or image.get("RepoDigests") or ["without a name"]
        reason = f"no version uses it ({names[0].split('@')[0]})"
        found.append(Orphan(kind="image", name=image["Id"], bytes=image["Size"], age_s=age_s, reason=reason))
    return found


async def delete_images(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    """Remove images that are still not wanted; one that a container uses stays."""
    gone = []
    for orphan in some:
        try:
            image = await parts.docker.images.inspect(orphan.name)
        except aiodocker.DockerError as error:
            if error.status == 404:
                continue
            raise
        maker = _maker({"Labels": image["Config"]["Labels"]})
        if await used(parts, image_digests(image)) or (maker and await _at_work(parts, [maker])):
            continue
        if await remove_image(parts.docker, orphan.name):
            gone.append(orphan)
    return gone


async def _containers(parts: WithParts) -> list[Orphan]:
    label = json.dumps({"label": [f"clinai.instance={parts.instance.instance}"]})
    listed = await parts.docker.containers.list(all="1", filters=label)
    found = [
        (container, labels)
        for container in listed
        if (labels := container["Labels"]).get("clinai.kind") in ("sandbox", "build")
        and ("clinai.job" in labels or "clinai.version" in labels)
    ]
    wanted = await _holders(parts, [labels for _, labels in found])
    now = Grace(0)
    orphans = []
    for container, labels in found:
        age_s = now.age_s(datetime.fromtimestamp(container["Created"], tz=now.zone))
        if _holder(labels) in wanted or age_s < CONTAINER_GRACE_S:
            continue
        noun, id_, epoch = _holder(labels)
        reason = f"{labels['clinai.kind']} of {noun} {id_}, attempt {epoch}, which nobody works on"
        if noun == "worker":
            reason = f"loaded model that waits for runner {id_}, which is gone"
        orphans.append(Orphan(kind="container", name=container.id, bytes=0, age_s=age_s, reason=reason))
    return orphans


async def delete_containers(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    """Remove containers that still nobody works on."""
    gone = []
    for orphan in some:
        container = parts.docker.containers.container(orphan.name)
        try:
            labels = (await container.show())["Config"]["Labels"]
            if _holder(labels) not in await _holders(parts, [labels]):
                await container.delete(force=True, v=True)
                gone.append(orphan)
        except aiodocker.DockerError as error:
            if error.status not in (404, 409):  # gone, or being removed
                raise
    return gone


_Holder = tuple[str, UUID | str, int]


def _holder(labels: dict[str, str]) -> _Holder:
    if "clinai.tenant" in labels:  # a model that waits loaded for many jobs
        return "worker", labels.get("clinai.worker", ""), 0
    noun = "job" if "clinai.job" in labels else "version"
    return noun, UUID(labels[f"clinai.{noun}"]), int(labels.get("clinai.epoch", 0))


async def _holders(parts: WithParts, labels: list[dict[str, str]]) -> set[_Holder]:
    """Those (noun, id, epoch) that are being worked on, and workers that live."""
    named = {_holder(some) for some in labels}
    jobs = [id_ for noun, id_, _ in named if noun == "job"]
    workers = [id_ for noun, id_, _ in named if noun == "worker"]
    versions = [id_ for noun, id_, _ in named if noun == "version"]
    at_work: set[_Holder] = {
        ("job", row["id"], row["epoch"])
        async for row in _queries.jobs_by_id(parts.pool, ids=jobs)
        if row["status"] == "RUNNING"
    }
    at_work |= {
        ("version", row["id"], row["epoch"])
        async for row in _queries.versions_by_id(parts.pool, ids=versions)
        if row["status"] == "BUILDING"
    }
    at_work |= {("worker", row["id"], 0) async for row in _queries.live_workers(parts.pool, ids=workers)}
    return named & at_work


async def _at_work(parts: WithParts, makers: Iterable[UUID]) -> set[UUID | None]:
    """Those of the versions whose build is under way."""
    rows: list[Row] = [row async for row in _queries.versions_by_id(parts.pool, ids=list(makers))]
    return {row["id"] for row in rows if row["status"] in _AT_WORK}


def _maker(image: dict[str, Any]) -> UUID | None:
    """Id of the version that an engine's image was made for; None for a dependency image."""
    id_ = (image.get("Labels") or {}).get("clinai.version", "")
    return maker_of(REPOSITORY + id_) if id_ else None


async def _layers(docker: aiodocker.Docker, image: str) -> list[str]:
    layers: list[str] = (await docker.images.inspect(image))["RootFS"]["Layers"]
    return layers


def _time(text: str) -> datetime:
    """Time of an image's configuration (RFC 3339, with nanoseconds)."""
    return datetime.fromisoformat(text[:19] + "+00:00")
