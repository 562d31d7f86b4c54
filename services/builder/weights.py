"""Weights that clinai.toml names by URL and SHA-256: fetched here, since a running model has no network.

An owner must not make the builder read what only this host can reach: https only, and every address a name resolves
to is checked at the moment of connecting, redirects included.
"""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

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
                raise OSError(f"{host} is no public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


class WeightsFetcher:
    """Fetches weights for one builder."""

    def __init__(self, *, allowed_hosts: frozenset[str], ca_bundle: bytes, proxy: str) -> None:
        self._allowed = allowed_hosts
        self._proxy = proxy or None
        self._tls = ssl.create_default_context(cadata=ca_bundle.decode("ascii", "ignore") or None)

    async def fetch(
        self, url: str, sha256: str, target: Path, *, limit_bytes: int, say: Callable[[str], None]
    ) -> int:
        """Stream `url` into `target`; return its size. Raises BuildError (INSTALL_FAILED, BUILD_TOO_LARGE)."""
        connector = aiohttp.TCPConnector(resolver=_PublicResolver(self._allowed), ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=STALL_S)
        digest, size = hashlib.sha256(), 0
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                async with await self._get(session, url) as answer:
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
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise BuildError(BuildCode.INSTALL_FAILED, f"clinai.toml: weights {url} cannot be fetched: {reason}") from error
        if digest.hexdigest() != sha256.lower():
            raise BuildError(
                BuildCode.INSTALL_FAILED,
                f"clinai.toml: weights {url} have sha256 {digest.hexdigest()}, not {sha256}; correct one of them",
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
