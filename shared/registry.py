"""The registry's own HTTP API (OCI distribution specification 1.1): what is there, how large, and deleting it.

The engine pushes and pulls, with its credentials and its TLS; this is for what the engine cannot do. Deleting a
manifest frees no bytes by itself: the registry's garbage collection does (docs/operations.md).
"""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import msgspec

from shared.errors import PlatformFault

TIMEOUT_S = 20.0
PAGE = 200
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)


class Layer(msgspec.Struct, frozen=True):
    """A blob of an image; `size` in bytes, compressed."""

    digest: str
    size: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """An image as the registry holds it."""

    digest: str
    layers: tuple[Layer, ...]
    config: str | None
    """Digest of the configuration blob; None for an index of several platforms."""


def split_reference(reference: str, host: str) -> str | None:
    """Return the repository of `<host>/<repository>[:tag]`; None when the image is not of that registry."""
    if not reference.startswith(f"{host}/"):
        return None
    rest = reference.removeprefix(f"{host}/").split("@", 1)[0]
    head, _, tail = rest.rpartition(":")
    return head if head and "/" not in tail else rest


class Registry:
    """A registry's catalogue. Every method raises PlatformFault when the registry does not answer as it should."""

    def __init__(self, http: aiohttp.ClientSession, host: str) -> None:
        self.host = host
        self._http = http
        # As engines do: plain HTTP for the loopback, TLS for everything else.
        plain = host.split(":")[0] in ("localhost", "127.0.0.1")
        self._base = f"{'http' if plain else 'https'}://{host}"

    async def repositories(self) -> AsyncIterator[str]:
        """Yield the names of all repositories, those without any tag among them."""
        path: str | None = f"/v2/_catalog?n={PAGE}"
        while path:
            answer, headers = await self._get(path)
            for name in (answer or {}).get("repositories") or []:
                yield name
            path = _next(headers.get("Link", ""))

    async def tags(self, repository: str) -> list[str]:
        """Tags of a repository; none when it is not there."""
        found: list[str] = []
        path: str | None = f"/v2/{repository}/tags/list?n={PAGE}"
        while path:
            answer, headers = await self._get(path)
            found += (answer or {}).get("tags") or []
            path = _next(headers.get("Link", ""))
        return found

    async def digest(self, repository: str, reference: str) -> str | None:
        """Digest that a tag stands for; None when it is not there."""
        status, _, headers = await self._send(
            "HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPES}
        )
        return headers["Docker-Content-Digest"] if status == 200 else None

    async def manifest(self, repository: str, reference: str) -> Manifest | None:
        """Read an image's manifest by tag or digest; None when it is not there."""
        answer, headers = await self._get(f"/v2/{repository}/manifests/{reference}", accept=MANIFEST_TYPES)
        if answer is None:
            return None
        layers = tuple(Layer(entry["digest"], entry.get("size", 0)) for entry in answer.get("layers", []))
        return Manifest(headers["Docker-Content-Digest"], layers, (answer.get("config") or {}).get("digest"))

    async def copy(self, source: str, digest: str, target: str, tag: str) -> bool:
        """Give an image a name in another repository as well; no byte of it is moved, and its digest stays.

        Layers are mounted from one repository into the other (specification, "Mounting a blob from another
        repository"). False when the source has not all of it, or is no image of a single platform.
        """
        path = f"/v2/{source}/manifests/{digest}"
        status, body, headers = await self._send("GET", path, headers={"Accept": MANIFEST_TYPES})
        if status == 404:
            return False
        if status != 200 or f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise PlatformFault(f"registry {self.host} does not give back what was put there as {digest} ({status})")
        about = json.loads(body)
        if "layers" not in about:
            return False
        blobs = {entry["digest"] for entry in (about["config"], *about["layers"])}
        if not all(await asyncio.gather(*(self._mount(source, blob, target) for blob in sorted(blobs)))):
            return False
        status, answer, _ = await self._send(
            "PUT", f"/v2/{target}/manifests/{tag}", headers={"Content-Type": headers["Content-Type"]}, data=body
        )
        if status != 201:
            raise PlatformFault(f"registry {self.host} answers {status} to a manifest: {answer[:200]!r}")
        return True

    async def _mount(self, source: str, blob: str, target: str) -> bool:
        status, body, headers = await self._send("POST", f"/v2/{target}/blobs/uploads/?mount={blob}&from={source}")
        if status == 202:  # not mounted: an upload was begun in its place
            upload = urljoin(self._base, headers["Location"])
            await self._send("DELETE", upload.removeprefix(self._base))
        elif status != 201:
            raise PlatformFault(f"registry {self.host} answers {status} to a mount: {body[:200]!r}")
        return status == 201

    async def configuration(self, repository: str, digest: str) -> dict[str, Any]:
        """Read an image's configuration blob: `created`, `config.Labels` and so on; empty when it is not there."""
        answer, _ = await self._get(f"/v2/{repository}/blobs/{digest}")
        return answer or {}

    async def delete(self, repository: str, digest: str) -> bool:
        """Delete a manifest, with every tag that stands for it; False when it was not there."""
        status, body, _ = await self._send("DELETE", f"/v2/{repository}/manifests/{digest}")
        if status == 405:
            raise PlatformFault(f"registry {self.host} does not allow deleting; enable it in its configuration")
        if status not in (202, 404):
            raise PlatformFault(f"registry {self.host} answers {status} to a delete: {body[:200]!r}")
        return status == 202

    async def _get(self, path: str, *, accept: str = "application/json") -> tuple[Any, dict[str, str]]:
        status, body, headers = await self._send("GET", path, headers={"Accept": accept})
        if status == 404:
            return None, headers
        if status != 200:
            raise PlatformFault(f"registry {self.host} answers {status} to {path}: {body[:200]!r}")
        return json.loads(body), headers

    async def _send(
        self, method: str, path: str, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        try:
            async with self._http.request(method, self._base + path, headers=headers, data=data) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise PlatformFault(f"registry {self.host} does not answer: {error or type(error).__name__}") from error
        if answer.status in (401, 403):
            raise PlatformFault(
                f"registry {self.host} refuses us ({answer.status}); put a user name and password that may delete "
                "into the engine client's configuration (docker login)"
            )
        return answer.status, body, {name: answer.headers[name] for name in answer.headers}


def _next(link: str) -> str | None:
    """Path of the next page from a Link header (RFC 8288)."""
    return link.split(";")[0].strip()[1:-1] if 'rel="next"' in link else None


def _credentials(host: str) -> dict[str, str]:
    """Basic credentials of `docker login`, if there are any for this host."""
    root = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    try:
        entry = json.loads((root / "config.json").read_text())["auths"][host]
        text = entry.get("auth") or base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"Authorization": f"Basic {text}"}


@asynccontextmanager
async def open_registry(host: str) -> AsyncIterator[Registry]:
    """Open a client; no request is made yet."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=_credentials(host)) as http:
        yield Registry(http, host)
