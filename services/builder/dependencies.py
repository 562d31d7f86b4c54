"""Dependency images: the installed requirements of every version that asks for exactly the same bytes.

Where every requirement is a wheel, installing runs no code of a package: the container itself becomes the image, minus
what it was given. Where something is built from source, the container is thrown away; only /opt/venv goes from it,
given to root, into a fresh container of the pristine base, so that whatever else a build script did cannot reach the
image. Bytecode is compiled by the base's own interpreter, which reads no `.pth` file of what was installed.
"""

import asyncio
import hashlib
import shlex
from weakref import WeakValueDictionary

import msgspec
import structlog

from services.builder import registry
from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.container import BuildContainer, ContainerSpec, build_container
from services.builder.index import FOLDER, IndexAccess
from services.builder.lock import RECIPE, Lock, dependency_key
from services.builder.reasons import failure_of
from services.builder.resolve import LOCK, ONLY_WHEELS, PYTHON, Requirements, container_spec, give_input
from services.builder.venv_tar import VenvTar
from shared.codes import BuildCode

log = structlog.get_logger()

VENV = "/opt/venv"
VARIABLES = f"{FOLDER}/environment"
# The root of a sandbox is read-only: what is not compiled now would be compiled again at each start, and sources never
# change, so importing need not look at them. Test suites of packages are nobody's import, and a third of the work.
# A status above 128 is left to a container that was ended from outside: what a package kills in here is its own fault.
INSTALL = f"""set -e
. {VARIABLES}
uv venv --quiet --python {PYTHON} {VENV}
[ $# = 0 ] || "$@" || exit $(($? > 125 ? 125 : $?))
cd /
{PYTHON} -I -m compileall -q -q -j 0 -x '/tests/' --invalidation-mode unchecked-hash {VENV}/lib || true
find {FOLDER} /tmp -mindepth 1 -delete
"""


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
        if lock.wheels_only:
            await self._install_wheels(build, base, lock, requirements, reference)
        else:
            await self._build_sources(build, base, lock, requirements, reference)
        size = await _size(build, reference) - await _size(build, base.id)
        build.say(f"Requirements take {size / 1e6:.1f} MB")

    async def _install_wheels(
        self, build: Build, base: BaseImage, lock: Lock, requirements: Requirements, reference: str
    ) -> None:
        # The environment goes in as a file, since a committed image keeps its container's variables.
        spec = msgspec.structs.replace(
            container_spec(build, base.id, _install_command(lock), self._access),
            labels=_shared_labels(build),
            environment={},
        )
        async with build_container(build.parts.docker, spec, removals=build.removals) as installer:
            await self._run(build, installer, lock, requirements)
            await installer.commit(reference, {"clinai.kind": "image"})

    async def _build_sources(
        self, build: Build, base: BaseImage, lock: Lock, requirements: Requirements, reference: str
    ) -> None:
        toolchain = await self._bases.toolchain(base, build.say)
        spec = container_spec(build, toolchain.id, _install_command(lock), self._access)
        spec = msgspec.structs.replace(spec, environment={})
        async with build_container(build.parts.docker, spec, removals=build.removals) as installer:
            await self._run(build, installer, lock, requirements)
            await self._keep_environment(build, base, installer, reference)

    async def _run(self, build: Build, installer: BuildContainer, lock: Lock, requirements: Requirements) -> None:
        text = "".join(f"{option}\n" for option in requirements.options) + lock.text
        variables = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in self._access.environment.items())
        await give_input(build, installer, requirements, self._access, {LOCK: text, VARIABLES: variables})
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

    async def _keep_environment(self, build: Build, base: BaseImage, installer: BuildContainer, reference: str) -> None:
        spec = still_spec(build, base.id, _shared_labels(build))
        tar = VenvTar(limit_bytes=build.parts.limits.image_bytes)
        async with build_container(build.parts.docker, spec, removals=build.removals) as fresh:
            try:
                await fresh.put(tar.clean(installer.get(VENV)), "/opt")
            except Exception:
                if tar.refused is not None:
                    raise tar.refused from None
                raise
            await fresh.commit(reference, {"clinai.kind": "image"})


def _shared_labels(build: Build) -> dict[str, str]:
    """Labels of a container whose image other tenants may come to use: nothing of this version."""
    labels = {key: value for key, value in build.labels.items() if key in ("clinai.instance", "clinai.worker")}
    return {**labels, "clinai.kind": "build"}


async def _size(build: Build, image: str) -> int:
    size: int = (await build.parts.docker.images.inspect(image))["Size"]
    return size


def _install_command(lock: Lock) -> list[str]:
    """Make the environment and fill it from the lock, which is complete: nothing is resolved again."""
    install = ["uv", "pip", "install", "--python", f"{VENV}/bin/python", "--no-deps", "--no-compile"]
    install += ["--require-hashes"] if lock.hashed else []
    install += ONLY_WHEELS if lock.wheels_only else []
    return ["/bin/sh", "-c", INSTALL, "install", *([] if lock.empty else [*install, "-r", LOCK])]


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
