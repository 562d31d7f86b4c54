"""Dependency images: the installed requirements of every version that asks for exactly the same bytes.

An image is looked for in the engine, then in the registry, and made (install.py) when neither has it; then it goes to
the registry beside the rest of the build.
"""

import asyncio
import hashlib
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import structlog

from services.builder import registry
from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.index import IndexAccess
from services.builder.install import Installer, Target
from services.builder.lock import RECIPE, Lock, Wheel, dependency_key
from services.builder.resolve import Requirements

log = structlog.get_logger()

REPOSITORY = "clinai/deps"
RECIPE_LABEL, WHEELS_LABEL = "clinai.deps.recipe", "clinai.deps.wheels"
LAYERS_MAX = 12
"""Layers above the base at most: engines stack about 125, and each costs every start of a container a little."""


class Ground(NamedTuple):
    """An image with some of the wheels that are wanted, and nothing else."""

    reference: str
    missing: tuple[Wheel, ...]
    """What it lacks."""


class DependencyImages:
    """Makes and finds dependency images; the same one is made once even when two builds ask at the same time."""

    def __init__(self, registry_host: str, bases: Bases, access: IndexAccess, installer: Installer) -> None:
        self._registry = registry_host
        self._bases = bases
        self._access = access
        self._installer = installer
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._pushes: dict[str, asyncio.Task[str]] = {}

    def recipe(self, base: BaseImage) -> str:
        """Name everything but the package that decides how its image is made: equal recipes give equal images."""
        parts = (RECIPE, base.id, base.python, self._access.torch_backend)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    async def ensure(self, build: Build, base: BaseImage, lock: Lock, requirements: Requirements) -> str:
        """Return the reference of an image with these requirements, present in the engine.

        Raises BuildError (INSTALL_FAILED, BUILD_TOO_LARGE).
        """
        key = dependency_key(
            lock,
            base_id=base.id,
            python=base.python,
            torch_backend=self._access.torch_backend,
            options=requirements.options,
            files=requirements.installed,
        )
        reference = f"{self._registry}/{REPOSITORY}:{key}"
        build.dependencies = reference
        making = self._locks.setdefault(key, asyncio.Lock())
        if making.locked():
            build.say("Another build is installing the same requirements; waiting for it")
        async with making:
            docker = build.parts.docker
            if await registry.present(docker, reference) or await self._pull(build, reference):
                build.say(f"These very requirements are installed already; using image deps:{key[:12]}")
                return reference
            await self._make(build, base, lock, requirements, reference)
        return reference

    async def pushed(self, reference: str) -> None:
        """Wait for the image's own push, if one is under way: a model's push then finds its layer there."""
        if (task := self._pushes.get(reference)) is not None:
            await asyncio.wait([task])

    async def settle(self) -> None:
        """Wait until nothing is being pushed any more."""
        if self._pushes:
            await asyncio.wait(list(self._pushes.values()))

    async def _pull(self, build: Build, reference: str) -> bool:
        try:
            return await registry.pull(build.parts.docker, reference)
        except Exception as error:
            log.info("dependency image not looked for in the registry", error=repr(error))
            return False

    async def _make(
        self, build: Build, base: BaseImage, lock: Lock, requirements: Requirements, reference: str
    ) -> None:
        labels = {"clinai.kind": "image", RECIPE_LABEL: self.recipe(base)}
        labels[WHEELS_LABEL] = " ".join(wheel.sha256 for wheel in lock.wheels)
        target = Target(reference=reference, base=base, lock=lock, labels=labels)
        if (ground := await self._ground(build, base, lock)) is not None:
            build.say(f"Most of it is installed already; adding {', '.join(w.requirement for w in ground.missing)}")
            target = Target(
                reference=reference,
                base=base,
                lock=lock,
                labels=labels,
                ground=ground.reference,
                missing=ground.missing,
            )
        await self._installer.make(build, target, requirements)
        self._push_later(build, base, reference, ground)

    async def _ground(self, build: Build, base: BaseImage, lock: Lock) -> Ground | None:
        """Find the image with most of the lock's wheels and no other, if that is more than what is then missing."""
        wanted = {wheel.sha256: wheel for wheel in lock.wheels}
        if not wanted:
            return None
        docker, best, best_bytes = build.parts.docker, None, sum(wheel.size or 0 for wheel in lock.wheels) // 2
        labels = [f"clinai.instance={build.labels['clinai.instance']}", f"{RECIPE_LABEL}={self.recipe(base)}"]
        for image in await docker.images.list(filters={"label": [*labels, "clinai.kind=image"]}):
            has = set(image["Labels"].get(WHEELS_LABEL, "").split())
            reference = self._named(image)
            if reference is None or not has or not has <= wanted.keys():
                continue
            bytes_ = sum(wanted[sha256].size or 0 for sha256 in has)
            if bytes_ > best_bytes and await self._has_room(build, base, image["Id"]):
                missing = tuple(wheel for sha256, wheel in wanted.items() if sha256 not in has)
                best, best_bytes = Ground(reference, missing), bytes_
        return best

    def _named(self, image: dict[str, Any]) -> str | None:
        """Name of a dependency image; None for a model's, which has the labels of the one below it."""
        names = image.get("RepoTags") or []
        return next((name for name in names if name.startswith(f"{self._registry}/{REPOSITORY}:")), None)

    async def _has_room(self, build: Build, base: BaseImage, image_id: str) -> bool:
        inspect = build.parts.docker.images.inspect
        above, below = await asyncio.gather(inspect(image_id), inspect(base.id))
        return len(above["RootFS"]["Layers"]) - len(below["RootFS"]["Layers"]) < LAYERS_MAX

    def _push_later(self, build: Build, base: BaseImage, reference: str, ground: Ground | None) -> None:
        """Send the image to other builders beside the build; a failure only costs them the work."""

        async def push() -> str:
            await self._bases.pushed(base)
            if ground is not None:
                await self.pushed(ground.reference)
            return await registry.push(build.parts.docker, reference)

        def done(task: asyncio.Task[str]) -> None:
            self._pushes.pop(reference, None)
            if not task.cancelled() and (error := task.exception()):
                log.warning("dependency image not pushed", image=reference, error=repr(error))

        task = self._pushes[reference] = asyncio.create_task(push(), name="push-dependencies")
        task.add_done_callback(done)
