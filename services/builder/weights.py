"""Weights that clinai.toml names by URL and SHA-256: fetched here, since a running model has no network.

An owner must not make the builder read what only this host can reach: https only, and every address a name resolves
to is checked at the moment of connecting, redirects included.
"""

import asyncio
import errno
import hashlib
import ipaddress
import socket
import ssl
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.builder.build import Build
from shared.codes import BuildCode
from shared.errors import BuildError
from shared.settings import MIB

REDIRECTS = 5
CONNECT_S, STALL_S = 15.0, 60.0
SAID_EVERY_BYTES = 64 * MIB


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, unless the operator allows the host."""

    def __init__(self, allowed_hosts: frozenset[str]) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allowed = allowed_hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if host.lower() not in self._allowed:
            found = [item for item in found if ipaddress.ip_address(item["host"]).is_global]
            if not found:
                raise OSError(errno.EACCES, f"{host} is no public address")  # aiohttp shows what errno goes with
        return found

    async def close(self) -> None:
        await self._inner.close()


class Weights(Protocol):
    """One entry of [[weights]] in clinai.toml."""

    @property
    def path(self) -> str:
        """Where it goes, relative to predict.py."""

    @property
    def url(self) -> str:
        """Where it comes from."""

    @property
    def sha256(self) -> str:
        """What it must be, in hex."""


class WeightsFetcher:
    """Fetches weights for one builder."""

    def __init__(self, *, allowed_hosts: frozenset[str], ca_bundle: bytes, proxy: str) -> None:
        self._allowed = allowed_hosts
        self._proxy = proxy or None
        self._resolvable = allowed_hosts | {(urlsplit(proxy).hostname or "").lower()}
        self._tls = ssl.create_default_context(cadata=ca_bundle.decode("ascii", "ignore") or None)

    async def fetch_all(self, build: Build, weights: Sequence[Weights]) -> Path:
        """Fetch every file and return a tar of them, to be unpacked at /app.

        Raises BuildError (INSTALL_FAILED, BUILD_TOO_LARGE).
        """
        left, files = build.parts.limits.image_bytes, []
        for number, item in enumerate(weights):
            path = build.folder / f"weights-{number}"
            build.say(f"{item.path} from {item.url}")
            left -= await self.fetch(item.url, item.sha256, path, limit_bytes=left, say=build.say)
            files.append((item.path, path))
        target = build.folder / "weights.tar"
        await asyncio.to_thread(_write_tar, target, files)
        return target

    async def fetch(self, url: str, sha256: str, target: Path, *, limit_bytes: int, say: Callable[[str], None]) -> int:
        """Stream `url` into `target`; return its size. Raises BuildError (INSTALL_FAILED, BUILD_TOO_LARGE)."""
        connector = aiohttp.TCPConnector(resolver=_PublicResolver(self._resolvable), ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=STALL_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                await self._get(session, url) as answer,
            ):
                size, found = await _save(answer, target, url, limit_bytes=limit_bytes, say=say)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise BuildError(
                BuildCode.INSTALL_FAILED, f"clinai.toml: weights {url} cannot be fetched: {reason}"
            ) from error
        if found != sha256.lower():
            raise BuildError(
                BuildCode.INSTALL_FAILED,
                f"clinai.toml: weights {url} have sha256 {found}, not {sha256}; correct one of them",
            )
        return size

    async def _get(self, session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
        for _ in range(REDIRECTS + 1):
            self._check(url)
            answer = await session.get(url, allow_redirects=False, proxy=self._proxy)
            if answer.status not in (301, 302, 303, 307, 308):
                if answer.status != 200:
                    answer.release()
                    raise OSError(f"the server answers {answer.status}")
                return answer
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.release()
        raise OSError(f"more than {REDIRECTS} redirects")

    def _check(self, url: str) -> None:
        """Refuse what the resolver never sees: other schemes, and addresses written as numbers."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme != "https" or not host:
            raise OSError(f"{url} is no https address")
        if host in self._allowed:
            return
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return
        if not address.is_global:
            raise OSError(f"{host} is no public address")


async def _save(
    answer: aiohttp.ClientResponse, target: Path, url: str, *, limit_bytes: int, say: Callable[[str], None]
) -> tuple[int, str]:
    """Write the body to a file; return its size and SHA-256. Raises BuildError (BUILD_TOO_LARGE)."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        async for chunk in answer.content.iter_chunked(MIB):
            size += len(chunk)
            if size > limit_bytes:
                raise BuildError(
                    BuildCode.BUILD_TOO_LARGE,
                    f"clinai.toml: weights {url} are larger than the {limit_bytes} bytes left",
                )
            digest.update(chunk)
            await asyncio.to_thread(out.write, chunk)
            if size // SAID_EVERY_BYTES != (size - len(chunk)) // SAID_EVERY_BYTES:
                say(f"{size / 1e6:.0f} MB")
    return size, digest.hexdigest()


def _write_tar(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write files and the folders above them, root's and readable by all; each file is gone once it is in."""
    folders = set()
    with tarfile.open(target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files:
            for parent in reversed(PurePosixPath(name).parents[:-1]):
                if parent not in folders:
                    folders.add(parent)
                    tar.addfile(_entry(str(parent), None))
            with path.open("rb") as file:
                tar.addfile(_entry(name, path.stat().st_size), file)
            path.unlink()


def _entry(name: str, size: int | None) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = (tarfile.DIRTYPE, 0o755) if size is None else (tarfile.REGTYPE, 0o644)
    info.size = size or 0
    return info
