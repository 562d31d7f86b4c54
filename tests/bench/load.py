"""Many predictions at once, in turn with LitServe; and which part spends the CPU for them."""

import asyncio
import time
from collections.abc import Mapping

import aiohttp

from tests.bench.cpu import CLIENT, Accounts, each, spent_between
from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.peers.servers import litserve
from tests.bench.sides import PICTURES, WORKERS, Ours, Side, checked, ours

IN_FLIGHT = 16
SLICE_S = 4.0
"""How long one side is under load before the other has its turn."""
PEER = "litserve"


async def measure_load(bench: Bench) -> list[Number]:
    """Jobs per second at 16 in flight, each durable and stored, beside LitServe's requests per second."""
    found: list[Number] = []
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        ours(bench) as us,
        litserve(http, WORKERS) as peer,
    ):
        accounts = await asyncio.to_thread(Accounts, bench, **{PEER: peer.pid})
        for words, picture in PICTURES.items():
            found += await slices(us, peer, accounts, words, picture(), bench.times(6))
    return found


async def slices(us: Ours, peer: Side, accounts: Accounts, words: str, picture: bytes, count: int) -> list[Number]:
    """Slices of load, one side after the other."""
    for side in (us, peer):
        await under_load(side, picture, SLICE_S / 2)
    ours_, theirs = [], []
    jobs = requests = 0
    cpu_us: dict[str, float] = {}
    cpu_peer: dict[str, float] = {}
    for _ in range(count):
        before = await asyncio.to_thread(accounts.read)
        done, seconds = await under_load(us, picture, SLICE_S)
        between = await asyncio.to_thread(accounts.read)
        ours_.append(done / seconds)
        jobs += done
        done, seconds = await under_load(peer, picture, SLICE_S)
        after = await asyncio.to_thread(accounts.read)
        theirs.append(done / seconds)
        requests += done
        _add(cpu_us, spent_between(before, between))
        _add(cpu_peer, spent_between(between, after))
    a_job = each(beyond_idling(cpu_us, cpu_peer), jobs)
    a_request = each({name: cpu_peer[name] for name in (PEER, CLIENT)}, requests)
    return [
        Number(f"jobs of {words}, {IN_FLIGHT} in flight", "/s", ours_, beside=f"CPU of a job {told(a_job)}"),
        Number(f"LitServe, the same, {WORKERS} workers", "/s", theirs, beside=f"CPU of a request {told(a_request)}"),
        Number(
            f"jobs over LitServe's requests, {words}",
            "x",
            [one / other for one, other in zip(ours_, theirs, strict=True)],
            goal=0.7,
            at_least=True,
            details={"cpu_ms_of_a_job": a_job, "cpu_ms_of_a_request": a_request},
        ),
        Number(
            f"CPU of a job over that of a LitServe request, {words}",
            "x",
            [sum(a_job.values()) / sum(a_request.values())],
            beside="its inverse is what the row above can reach where the CPUs are the limit",
        ),
    ]


def beyond_idling(ours_: Mapping[str, float], peers: Mapping[str, float]) -> dict[str, float]:
    """What this platform's parts spent on jobs: less what they spent in the peer's slices, which are as long.

    That takes off their own idling, and what the engine did for others.
    """
    idle = {name: seconds for name, seconds in peers.items() if name != CLIENT}
    return {name: max(0.0, seconds - idle.get(name, 0.0)) for name, seconds in ours_.items() if name != PEER}


async def under_load(side: Side, picture: bytes, seconds: float) -> tuple[int, float]:
    """Keep so many requests in flight for a while; how many were answered, and the seconds until the last one was."""
    done, started = 0, time.perf_counter()

    async def one_after_the_other() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            await checked(side, picture)
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.create_task(one_after_the_other())
    return done, time.perf_counter() - started


def told(spent: Mapping[str, float]) -> str:
    """The sum and the parts that matter."""
    parts = ", ".join(f"{name} {ms:.2g}" for name, ms in spent.items() if ms >= 0.1)
    return f"{sum(spent.values()):.3g} ms: {parts}"


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds
