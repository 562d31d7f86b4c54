"""How many connections to the database a process needs: gateways with pools of several sizes, in turn."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import aiohttp
import asyncpg

from tests.bench.gateway import Connection
from tests.bench.group import Bench, say
from tests.bench.load import Slice, in_flight
from tests.bench.numbers import Number, percentile
from tests.bench.peers.servers import running
from tests.bench.pictures import thing
from tests.bench.sides import Ours, checked, gray_version
from tests.client import Client
from tests.platforms import ROOT, free_port

SIZES = (1, 2, 4, 8, 16)
IN_FLIGHT = 64
"""Far more requests at once than any of the pools has connections."""
SLICE_S = 2.0


@asynccontextmanager
async def gateway(bench: Bench, size: int) -> AsyncIterator[int]:
    """One more gateway of the platform, with at most `size` connections; yields its port."""
    port = free_port()
    environ = {
        **bench.platform.environ,
        "CLINAI_API_PORT": str(port),
        "CLINAI_DATABASE_POOL_MAX": str(size),
        "CLINAI_WORKER_ID": f"pool-of-{size}",
    }
    command = [sys.executable, "-m", "services.api"]
    async with running(command, f"http://127.0.0.1:{port}/api/health", environ, ROOT):
        yield port


async def measure_pools(bench: Bench) -> list[Number]:
    """One job read, and small pictures predicted, by each gateway in turn, with many requests in flight."""
    version = await gray_version(bench)
    reads: dict[int, list[Slice]] = {size: [] for size in SIZES}
    predictions: dict[int, list[Slice]] = {size: [] for size in SIZES}
    async with AsyncExitStack() as stack:
        sides = {}
        for size in SIZES:
            port = await stack.enter_async_context(gateway(bench, size))
            client = await stack.enter_async_context(Client(f"http://127.0.0.1:{port}"))
            http = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT))
            )
            us = Ours(client, http, version["id"])
            await checked(us, thing())
            job = (await client.get("/api/jobs/"))["items"][0]["id"]
            sides[size] = (port, client.http.headers["Authorization"].split()[1], job, us)
        for turn in range(bench.times(5)):
            say(f"turn {turn + 1}")
            for size, (port, token, job, us) in sides.items():
                reads[size].append(await _reads(port, token, job))
                predictions[size].append(await in_flight(partial(checked, us, thing()), IN_FLIGHT, SLICE_S * 2))
        opened = await _opened(bench)
    return [
        *_numbers(f"GET /api/jobs/{{id}}, {IN_FLIGHT} in flight", reads),
        *_numbers(f"predict of a thing on a plain ground, {IN_FLIGHT} in flight", predictions),
        Number("connections of the runner while these jobs came", "", [float(opened)], beside=f"{os.cpu_count()} CPUs"),
    ]


async def _reads(port: int, token: str, job: str) -> Slice:
    async with AsyncExitStack() as stack:
        free = [await stack.enter_async_context(Connection(port, token)) for _ in range(IN_FLIGHT)]

        async def read() -> None:
            connection = free.pop()
            await connection.get(f"/api/jobs/{job}")
            free.append(connection)

        return await in_flight(read, IN_FLIGHT, SLICE_S)


async def _opened(bench: Bench) -> int:
    database = await asyncpg.connect(bench.platform.env["CLINAI_DATABASE_URL"])
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'clinai-runner%'"
        return int(await database.fetchval(query))
    finally:
        await database.close()


def _numbers(what: str, taken: dict[int, list[Slice]]) -> list[Number]:
    found = []
    for size, slices in taken.items():
        rates = [len(one.ms) / one.seconds for one in slices]
        p99 = percentile([ms for one in slices for ms in one.ms], 99)
        found.append(Number(f"{what}, pool of {size}", "/s", rates, beside=f"p99 {p99:.0f} ms"))
    return found
