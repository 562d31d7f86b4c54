"""The lock of a version: what uv resolved, read strictly, and the name of the dependency image that it decides."""

import hashlib
import re
import tomllib
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from shared.codes import BuildCode
from shared.errors import BuildError

RECIPE = "deps-3"
"""Part of every dependency image's name; raise it when the way they are made changes."""

PINNED = re.compile(r"^[A-Za-z0-9._-]+==\S+( ;.*)?$")
COMMIT = re.compile(r"@[0-9a-f]{40}(#.*)?( ;.*)?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")
WHEEL = re.compile(r"\.whl(#.*)?( ;.*)?$")
DIGEST = re.compile(r"^[0-9a-f]{64}$")
GLIBC = re.compile(r"^manylinux_2_(\d+)_")


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an index that a lock names; whatever comes under its URL counts only with this hash."""

    requirement: str
    """`name==version`"""
    url: str
    filename: str
    sha256: str
    size: int | None
    """Bytes, where the index says it."""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Resolved requirements."""

    text: str
    hashed: bool
    """Every requirement carries hashes."""
    wheels_only: bool
    """Every requirement has a wheel, so that installing runs no code of a package."""
    wheels: tuple[Wheel, ...] = ()
    """The wheel of each requirement, where all come from an index."""

    @property
    def empty(self) -> bool:
        """Nothing is to be installed."""
        return not self.text.strip()


def read_lock(text: str, *, wheels_only: bool) -> Lock:
    """Read what `uv pip compile` wrote.

    Raises BuildError for a line that is neither pinned, nor a commit, nor a URL or file: a build script that writes
    into the resolver's output must not name what is installed.
    """
    entries = [entry for entry in _entries(text) if entry]
    hashed = True
    for requirement, *hashes in entries:
        if requirement.startswith("-") or not all(HASH.match(value) for value in hashes):
            raise BuildError(BuildCode.RESOLUTION_FAILED, f"the resolver wrote a line that is no pin: {requirement}")
        where = requirement.split(" @ ", 1)[-1]
        if not hashes:
            hashed = False
            if PINNED.match(requirement):
                raise BuildError(BuildCode.RESOLUTION_FAILED, f"the index gives no hash for {requirement}")
        if not PINNED.match(requirement) and not WHEEL.search(where):
            wheels_only = False
        if "git+" in where and not COMMIT.search(where):
            raise BuildError(BuildCode.RESOLUTION_FAILED, f"the resolver named no commit for {requirement}")
    lines = [" \\\n    ".join([requirement, *sorted(hashes)]) for requirement, *hashes in entries]
    return Lock(text="".join(f"{line}\n" for line in lines), hashed=hashed, wheels_only=wheels_only and hashed)


def read_pylock(text: str) -> Lock | None:
    """Read what `uv pip compile --format pylock.toml` (PEP 751) wrote; None when not all of it is wheels of an index.

    Of the wheels that fit, the lock names one for each requirement: the one closest to this Python and its C library.
    """
    try:
        wheels = [_wheel(entry) for entry in tomllib.loads(text).get("packages", [])]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return None
    found = sorted((wheel for wheel in wheels if wheel is not None), key=lambda wheel: wheel.requirement)
    if len(found) < len(wheels) or len({wheel.filename for wheel in found}) < len(found):
        return None
    lines = "".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in found)
    return msgspec.structs.replace(read_lock(lines, wheels_only=True), wheels=tuple(found))


def _wheel(entry: dict[str, Any]) -> Wheel | None:
    requirement = f"{entry['name']}=={entry['version']}"
    fit = []
    for listed in entry.get("wheels", []):
        url, sha256 = urlsplit(listed["url"]), listed["hashes"]["sha256"]
        filename = unquote(url.path).rpartition("/")[2]
        if url.scheme not in ("http", "https") or not DIGEST.match(sha256):
            return None
        wheel = Wheel(
            requirement=requirement, url=listed["url"], filename=filename, sha256=sha256, size=listed.get("size")
        )
        fit.append((_closeness(filename), filename, wheel))
    return max(fit)[2] if fit and PINNED.match(requirement) else None


def _closeness(filename: str) -> tuple[int, int, tuple[int, str] | tuple[()]]:
    """Rank wheels that all fit: compiled for one Python before the stable ABI before pure, then the newest glibc."""
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from None
    abi = max(0 if tag.abi == "none" else 1 if tag.abi == "abi3" else 2 for tag in tags)
    glibc = max(int(found[1]) if (found := GLIBC.match(tag.platform)) else 0 for tag in tags)
    return abi, glibc, build


def _entries(text: str) -> list[list[str]]:
    """Split into [requirement, hash, …]; comments are dropped."""
    joined = text.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        requirement, *hashes = re.split(r"\s+(?=--hash=)", line)
        found.append([requirement.strip(), *(value.strip() for value in hashes)] if requirement else [])
    return found


def dependency_key(
    lock: Lock, *, base_id: str, python: str, torch_backend: str, options: list[str], files: dict[str, str]
) -> str:
    """Name (40 hex digits) of everything that goes into a dependency image.

    `files` maps paths inside the package that requirements install to their SHA-256, `options` are the lines of
    requirements.txt that change how something is installed.
    """
    digest = hashlib.sha256()
    parts = [RECIPE, base_id, python, torch_backend, "wheels" if lock.wheels_only else "sources", lock.text]
    parts += [*options, *(f"{path}\0{sha256}" for path, sha256 in sorted(files.items()))]
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:40]
