"""Wheels of the index, kept on this host under their hash for every later build (docs/decisions/0013-wheels.md).

Only the builder writes here. It fetches what a lock names by URL and hash, runs and unpacks none of it, and hands a
build copies; the hash is compared each time a wheel leaves, so a file that was changed on the disk is fetched anew.
"""

import asyncio
import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # public, but not in the stubs
from weakref import WeakValueDictionary

import aiohttp
import msgspec
import structlog
from yarl import URL

from services.builder.lock import Wheel
from shared.settings import GIB, MIB, Group, Index

log = structlog.get_logger()

AT_ONCE = 8
CONNECT_S, STALL_S = 10.0, 30.0
PRUNE_TO = 0.9
"""Share of the limit that is left after old wheels were removed, so that not every build has to remove some."""
PORTS = {"http": 80, "https": 443}


class Wheels(Group, frozen=True, kw_only=True):
    """Wheels kept for later builds."""

    prefix: ClassVar[str] = "CLINAI_WHEELS_"
    max_bytes: int = 10 * GIB
    """What the kept wheels may take together; those used least recently go first. 0: none is kept."""


class WheelsAway(Exception):
    """A wheel cannot be had from here; why is in the message."""


class WheelStore:
    """The kept wheels of this host; methods may be called by several builds at once.

    Several builders may share `folder`: a wheel appears there whole, and what one removes is a name only.
    """

    def __init__(self, folder: Path, limits: Wheels, index: Index, ca_bundle: bytes) -> None:
        self._folder = folder
        self._max_bytes = limits.max_bytes
        self._index = index
        self._logins = _logins(index)
        self._tls = ssl.create_default_context(cadata=ca_bundle.decode("ascii", "ignore") or None)
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._pruning = asyncio.Lock()

    async def gather(self, wheels: Sequence[Wheel], folder: Path, say: Callable[[str], None]) -> None:
        """Put the wheels into `folder` under their own names, each with its hash; fetch those that are not kept.

        Downloads run side by side, and the same wheel is fetched once however many builds ask. Raises WheelsAway.
        """
        await asyncio.to_thread(folder.mkdir)
        async with _Downloads(self._tls) as downloads:
            tasks = [asyncio.create_task(self._put(wheel, folder, downloads, say)) for wheel in wheels]
            try:
                fetched = sum(await asyncio.gather(*tasks))
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
        if len(wheels) > fetched:
            say(f"{len(wheels) - fetched} of {len(wheels)} wheels are here already")
        if fetched and self._max_bytes:
            async with self._pruning:
                await asyncio.to_thread(_prune, self._folder, self._max_bytes)

    async def _put(self, wheel: Wheel, folder: Path, downloads: "_Downloads", say: Callable[[str], None]) -> bool:
        """Put one wheel into the folder; True when it had to be fetched."""
        target, kept = folder / wheel.filename, self._folder / wheel.sha256
        async with self._fetching.setdefault(wheel.sha256, asyncio.Lock()):
            if await asyncio.to_thread(_take, kept, target, wheel.sha256):
                return False
            async with self._slots:
                size = f" ({wheel.size / 1e6:.1f} MB)" if wheel.size else ""
                say(f"Downloading {wheel.filename}{size}")
                await downloads.fetch(wheel, target, proxy=self._proxy(wheel.url), login=self._login(wheel.url))
            if self._max_bytes:
                await asyncio.to_thread(_keep, target, kept)
        return True

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        if proxy_bypass_environment(parts.netloc.rpartition("@")[2], {"no": self._index.no_proxy}):
            return None
        return (self._index.https_proxy if parts.scheme == "https" else self._index.http_proxy) or None

    def _login(self, url: str) -> str | None:
        return self._logins.get(_origin(url))


class _Downloads:
    """One session for the downloads of a build, opened when the first of them needs it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "_Downloads":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, wheel: Wheel, target: Path, *, proxy: str | None, login: str | None) -> None:
        """Stream a wheel into a file. Raises WheelsAway, also when what comes is not what the lock names."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=STALL_S),
                auto_decompress=False,
            )
        digest, size = hashlib.sha256(), 0
        headers = {"Authorization": login} if login else {}  # not sent on to where another host redirects
        try:
            async with self._session.get(URL(wheel.url, encoded=True), proxy=proxy, headers=headers) as answer:
                if answer.status != 200:
                    raise WheelsAway(f"{wheel.filename}: the index answers {answer.status}")
                with target.open("wb") as out:
                    async for chunk in answer.content.iter_chunked(MIB):
                        size += len(chunk)
                        if wheel.size is not None and size > wheel.size:
                            break
                        await asyncio.to_thread(_write, out.write, digest.update, chunk)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise WheelsAway(f"{wheel.filename}: {error or type(error).__name__}") from error
        if digest.hexdigest() != wheel.sha256:
            raise WheelsAway(f"{wheel.filename}: what the index sends has not the hash that it names")


def _write(write: Callable[[bytes], object], update: Callable[[bytes], object], chunk: bytes) -> None:
    write(chunk)
    update(chunk)


def _take(kept: Path, target: Path, sha256: str) -> bool:
    """Give a kept wheel out as `target` if it is there and whole; one that is not is removed."""
    try:
        _link(kept, target)
    except FileNotFoundError:
        return False
    with target.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    if whole:
        with suppress(FileNotFoundError):  # removed to make room since
            os.utime(kept)
        return True
    log.warning("a kept wheel was not what it should be; it is fetched anew", wheel=kept.name)
    target.unlink()
    kept.unlink(missing_ok=True)
    return False


def _keep(fetched: Path, kept: Path) -> None:
    """Keep a wheel that was just proven; a disk without room only costs the next build a download."""
    made = kept.with_name(f".{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        _link(fetched, made)
        made.chmod(0o400)
        made.replace(kept)
    except OSError as error:
        log.warning("a wheel could not be kept", wheel=kept.name, error=str(error))
        with suppress(OSError):
            made.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; where the two folders are on different disks, a copy."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


class _Kept(msgspec.Struct, order=True):
    used: float
    bytes: int
    path: str


def _prune(folder: Path, max_bytes: int) -> None:
    """Remove wheels, least recently used first, once they take more than the limit."""
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                seen = entry.stat()
                found.append(_Kept(seen.st_mtime, seen.st_size, entry.path))
    left = sum(kept.bytes for kept in found)
    if left <= max_bytes:
        return
    for kept in sorted(found):
        Path(kept.path).unlink(missing_ok=True)
        left -= kept.bytes
        if left <= max_bytes * PRUNE_TO:
            break
    log.info("removed wheels that were not used for long", left_bytes=left)


def _logins(index: Index) -> dict[tuple[str, str, int], str]:
    """The Authorization header for each origin that the index settings name one for, as uv uses them."""
    found = {}
    for place in f"{index.index_url} {index.extra_index_url} {index.find_links}".replace(",", " ").split():
        parts = urlsplit(place)
        if parts.hostname and parts.username is not None:
            url = URL(place)
            found[_origin(place)] = aiohttp.encode_basic_auth(url.user or "", url.password or "")
    return found


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)
