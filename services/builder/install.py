"""Make the image of one dependency set.

Where every requirement is a wheel of the index, the builder brings the wheels (wheels.py), the container that installs
them has no network, and installing runs no code of a package: the container itself becomes the image, minus what it was
given. When an image with most of these wheels is there, only the others are installed, in a container of the base, and
their files go on top of it as one more layer. Where something is built from source, the container is thrown away; only
/opt/venv goes from it, given to root, into a fresh container of the pristine base, so that whatever else a build script
did cannot reach the image. Bytecode is compiled by the base's own interpreter, which reads no `.pth` file of what was
installed.
"""

import shlex
import tarfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path, PurePosixPath

import msgspec
import structlog

from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.container import BuildContainer, ContainerSpec, build_container, file_chunks
from services.builder.index import FOLDER, OFFLINE, WHEELS, IndexAccess
from services.builder.lock import Lock, Wheel
from services.builder.reasons import failure_of
from services.builder.resolve import BUILD_UID, LOCK, ONLY_WHEELS, PYTHON, Requirements, container_spec, give_input
from services.builder.venv_tar import BLOCK, VenvTar
from services.builder.wheels import WheelsAway, WheelStore
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
GIVEN = ["--offline", "--no-index", "--find-links", WHEELS]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The image to be made."""

    reference: str
    base: BaseImage
    lock: Lock
    labels: dict[str, str]
    ground: str | None = None
    """An image that has some of the lock's wheels, and nothing else: the others go on top of it."""
    missing: tuple[Wheel, ...] = ()
    """Those others."""


class Installer:
    """Makes dependency images; holds only what all builds share."""

    def __init__(self, bases: Bases, access: IndexAccess, wheels: WheelStore) -> None:
        self._bases = bases
        self._access = access
        self._wheels = wheels

    async def make(self, build: Build, target: Target, requirements: Requirements) -> None:
        """Commit the target's image. Raises BuildError (INSTALL_FAILED, BUILD_TOO_LARGE)."""
        lock = target.lock
        if lock.wheels and await self._gathered(build, target):
            await self._install_given(build, target, requirements)
        elif lock.wheels_only:
            await self._install_wheels(build, target, requirements)
        else:
            await self._build_sources(build, target, requirements)
        size = await _size(build, target.reference) - await _size(build, target.base.id)
        build.say(f"Requirements take {size / 1e6:.1f} MB")

    # -- wheels that the builder brings ---------------------------------------------------------------------------

    async def _gathered(self, build: Build, target: Target) -> bool:
        """Bring the wheels to this build's folder; False when the container must get them itself."""
        wanted = target.missing or target.lock.wheels
        if sum(wheel.size or 0 for wheel in wanted) > build.parts.limits.image_bytes:
            return False  # it will meet its limit, and say so
        try:
            await self._wheels.gather(wanted, build.folder / "wheels", build.say)
        except WheelsAway as error:
            log.warning("wheels not fetched here; the build fetches them", error=self._access.masked(str(error)))
            return False
        return True

    async def _install_given(self, build: Build, target: Target, requirements: Requirements) -> None:
        wanted = target.missing or target.lock.wheels
        files = [build.folder / "wheels" / wheel.filename for wheel in wanted]
        text = "".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in wanted)
        spec = container_spec(build, target.base.id, _install_command(target.lock, GIVEN), OFFLINE)
        spec = msgspec.structs.replace(
            spec,
            network="none",
            labels=_shared_labels(build),
            environment={},
            disk_bytes=spec.disk_bytes + sum(file.stat().st_size for file in files),
        )
        async with build_container(build.parts.docker, spec, removals=build.removals) as installer:
            await installer.put(_tar(files), FOLDER)
            await self._run(build, installer, text, requirements, OFFLINE)
            if target.ground is None:
                await installer.commit(target.reference, target.labels)
            else:
                await self._keep_environment(build, target, installer, target.ground)

    # -- the container fetches ------------------------------------------------------------------------------------

    async def _install_wheels(self, build: Build, target: Target, requirements: Requirements) -> None:
        # The environment goes in as a file, since a committed image keeps its container's variables.
        spec = container_spec(build, target.base.id, _install_command(target.lock), self._access)
        spec = msgspec.structs.replace(spec, labels=_shared_labels(build), environment={})
        async with build_container(build.parts.docker, spec, removals=build.removals) as installer:
            await self._run(build, installer, _text(target.lock, requirements), requirements, self._access)
            await installer.commit(target.reference, target.labels)

    async def _build_sources(self, build: Build, target: Target, requirements: Requirements) -> None:
        toolchain = await self._bases.toolchain(target.base, build.say)
        spec = container_spec(build, toolchain.id, _install_command(target.lock), self._access)
        spec = msgspec.structs.replace(spec, environment={})
        async with build_container(build.parts.docker, spec, removals=build.removals) as installer:
            await self._run(build, installer, _text(target.lock, requirements), requirements, self._access)
            await self._keep_environment(build, target, installer, target.base.id)

    async def _run(
        self, build: Build, installer: BuildContainer, text: str, requirements: Requirements, access: IndexAccess
    ) -> None:
        variables = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in access.environment.items())
        await give_input(build, installer, requirements, access, {LOCK: text, VARIABLES: variables})
        ended = await installer.run(build.say, masked=access.masked)
        if ended.status != 0 or ended.out_of_disk:
            limits = build.parts.limits
            raise failure_of(
                ended,
                BuildCode.INSTALL_FAILED,
                requirements.text,
                memory_bytes=limits.build_memory_bytes,
                disk_bytes=limits.image_bytes,
            )

    async def _keep_environment(self, build: Build, target: Target, installer: BuildContainer, onto: str) -> None:
        """Commit /opt/venv of a container, and nothing else of it, on top of an image that no code has run in."""
        spec = still_spec(build, onto, _shared_labels(build))
        tar = VenvTar(limit_bytes=build.parts.limits.image_bytes)
        async with build_container(build.parts.docker, spec, removals=build.removals) as fresh:
            try:
                await fresh.put(tar.clean(installer.get(VENV)), "/opt")
            except Exception:
                if tar.refused is not None:
                    raise tar.refused from None
                raise
            await fresh.commit(target.reference, target.labels)


def _shared_labels(build: Build) -> dict[str, str]:
    """Labels of a container whose image other tenants may come to use: nothing of this version."""
    labels = {key: value for key, value in build.labels.items() if key in ("clinai.instance", "clinai.worker")}
    return {**labels, "clinai.kind": "build"}


async def _size(build: Build, image: str) -> int:
    size: int = (await build.parts.docker.images.inspect(image))["Size"]
    return size


def _text(lock: Lock, requirements: Requirements) -> str:
    return "".join(f"{option}\n" for option in requirements.options) + lock.text


def _install_command(lock: Lock, options: Iterable[str] = ()) -> list[str]:
    """Make the environment and fill it from the lock, which is complete: nothing is resolved again."""
    install = ["uv", "pip", "install", "--python", f"{VENV}/bin/python", "--no-deps", "--no-compile", *options]
    install += ["--require-hashes"] if lock.hashed else []
    install += ONLY_WHEELS if lock.wheels_only else []
    return ["/bin/sh", "-c", INSTALL, "install", *([] if lock.empty else [*install, "-r", LOCK])]


async def _tar(files: Iterable[Path]) -> AsyncIterator[bytes]:
    """Stream files as a tar with one folder for them, without writing it to the disk first."""
    folder = PurePosixPath(WHEELS).name
    yield _header(folder, None)
    for file in files:
        size = file.stat().st_size
        yield _header(f"{folder}/{file.name}", size)
        async for chunk in file_chunks(file):
            yield chunk
        yield bytes(-size % BLOCK)
    yield bytes(2 * BLOCK)


def _header(name: str, size: int | None) -> bytes:
    info = tarfile.TarInfo(name)
    info.uid = info.gid = BUILD_UID
    info.type, info.mode = (tarfile.DIRTYPE, 0o755) if size is None else (tarfile.REGTYPE, 0o644)
    info.size = size or 0
    return info.tobuf(tarfile.PAX_FORMAT)


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
