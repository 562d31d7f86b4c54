"""Many predictions at once, in turn with LitServe; and which part spends the CPU for them."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import aiohttp

from tests.bench.cpu import CLIENT, Accounts, each, spent_between
from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.peers.servers import litserve
from tests.bench.sides import KEEP_S, PICTURES, WORKERS, Ours, Side, checked, ours

IN_FLIGHT = 16
SLICE_S = 4.0
"""How long one side is under load before the other has its turn."""
PEER = "litserve"


async def measure_load(bench: Bench) -> list[Number]:
    """Jobs per second at 16 in flight, each durable and stored, beside LitServe's requests per second."""
    found: list[Number] = []
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S)) as http,
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
    rates: list[float] = []
    their_rates: list[float] = []
    jobs: list[dict[str, float]] = []
    requests: list[dict[str, float]] = []
    for _ in range(count):
        before = await asyncio.to_thread(accounts.read)
        done, seconds = await under_load(us, picture, SLICE_S)
        between = await asyncio.to_thread(accounts.read)
        their_done, their_seconds = await under_load(peer, picture, SLICE_S)
        after = await asyncio.to_thread(accounts.read)
        rates.append(done / seconds)
        their_rates.append(their_done / their_seconds)
        spent, theirs = spent_between(before, between), spent_between(between, after)
        jobs.append(each(beyond_idling(spent, theirs, seconds / their_seconds), done))
        requests.append(each({name: theirs[name] for name in (PEER, CLIENT)}, their_done))
    a_job, a_request = middle(jobs), middle(requests)
    return [
        Number(f"jobs of {words}, {IN_FLIGHT} in flight", "/s", rates, beside=f"CPU of a job {told(a_job)}"),
        Number(
            f"LitServe, the same, {WORKERS} workers", "/s", their_rates, beside=f"CPU of a request {told(a_request)}"
        ),
        Number(
            f"jobs over LitServe's requests, {words}",
            "x",
            [one / other for one, other in zip(rates, their_rates, strict=True)],
            goal=0.7,
            at_least=True,
        ),
        Number(
            f"CPU of a job over that of a LitServe request, {words}",
            "x",
            [sum(one.values()) / sum(other.values()) for one, other in zip(jobs, requests, strict=True)],
            beside="its inverse is what the row above can reach where the CPUs are the limit",
            details={"cpu_ms_of_a_job": a_job, "cpu_ms_of_a_request": a_request},
        ),
    ]


def beyond_idling(ours_: Mapping[str, float], peers: Mapping[str, float], longer: float) -> dict[str, float]:
    """What this platform's parts spent on jobs: less what they spent in the peer's slice, stretched to `longer`.

    That takes off their own idling, and what the engine did for others.
    """
    idle = {name: seconds * longer for name, seconds in peers.items() if name != CLIENT}
    return {name: max(0.0, seconds - idle.get(name, 0.0)) for name, seconds in ours_.items() if name != PEER}


def middle(slices_: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each part over the slices, the most first."""
    names = {name for one in slices_ for name in one}
    found = {name: statistics.median(one.get(name, 0.0) for one in slices_) for name in names}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


class Slice(NamedTuple):
    """What was answered while a side was under load."""

    ms: list[float]
    """Of each request."""
    seconds: float
    """Until the last of them was answered."""


async def under_load(side: Side, picture: bytes, seconds: float) -> tuple[int, float]:
    """Keep so many requests in flight for a while; how many were answered, and the seconds until the last one was."""
    slice_ = await in_flight(lambda: checked(side, picture), IN_FLIGHT, seconds)
    return len(slice_.ms), slice_.seconds


async def in_flight(request: Callable[[], Awaitable[object]], count: int, seconds: float) -> Slice:
    """Keep `count` requests in flight for a while, and wait for the last."""
    started, ms = time.perf_counter(), []

    async def one_after_the_other() -> None:
        while (began := time.perf_counter()) - started < seconds:
            await request()
            ms.append((time.perf_counter() - began) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(one_after_the_other())
    return Slice(ms, time.perf_counter() - started)


def told(spent: Mapping[str, float]) -> str:
    """The sum and the parts that matter."""
    parts = ", ".join(f"{name} {ms:.2g}" for name, ms in spent.items() if ms >= 0.1)
    return f"{sum(spent.values()):.3g} ms: {parts}"
