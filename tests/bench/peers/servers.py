"""Start and stop servers on loopback ports: the peers, with one worker for each CPU."""

import asyncio
import os
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.bench.peers.environment import HERE, programs

START_S = 120.0
STOP_S = 15.0


@dataclass(frozen=True)
class Peer:
    """A server that runs, and how it takes a picture."""

    name: str
    http: aiohttp.ClientSession
    url: str
    pid: int
    field: str | None = None
    """The field of a form that has the picture; None: the picture is the body."""

    async def gray(self, picture: bytes) -> bytes:
        """Send a picture and return the gray one."""
        data: aiohttp.FormData | bytes = picture
        if self.field is not None:
            data = aiohttp.FormData()
            data.add_field(self.field, picture, filename="picture.png", content_type="image/png")
        headers = {"Content-Type": "image/png"} if self.field is None else {}
        async with self.http.post(self.url, data=data, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()


@asynccontextmanager
async def litserve(http: aiohttp.ClientSession, workers: int) -> AsyncIterator[Peer]:
    """LitServe, its model's workers and as many that speak HTTP, as is its default."""
    port = free_port()
    command = [str(programs() / "python"), "serve_litserve.py", str(port), str(workers)]
    async with running(command, f"http://127.0.0.1:{port}/health", {}) as pid:
        yield Peer("LitServe", http, f"http://127.0.0.1:{port}/predict", pid, field="request")


@asynccontextmanager
async def bentoml(http: aiohttp.ClientSession, workers: int) -> AsyncIterator[Peer]:
    """BentoML, its workers speak HTTP themselves."""
    port = free_port()
    command = [str(programs() / "bentoml"), "serve", "serve_bentoml:Gray", "--host", "127.0.0.1", "--port", str(port)]
    environ = {"WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "true"}
    async with running(command, f"http://127.0.0.1:{port}/readyz", environ) as pid:
        yield Peer("BentoML", http, f"http://127.0.0.1:{port}/predict", pid)


@asynccontextmanager
async def running(command: list[str], health: str, environ: dict[str, str], cwd: Path = HERE) -> AsyncIterator[int]:
    """Run a server in a session of its own and give its pid; when the block ends nobody of that session is left."""
    with tempfile.TemporaryFile() as said:
        server = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env={**os.environ, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            if not await _healthy(health, server):
                said.seek(0)
                raise RuntimeError(f"{' '.join(command)} did not start: {said.read().decode(errors='replace')[-2000:]}")
            yield server.pid
        finally:
            await _end(server)


async def _healthy(url: str, server: asyncio.subprocess.Process) -> bool:
    deadline = time.monotonic() + START_S
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline and server.returncode is None:
            with suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.ok:
                        return True
            await asyncio.sleep(0.1)
    return False


async def _end(server: asyncio.subprocess.Process) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, how)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await server.wait()
                break
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)  # its workers, should it have left them


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
