"""How long a state change takes to reach a client."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import nats
from nats.js.api import StorageType, StreamConfig

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import end_of, example_version
from tests.client import Client
from tests.platforms import TestPlatform


async def measure_frames(bench: Bench) -> list[Number]:
    """From a state change in the database to its frame at this client, on one clock; in turn with the least it takes.

    The change is a cancel through the gateway, so that no container runs beside it. Its `updated_at` is the start of
    the transaction: the commit itself, publishing, the stream's fsync and the way through the edge are all inside.
    """
    version = await example_version(bench)
    late, least = [], []
    async with (
        Client(bench.platform.url) as client,
        client.live() as live,
        commit_and_publish(bench.platform) as once,
    ):
        await live.next()
        for _ in range(bench.times(100)):
            job_id = (await client.post("/api/jobs/", {"version_id": version["id"]}))["job_id"]
            canceling = asyncio.create_task(client.post(f"/api/jobs/{job_id}/cancel"))
            frame, came = await end_of(live, job_id)
            await canceling
            late.append((came - datetime.fromisoformat(frame["data"]["updated_at"]).timestamp()) * 1000)
            least.append(await once())
    floor = Number("one commit and one stored message, bare", "ms", least)
    frame_ = Number("commit of a state change → frame at the client", "ms", late, goal=15.0)
    return [frame_.with_(beside=f"{frame_.p50 / floor.p50:.2f} of a bare commit and publish"), floor]


@asynccontextmanager
async def commit_and_publish(platform: TestPlatform) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A function that commits one change, publishes one message that is stored, and returns the milliseconds."""
    database = await asyncpg.connect(platform.env["CLINAI_DATABASE_URL"])
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    js = bus.jetstream()
    await js.add_stream(StreamConfig(name="BENCH", subjects=["bench"], storage=StorageType.FILE))

    async def once() -> float:
        started = time.perf_counter()
        await database.execute("UPDATE workers SET info = info WHERE service = 'notifier'")
        await js.publish("bench", b"x" * 500)
        return (time.perf_counter() - started) * 1000

    try:
        yield once
    finally:
        await js.delete_stream("BENCH")
        await bus.close()
        await database.close()
