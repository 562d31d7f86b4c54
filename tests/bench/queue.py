"""A long queue: whether the thousandth job costs what the first one did."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import aiohttp
import psutil

from shared.bus import BusConnection, open_bus
from shared.events import EVENTS
from shared.queue import LINES
from shared.settings import Bus, load
from tests.bench.cpu import tree_seconds
from tests.bench.group import LOADED, Bench
from tests.bench.numbers import Number
from tests.bench.steps import MIB, built
from tests.client import Client, Live
from tests.conftest import make_zip

SETTINGS = {**LOADED, "CLINAI_JOB_DEADLINE_S": "7200"}
"""Jobs that wait for their turn must not run out of time."""
SHORT, LONG = 100, 2000
SHORTS, ROUNDS = 3, 3
"""A short queue is over in half a second, and the machine may change its speed: some before and after each long one."""
SKIPPED = 10
"""So many ends pass before the clock starts: the first jobs may wait for their sandboxes to open."""
HELD = timedelta(hours=1)
"""Longer than filling takes."""
PARTS = ("runner", "postgres", "nats")
AT_ONCE = 16
MODEL = {
    "predict.py": "def run(input_path: str, output_dir: str) -> dict:\n    return {'seen': 1}\n",
    "requirements.txt": "",
}
"""Next to nothing: what is measured is the queue."""
PICTURE = b"\x89PNG\r\n\x1a\n"
SAMPLE_EVERY_S = 1.0


async def measure_queue(bench: Bench) -> list[Number]:
    """Short and long queues in turn, each filled while none is given out; `--scale 5` for 10,000."""
    count = bench.times(LONG)
    async with (
        Client(bench.platform.url) as client,
        aiohttp.ClientSession() as http,
        open_bus(load(Bus, bench.platform.env), "bench") as bus,
    ):
        version = await built(client, make_zip(dict(MODEL)))
        parts = (await asyncio.to_thread(bench.platform.status))["parts"]
        pids = {part["name"]: part["pid"] for part in parts if part["name"] in PARTS}

        async def some_short() -> list[Drain]:
            return [await drained(pids, bus, client, http, version["id"], SHORT) for _ in range(SHORTS)]

        shorts, longs = [await some_short()], []
        for _ in range(ROUNDS):
            longs.append(await drained(pids, bus, client, http, version["id"], count))
            shorts.append(await some_short())
    around = [before + after for before, after in pairwise(shorts)]
    rates = [
        long.rate / statistics.median(one.rate for one in short) for long, short in zip(longs, around, strict=True)
    ]
    cpus = [
        long.cpu_ms / statistics.median(one.cpu_ms for one in short) for long, short in zip(longs, around, strict=True)
    ]
    all_short = [one for some in shorts for one in some]
    cpu, short_cpu = (statistics.median(one.cpu_ms for one in some) for some in (longs, all_short))
    return [
        Number(f"jobs per second out of a queue of {SHORT}", "/s", [one.rate for one in all_short]),
        Number(f"jobs per second out of a queue of {count}", "/s", [one.rate for one in longs]),
        Number("the long queue's rate over the short ones'", "x", rates, goal=0.9, at_least=True),
        Number(
            f"CPU of a job in {', '.join(PARTS)}, the long queue over the short ones",
            "x",
            cpus,
            goal=1.2,
            beside=f"{cpu:.3g} ms and {short_cpu:.3g} ms",
        ),
        Number(
            f"memory of the runner, its growth over {count} jobs",
            "MiB",
            [one.grown for one in longs],
            goal=16.0,
            beside="most in the last tenth of the time less most in the first",
            details={"mib": [one.memory for one in longs]},
        ),
    ]


@dataclass(frozen=True)
class Drain:
    """How a queue went: jobs per second, CPU milliseconds of a job in PARTS, MiB of the runner each second."""

    rate: float
    cpu_ms: float
    memory: list[float]

    @property
    def grown(self) -> float:
        """MiB that the runner had more in the last tenth of the time than in the first."""
        tenth = max(1, len(self.memory) // 10)
        return max(self.memory[-tenth:]) - max(self.memory[:tenth])


async def drained(
    pids: dict[str, int], bus: BusConnection, client: Client, http: aiohttp.ClientSession, version_id: str, count: int
) -> Drain:
    """Fill a queue of which no job is given out, let it go, and watch the ends come.

    The runner stays: a short queue would be over while a runner that starts is looked for.
    """
    await client.login()
    async with client.live() as live:
        await live.next()
        async with held(bus):
            filling = asyncio.create_task(fill(client, http, version_id, count))
            await events(live, "QUEUED", count)
            await filling
        async with memory_sampled(pids["runner"]) as memory:
            await events(live, "SUCCEEDED", SKIPPED)
            began, before = time.perf_counter(), sum(map(tree_seconds, pids.values()))
            await events(live, "SUCCEEDED", count - SKIPPED)
            seconds, after = time.perf_counter() - began, sum(map(tree_seconds, pids.values()))
    return Drain((count - SKIPPED) / seconds, (after - before) * 1000 / (count - SKIPPED), memory)


@asynccontextmanager
async def held(bus: BusConnection) -> AsyncIterator[None]:
    """No runner is given a job while the block runs."""
    durable = LINES["job"].durable
    await bus.js.pause_consumer(EVENTS, durable, (datetime.now(UTC) + HELD).isoformat())
    try:
        yield
    finally:
        await bus.js.resume_consumer(EVENTS, durable)


async def fill(client: Client, http: aiohttp.ClientSession, version_id: str, count: int) -> None:
    """Queue so many jobs, each by one request that does not wait."""
    url = f"{client.url}/api/models/versions/{version_id}/predict"
    headers = {"Authorization": client.http.headers["Authorization"], "Prefer": "wait=0", "Content-Type": "image/png"}
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in numbers:
            async with http.post(url, data=PICTURE, headers=headers) as answer:
                if answer.status != 202:
                    raise RuntimeError(f"predict answered {answer.status}: {await answer.text()}")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(one_after_the_other())


async def events(live: Live, status: str, count: int) -> None:
    """Read frames until so many jobs have come to a status; raises when one ended badly.

    They must be read all along: a client that cannot keep up is closed.
    """
    while count:
        frame = await live.next(timeout_s=600)
        live.frames.clear()
        if frame["type"] == "event":
            assert frame["data"]["status"] not in ("FAILED", "CANCELED"), frame
            count -= frame["data"]["status"] == status


@asynccontextmanager
async def memory_sampled(pid: int) -> AsyncIterator[list[float]]:
    """A process's own memory (unique set size) in MiB, once a second while the block runs, in the list given."""
    runner = psutil.Process(pid)
    found: list[float] = []

    async def sample() -> None:
        while True:
            found.append(runner.memory_full_info().uss / MIB)
            await asyncio.sleep(SAMPLE_EVERY_S)

    sampling = asyncio.create_task(sample())
    try:
        yield found
    finally:
        sampling.cancel()
