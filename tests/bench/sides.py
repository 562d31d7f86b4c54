"""The two sides of a comparison on the gray model: this platform's `predict`, and a peer; one client for both."""

import base64
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from tests.bench.group import Bench
from tests.bench.pictures import photo, thing
from tests.bench.steps import built
from tests.client import Client
from tests.conftest import make_zip

PACKAGE = {
    "predict.py": (Path(__file__).parent / "peers" / "gray.py").read_text(),
    "requirements.txt": "Pillow==11.3.0\n",
}
PICTURES = {"a photo": photo, "a thing on a plain ground": thing}
TOKEN_S = 600.0
"""Sign in again well before the token's 15 minutes are over."""
KEEP_S = 2.0
"""Less than a peer keeps a connection that rests (5 s): it would close one just as it is taken again."""
PNG = b"\x89PNG\r\n"
WORKERS = os.cpu_count() or 1
"""Of each peer."""


class Side(Protocol):
    """Whoever makes pictures gray."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    async def gray(self, picture: bytes) -> bytes:
        """Send a picture and return the gray one."""


class Ours:
    """One user's `predict`, the output in the answer; keeps what the platform says of its own time."""

    name = "ClinAI"

    def __init__(self, client: Client, http: aiohttp.ClientSession, version_id: str) -> None:
        self._client = client
        self._http = http
        self._url = f"{client.url}/api/models/versions/{version_id}/predict?inline=true"
        self._signed_in_at = time.monotonic()
        self.timings: list[dict[str, float]] = []

    async def gray(self, picture: bytes) -> bytes:
        """Run one job to its end and return its output: inline, or by its URL where it is too large for that."""
        if time.monotonic() - self._signed_in_at > TOKEN_S:
            self._signed_in_at = time.monotonic()
            await self._client.login()
        headers = {"Authorization": self._client.http.headers["Authorization"], "Content-Type": "image/png"}
        async with self._http.post(self._url, data=picture, headers=headers) as answer:
            job = await answer.json()
        if answer.status != 200 or job["status"] != "SUCCEEDED":
            raise RuntimeError(f"predict answered {answer.status}: {job}")
        self.timings.append(job["timings"])
        [output] = job["outputs"]
        if output["url"].startswith("data:"):
            return base64.b64decode(output["url"].partition(",")[2])
        async with self._http.get(output["url"]) as download:
            download.raise_for_status()
            return await download.read()


async def gray_version(bench: Bench) -> dict[str, Any]:
    """A READY version of the gray model that everybody may run; built once on each platform."""
    if "gray" not in bench.kept:
        async with Client(bench.platform.url) as client:
            model_id = await client.create_model("gray", is_public=True)
            bench.kept["gray"] = await built(client, make_zip(dict(PACKAGE)), model_id=model_id)
    return bench.kept["gray"]  # type: ignore[no-any-return]


@asynccontextmanager
async def ours(bench: Bench) -> AsyncIterator[Ours]:
    """A user of the gray model."""
    version = await gray_version(bench)
    async with Client(bench.platform.url) as client, aiohttp.ClientSession() as http:
        yield Ours(client, http, version["id"])


async def checked(side: Side, picture: bytes) -> float:
    """Seconds from a picture to its gray one; raises when what comes is none."""
    started = time.perf_counter()
    gray = await side.gray(picture)
    seconds = time.perf_counter() - started
    if not gray.startswith(PNG):
        raise RuntimeError(f"{side.name} gave no PNG: {gray[:100]!r}")
    return seconds
