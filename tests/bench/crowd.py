"""Five thousand WebSockets of one user: what they cost while idle, and when the last has an event."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import part_memory
from tests.client import Client
from tests.platforms import ROOT

SOCKETS, EVENTS = 5_000, 50
AT_ONCE = 50
PAUSE_S = 0.3
"""Between two events: each finds the notifier idle, as one event does."""


class Crowd:
    """The process that holds the sockets. They go to the notifier itself: the edge's share is its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def open(self, ticket: str) -> None:
        """Have one more socket opened."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{ticket}\n".encode())

    async def until(self, name: str, value: Any) -> dict[str, Any]:
        """Read what it says until it says so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while line := await self._process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                assert "closed" not in said, said
                if said.get(name) == value:
                    return said
        raise AssertionError("the crowd has ended")


@asynccontextmanager
async def crowd(port: str) -> AsyncIterator[Crowd]:
    """Start the process; its sockets go with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.crowd_client", port,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Crowd(process)
    finally:
        process.terminate()
        await process.wait()


async def measure_crowd(bench: Bench) -> list[Number]:
    """Memory of the notifier for each idle socket; from a commit to the last of all sockets."""
    late = []
    async with Client(bench.platform.url) as client, crowd(bench.platform.env["CLINAI_NOTIFIER_PORT"]) as sockets:
        before = part_memory(bench.platform, "notifier")
        for n in range(0, SOCKETS, AT_ONCE):
            for answer in await asyncio.gather(*[client.post("/api/live/ticket") for _ in range(AT_ONCE)]):
                sockets.open(answer["ticket"])
            await sockets.until("opened", n + AT_ONCE)
        each = (part_memory(bench.platform, "notifier") - before) / SOCKETS / 1024
        model = await client.create_model()
        version = await client.post("/api/models/versions", {"model_id": model, "version_number": "1"})
        for _ in range(bench.times(EVENTS)):
            job_id = (await client.post("/api/jobs/", {"version_id": version["version_id"]}))["job_id"]
            canceled = await client.post(f"/api/jobs/{job_id}/cancel")
            said = await sockets.until("id", job_id)
            late.append((said["last"] - datetime.fromisoformat(canceled["updated_at"]).timestamp()) * 1000)
            await asyncio.sleep(PAUSE_S)
    return [
        Number(f"commit of a state change → the last of {SOCKETS} sockets", "ms", late, goal=300.0, percent=99),
        Number(f"memory of the notifier for each of {SOCKETS} idle sockets", "KiB", [each], goal=30.0),
    ]
