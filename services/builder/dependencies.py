"""Dependency images: the installed requirements of every version that asks for exactly the same bytes.

Requirements are installed in a container that is thrown away; only /opt/venv goes from it, given to root, into a
fresh container of the pristine base. Whatever else a build script did cannot reach the image.
"""

import asyncio
import hashlib
from weakref import WeakValueDictionary

import structlog

from services.builder import registry
from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.container import BuildContainer, ContainerSpec, build_container
from services.builder.index import IndexAccess
from services.builder.lock import RECIPE, Lock, dependency_key
from services.builder.reasons import failure_of
from services.builder.resolve import LOCK, ONLY_WHEELS, Requirements, container_spec, give_input
from services.builder.venv_tar import VenvTar
from shared.codes import BuildCode

log = structlog.get_logger()

VENV = "/opt/venv"


class DependencyImages:
    """Makes and finds dependency images; the same one is made once even when two builds ask at the same time."""

    def __init__(self, registry_host: str, bases: Bases, access: IndexAccess) -> None:
        self._registry = registry_host
        self._bases = bases
        self._access = access
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
        reference = f"{self._registry}/clinai/deps:{key}"
        build.dependencies = reference
        making = self._locks.setdefault(key, asyncio.Lock())
        if making.locked():
            build.say("Another build is installing the same requirements; waiting for it")
        async with making:
            docker = build.parts.docker
            if await registry.present(docker, reference) or await self._pull(build, reference):
                build.say(f"These very requirements are installed already; using image deps:{key[:12]}")
                return reference
            await self._install(build, base, lock, requirements, reference)
            self._push_later(build, base, reference)
        return reference

    async def pushed(self, reference: str) -> None:
        """Wait for the image's own push, if one is under way: a model's push then finds its layer there."""
        if (task := self._pushes.get(reference)) is not None:
            await asyncio.wait([task])

    async def _pull(self, build: Build, reference: str) -> bool:
        try:
            return await registry.pull(build.parts.docker, reference)
        except Exception as error:
            log.info("dependency image not looked for in the registry", error=repr(error))
            return False

    def _push_later(self, build: Build, base: BaseImage, reference: str) -> None:
        """Send the image to other builders beside the build; a failure only costs them the work."""

        async def push() -> str:
            await self._bases.pushed(base)
            return await registry.push(build.parts.docker, reference)

        def done(task: asyncio.Task[str]) -> None:
            self._pushes.pop(reference, None)
            if not task.cancelled() and (error := task.exception()):
                log.warning("dependency image not pushed", image=reference, error=repr(error))

        task = self._pushes[reference] = asyncio.create_task(push(), name="push-dependencies")
        task.add_done_callback(done)

    async def _install(
        self, build: Build, base: BaseImage, lock: Lock, requirements: Requirements, reference: str
    ) -> None:
        image = base if lock.wheels_only else await self._bases.toolchain(base, build.say)
        spec = container_spec(build, image.id, _install_command(lock), self._access)
        async with build_container(build.parts.docker, spec) as installer:
            text = "".join(f"{option}\n" for option in requirements.options) + lock.text
            await give_input(build, installer, requirements, self._access, text.encode())
            ended = await installer.run(build.say, masked=self._access.masked)
            if ended.status != 0 or ended.out_of_disk:
                limits = build.parts.limits
                raise failure_of(
                    ended,
                    BuildCode.INSTALL_FAILED,
                    requirements.text,
                    memory_bytes=limits.build_memory_bytes,
                    disk_bytes=limits.image_bytes,
                )
            await self._keep_environment(build, base, installer, reference)

    async def _keep_environment(self, build: Build, base: BaseImage, installer: BuildContainer, reference: str) -> None:
        labels = {key: value for key, value in build.labels.items() if key in ("clinai.instance", "clinai.worker")}
        labels |= {"clinai.kind": "build"}  # nothing of this version: other tenants may come to use the image
        spec = still_spec(build, base.id, labels)
        tar = VenvTar(limit_bytes=build.parts.limits.image_bytes)
        async with build_container(build.parts.docker, spec) as fresh:
            try:
                await fresh.put(tar.clean(installer.get(VENV)), "/opt")
            except Exception:
                if tar.refused is not None:
                    raise tar.refused from None
                raise
            await fresh.commit(reference, {"clinai.kind": "image", "clinai.instance": labels["clinai.instance"]})
        build.say(f"Requirements take {tar.size_bytes / 1e6:.1f} MB")


def _install_command(lock: Lock) -> list[str]:
    """Make the environment and fill it from the lock, which is complete: nothing is resolved again."""
    if lock.empty:
        return ["uv", "venv", "--quiet", "--python", "/usr/local/bin/python", VENV]
    install = ["uv", "pip", "install", "--python", f"{VENV}/bin/python", "--no-deps"]
    install += ["--require-hashes"] if lock.hashed else []
    install += ONLY_WHEELS if lock.wheels_only else []
    script = f'uv venv --quiet --python /usr/local/bin/python {VENV} && exec "$@"'
    return ["/bin/sh", "-c", script, "install", *install, "-r", LOCK]


def still_spec(build: Build, image: str, labels: dict[str, str]) -> ContainerSpec:
    """Describe a container that never runs: files are put into it and it is committed."""
    return ContainerSpec(
        image=image,
        command=["true"],
        labels=labels,
        memory_bytes=64 * 1024 * 1024,
        cpus=0.1,
        processes=16,
        disk_bytes=build.parts.limits.image_bytes,
    )
