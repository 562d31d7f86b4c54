"""Resolve requirements with uv in a throwaway container: wheels first, sources only when something has no wheel."""

import asyncio
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import msgspec

from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.container import BuildContainer, ContainerSpec, Ended, build_container, file_chunks
from services.builder.index import CA_FILE, FOLDER, IndexAccess
from services.builder.lock import Lock, read_lock, read_pylock
from services.builder.network import NETWORK
from services.builder.reasons import PACKAGE, failure_of, needs_source_build
from shared.codes import BuildCode

LOCK = f"{PACKAGE}/.clinai-lock.txt"
BUILD_UID = 65533
PYTHON = "/usr/local/bin/python"
COMPILE = ["uv", "pip", "compile", "--no-header", "--no-annotate", "--python", PYTHON]
REQUIREMENTS = ["--generate-hashes"]
PYLOCK = ["--format", "pylock.toml"]
ONLY_WHEELS = ["--only-binary", ":all:"]
PROCESSES = 1024


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """What a package asks to be installed."""

    text: str
    """requirements.txt"""
    folder: Path
    """Folder on this host with requirements.txt and every file of the package that it names."""
    files: list[str]
    """Those files, by their path in the package."""
    installed: dict[str, str]
    """The files that requirements install, such as a wheel in the package: path → SHA-256."""
    options: list[str]
    """Lines of requirements.txt that are options."""
    needs_sources: bool
    """Some requirement is a git URL, or otherwise cannot be a wheel."""

    names_hashes: bool
    """Some requirement names the hashes it may have."""

    @property
    def empty(self) -> bool:
        """Nothing is asked for."""
        return all(not line.strip() or line.lstrip().startswith("#") for line in self.text.splitlines())


def container_spec(build: Build, image: str, command: list[str], access: IndexAccess) -> ContainerSpec:
    """Describe a container that reaches the index and nothing of the platform."""
    limits = build.parts.limits
    return ContainerSpec(
        image=image,
        command=command,
        labels=build.labels,
        environment=access.environment,
        network=NETWORK,
        workdir=PACKAGE,
        memory_bytes=limits.build_memory_bytes,
        cpus=limits.build_cpus,
        processes=PROCESSES,
        disk_bytes=limits.image_bytes,
    )


async def resolve(build: Build, bases: Bases, base: BaseImage, access: IndexAccess, requirements: Requirements) -> Lock:
    """Pin every requirement with its hashes. Raises BuildError (RESOLUTION_FAILED, BUILD_TOO_LARGE)."""
    if requirements.empty:
        return read_lock("", wheels_only=True)
    if not requirements.needs_sources:
        # uv names the files of a lock only in this format, which says too little of wheels that are no index's
        by_hand = requirements.installed or requirements.names_hashes
        formats = [REQUIREMENTS] if by_hand else [PYLOCK, REQUIREMENTS]
        for options in formats:
            ended = await _compile(build, base, access, requirements, [*options, *ONLY_WHEELS])
            if ended.status != 0:
                break
            text = ended.stdout.decode("utf-8", "replace")
            lock = read_pylock(text) if options is PYLOCK else read_lock(text, wheels_only=True)
            if lock is not None:
                return lock
        if not needs_source_build(ended):
            raise _failure(build, ended, requirements)
        build.say("Not everything has a wheel for this Python; resolving again with source packages allowed")
    toolchain = await bases.toolchain(base, build.say)
    ended = await _compile(build, toolchain, access, requirements, REQUIREMENTS)
    if ended.status != 0:
        raise _failure(build, ended, requirements)
    return read_lock(ended.stdout.decode("utf-8", "replace"), wheels_only=False)


async def _compile(
    build: Build,
    image: BaseImage,
    access: IndexAccess,
    requirements: Requirements,
    options: list[str],
) -> Ended:
    spec = container_spec(build, image.id, [*COMPILE, *options, "requirements.txt"], access)

    def on_line(line: str) -> None:
        # What a failed first pass says is no news: the second one decides.
        if not line.startswith(("hint:", "error:", "  cause:")):
            build.say(line)

    async with build_container(build.parts.docker, spec, removals=build.removals) as container:
        await give_input(build, container, requirements, access)
        return await container.run(on_line, masked=access.masked)


def _failure(build: Build, ended: Ended, requirements: Requirements) -> Exception:
    limits = build.parts.limits
    return failure_of(
        ended,
        BuildCode.RESOLUTION_FAILED,
        requirements.text,
        memory_bytes=limits.build_memory_bytes,
        disk_bytes=limits.image_bytes,
    )


async def give_input(
    build: Build,
    container: BuildContainer,
    requirements: Requirements,
    access: IndexAccess,
    more: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Put certificates, the requirement files and further texts, by absolute path, into a container."""
    path = build.folder / "input.tar"
    await asyncio.to_thread(_write_input, path, requirements, access, more)
    await container.put(file_chunks(path))
    path.unlink()


def _write_input(path: Path, requirements: Requirements, access: IndexAccess, more: Mapping[str, str]) -> None:
    with tarfile.open(path, mode="w") as tar:
        for folder in (FOLDER, PACKAGE):
            _add(tar, folder, None)
        if access.ca_bundle:
            _add(tar, CA_FILE, io.BytesIO(access.ca_bundle))
        folders = set()
        for name in sorted(requirements.files):
            for parent in reversed(Path(name).parents[:-1]):
                if parent not in folders:
                    folders.add(parent)
                    _add(tar, f"{PACKAGE}/{parent}", None)
            with (requirements.folder / name).open("rb") as file:
                _add(tar, f"{PACKAGE}/{name}", file)
        for name, text in more.items():
            _add(tar, name, io.BytesIO(text.encode()))


def _add(tar: tarfile.TarFile, path: str, file: BinaryIO | None) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.uid = info.gid = BUILD_UID
    info.mode = 0o755 if file is None else 0o644
    info.type = tarfile.DIRTYPE if file is None else tarfile.REGTYPE
    if file is not None:
        info.size = file.seek(0, io.SEEK_END)
        file.seek(0)
    tar.addfile(info, file)
