"""What is known of a package, and the rules it is judged by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from shared.codes import PackageCode
from shared.errors import PackageError
from shared.settings import Engine, Index, Limits, load

SHOWN_CHARS = 120

KeepOn = Callable[[], None]
"""Called between pieces of work that take long; raises Stopped to end them."""


class Stopped(Exception):
    """The check was told to stop; nothing is known of the package."""


def keep_on() -> None:
    """Never stop."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows."""

    limits: Limits
    python: str = "3.11"
    """Python of packages that do not ask for another."""
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts, lower-cased, that requirements may name as index, or reach without being public."""

    @classmethod
    def load(cls) -> "Rules":
        """Take the rules from the environment (`CLINAI_…`)."""
        return cls(limits=load(Limits), python=load(Engine).python, allowed_hosts=load(Index).allowed_hosts)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file or folder as the central directory has it; nothing here is proven before the entry is unpacked."""

    name: str
    """Path in the package, without the slash that ends a folder's name."""
    folder: bool
    size: int
    compressed: int
    method: int
    crc: int
    mode: int
    """Unix mode with its type bits; 0 where the ZIP has none."""
    header: int
    """Offset of the local header in the file."""


class Weights(msgspec.Struct, frozen=True):
    """Weights that the builder fetches, since a running model has no network."""

    path: str
    url: str
    sha256: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """clinai.toml; None where it says nothing."""

    python: str | None = None
    timeout_s: float | None = None
    memory_bytes: int | None = None
    isolation: str | None = None
    parameters: dict[str, dict[str, Any]] = {}
    weights: tuple[Weights, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What reading predict.py tells."""

    accepts_params: bool | None
    """Whether run() takes a third parameter; None where reading cannot tell."""
    has_setup: bool
    warnings: tuple[str, ...] = ()


class RequirementFiles(msgspec.Struct, frozen=True, kw_only=True):
    """requirements.txt and what it needs from the package, written anew so that uv reads exactly what was judged."""

    texts: dict[str, str]
    """Requirement and constraint files by path; lines keep their numbers."""
    installed: tuple[str, ...]
    """Files of the package that get installed: wheels, source archives, every file of a local project."""
    found_in: tuple[str, ...]
    """Files that `--find-links` offers."""
    options: tuple[str, ...]
    """Lines that change how things are installed."""
    needs_sources: bool
    """Something cannot be a wheel: a git URL, a source archive, a local project, `--no-binary`."""
    warnings: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package that may be built; its contents are proven once `write_tar` or `verify` has read them all."""

    path: Path
    files: dict[str, Entry]
    folders: tuple[str, ...]
    python: str
    config: Config
    source: Source
    requirements: RequirementFiles
    readme: str | None
    warnings: tuple[str, ...]
    unpacked_bytes: int

    @property
    def about(self) -> dict[str, Any]:
        """What the version's page shows (`package_info`); plain JSON."""
        config = self.config
        return {
            "python": self.python,
            "timeout_s": config.timeout_s,
            "memory_bytes": config.memory_bytes,
            "isolation": config.isolation,
            "parameters": config.parameters,
            "weights": [{"path": weights.path, "url": weights.url} for weights in config.weights],
            "entries": len(self.files),
            "unpacked_bytes": self.unpacked_bytes,
            "accepts_params": self.source.accepts_params,
            "has_setup": self.source.has_setup,
            "warnings": list(self.warnings),
            "readme": self.readme,
        }

    @property
    def default_params(self) -> dict[str, Any]:
        """The declared parameters with their defaults, as the smoke test gives them."""
        return {name: parameter["default"] for name, parameter in self.config.parameters.items()}


def fault(code: PackageCode, message: str) -> PackageError:
    """Return a PackageError; its message must name what, where and what to do."""
    return PackageError(code, message)


def shown(text: str, limit: int = SHOWN_CHARS) -> str:
    """Make foreign text fit for a message: printable, and bounded (its middle is cut)."""
    clean = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: limit * 4])
    if len(text) <= limit * 4 and len(clean) <= limit:
        return clean
    return f"{clean[: limit - 1]}…"


def some(names: list[str], limit: int = 3) -> str:
    """List the first few of many names."""
    text = ", ".join(shown(name, 80) for name in names[:limit])
    return f"{text} and {len(names) - limit} more" if len(names) > limit else text


def amount(size: int) -> str:
    """`2 GiB`, `1.5 MiB`, `999 bytes`."""
    for name, unit in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} byte{'' if size == 1 else 's'}"


def said(value: object, limit: int = SHOWN_CHARS) -> str:
    """Show a foreign value in a message; one that Python will not print is called huge."""
    try:
        return shown(repr(value), limit)
    except ValueError:  # an int with more digits than Python prints
        return "a huge number"
