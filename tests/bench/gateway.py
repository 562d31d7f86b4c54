"""The gateway with a million jobs in the table: one job per CPU second, and lists whatever the filter."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import asyncpg
import psutil

from tests.bench.group import Bench, say
from tests.bench.numbers import Number, percentile
from tests.client import Client
from tests.filling import JOB_EVERY_S, fill

JOBS, VERSIONS = 1_000_000, 100_000
CONNECTIONS = 16
LOAD_S = 5.0
PAGES = 400


class Connection:
    """One connection to the gateway itself, so cheap that the client hardly counts beside it."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._rest = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def __aenter__(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def get(self, path: str) -> bytes:
        """The body of an answer that must be 200."""
        self._writer.write(b"GET " + path.encode() + self._rest)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
        body = await self._reader.readexactly(length)
        assert head.startswith(b"http/1.1 200"), body
        return body


async def measure_gateway(bench: Bench) -> list[Number]:
    """Fill the database, then read single jobs at full load and pages one after the other."""
    platform = bench.platform
    for part in ("runner", "builder"):
        platform.part("stop", part)  # the jobs and builds that are made up here cannot run, and are tried for minutes
    async with Client(platform.url) as client:
        say(f"filling the database with {JOBS} jobs")
        await fill(platform.env["CLINAI_DATABASE_URL"], jobs=JOBS, versions=VERSIONS, user_id=client.user["id"])
        await client.login()
        port, token = int(platform.env["CLINAI_API_PORT"]), client.http.headers["Authorization"].split()[1]
        database = await asyncpg.connect(platform.env["CLINAI_DATABASE_URL"])
        try:
            jobs = await database.fetch(
                "SELECT id, created_at, model_id, version_id FROM jobs WHERE user_id = $1 AND created_at <"
                " now() - random() * interval '300 days' LIMIT 2000",
                client.user["id"],
            )
        finally:
            await database.close()
        api = next(psutil.Process(part["pid"]) for part in platform.status()["parts"] if part["name"] == "api")
        single = await single_jobs(bench, port, token, [str(job["id"]) for job in jobs], api)
        return [single, *await pages(bench, port, token, jobs)]


async def single_jobs(bench: Bench, port: int, token: str, ids: list[str], api: psutil.Process) -> Number:
    """`GET /api/jobs/{id}` for each second of CPU of the gateway; client and database share the machine with it."""

    async def read(until: float) -> int:
        async with Connection(port, token) as connection:
            count = 0
            while time.perf_counter() < until:
                await connection.get(f"/api/jobs/{random.choice(ids)}")
                count += 1
            return count

    await asyncio.gather(*[read(time.perf_counter() + 1) for _ in range(CONNECTIONS)])
    rates, seconds = [], []
    for _ in range(bench.times(3)):
        before, started = sum(api.cpu_times()[:2]), time.perf_counter()
        count = sum(await asyncio.gather(*[read(started + LOAD_S) for _ in range(CONNECTIONS)]))
        rates.append(count / (sum(api.cpu_times()[:2]) - before))
        seconds.append(count / (time.perf_counter() - started))
    beside = f"{max(seconds):.0f} /s at {CONNECTIONS} in flight, client and database on the same CPUs"
    name = "GET /api/jobs/{id} per CPU second of the gateway"
    return Number(name, "/s", rates, goal=2000.0, at_least=True, beside=beside)


async def pages(bench: Bench, port: int, token: str, jobs: list[Any]) -> list[Number]:
    """`GET /api/jobs/`, one page after the other, with every filter in turn."""
    times: dict[str, list[float]] = {}
    async with Connection(port, token) as connection:
        for name, query in itertools.islice(queries(jobs), bench.times(PAGES)):
            started = time.perf_counter()
            await connection.get(f"/api/jobs/?{urlencode(query)}")
            times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    slowest = sorted(times, key=lambda name: -percentile(times[name], 50))[:3]
    beside = "slowest p50: " + ", ".join(f"{name} {percentile(times[name], 50):.1f} ms" for name in slowest)
    together = [taken for found in times.values() for taken in found]
    name = f"GET /api/jobs/ with {JOBS} jobs, every filter, first and deep pages"
    return [Number(name, "ms", together, goal=10.0, percent=99, beside=beside, details=times)]


def queries(jobs: list[Any]) -> Iterator[tuple[str, dict[str, object]]]:
    """Filters in turn, each with another example."""
    while True:
        job, day = random.choice(jobs), timedelta(days=1)
        deep = datetime.now(UTC) - timedelta(seconds=JOB_EVERY_S * JOBS * random.random())
        yield "first page", {}
        yield "FAILED", {"status": "FAILED"}
        yield "CANCELED, which hardly any is", {"status": "CANCELED"}
        yield "QUEUED or RUNNING", {"status": "QUEUED,RUNNING"}
        yield "a model", {"model_id": job["model_id"]}
        yield "a model's FAILED", {"model_id": job["model_id"], "status": "FAILED"}
        yield "a version", {"version_id": job["version_id"]}
        yield "before a time", {"created_before": deep.isoformat()}
        yield "a day", {"created_after": deep.isoformat(), "created_before": (deep + day).isoformat()}
        yield "a hundred", {"created_before": deep.isoformat(), "limit": 100}
