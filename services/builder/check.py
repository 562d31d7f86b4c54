"""The package as the steps of a build use it: checked wholly, its requirement files in a folder."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import msgspec

from services.builder.build import Build
from services.builder.fetch import FetchedPackage
from services.builder.resolve import Requirements
from shared.package import Package, Rules, Stopped, extract
from shared.package import check_package as check
from shared.package.model import KeepOn, Weights
from shared.package.requirements import NAME
from shared.settings import Index, load


class CheckedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that may be built."""

    python: str
    """Version that runs it, such as `3.11`."""
    about: dict[str, Any]
    """What the version's page shows, plain JSON: `package_info`."""
    warnings: tuple[str, ...]
    requirements: Requirements
    weights: tuple[Weights, ...]
    """To be fetched and put below /app; their paths are free in the package."""
    content: Package
    """All files, proven, still packed: unpacked they would be written to this disk only to be read once more."""
    unpacked_bytes: int
    timeout_s: float | None
    memory_bytes: int | None
    isolation: str | None
    params: dict[str, Any]
    """Declared parameters with their defaults, for the smoke test."""


async def check_package(build: Build, fetched: FetchedPackage) -> CheckedPackage:
    """Judge the package by reading it, and lay out what its requirements need.

    Runs in a thread, which a cancellation stops between two pieces. Raises PackageError, and BuildError
    (RESOLUTION_FAILED) for a requirement that is no requirement.
    """
    parts, index = build.parts, load(Index)
    rules = Rules(limits=parts.limits, python=parts.engine.python, allowed_hosts=index.allowed_hosts)
    stop = threading.Event()

    def keep_on() -> None:
        if stop.is_set():
            raise Stopped

    work = asyncio.ensure_future(asyncio.to_thread(_check, fetched.path, build.folder, rules, keep_on))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])  # the thread must not write into a folder that is being removed
        work.exception()
        raise


def _check(path: Path, folder: Path, rules: Rules, keep_on: KeepOn) -> CheckedPackage:
    package = check(path, rules, keep_on=keep_on)
    return CheckedPackage(
        python=package.python,
        about=package.about,
        warnings=package.warnings,
        requirements=_lay_out(package, folder / "requirements", keep_on),
        weights=package.config.weights,
        content=package,
        unpacked_bytes=package.unpacked_bytes,
        timeout_s=package.config.timeout_s,
        memory_bytes=package.config.memory_bytes,
        isolation=package.config.isolation,
        params=package.default_params,
    )


def _lay_out(package: Package, folder: Path, keep_on: KeepOn) -> Requirements:
    """Write the requirement files, as they were read, and what they install below `folder`."""
    wanted = package.requirements
    binary = sorted({*wanted.installed, *wanted.found_in} - wanted.texts.keys())
    folder.mkdir()
    digests = extract(package, binary, folder, keep_on)
    for name, text in wanted.texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Requirements(
        text=wanted.texts[NAME],
        folder=folder,
        files=[*wanted.texts, *binary],
        installed=digests,
        options=list(wanted.options),
        needs_sources=wanted.needs_sources,
        names_hashes=any("--hash" in text for text in wanted.texts.values()),
    )
