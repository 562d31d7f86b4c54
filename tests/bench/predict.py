"""A prediction in one call, one at a time, in turn with bare model servers and with `docker run`."""

import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack

import aiohttp

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.peers.servers import bentoml, litserve
from tests.bench.sides import PICTURES, WORKERS, Ours, Side, checked, gray_version, ours
from tests.bench.steps import run_by_hand, timings

ROUND = 10
"""So many requests to each side give one ratio of medians."""
WARM_UP = 10


async def measure_predict(bench: Bench) -> list[Number]:
    """Durable, sandboxed, outputs stored and in the answer; beside servers that do none of this."""
    found: list[Number] = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        us = await stack.enter_async_context(ours(bench))
        peers = [
            await stack.enter_async_context(litserve(http, WORKERS)),
            await stack.enter_async_context(bentoml(http, WORKERS)),
        ]
        for words, picture in PICTURES.items():
            found += await in_turn(us, peers, words, picture(), bench.times(10) * ROUND)
        for words, picture in PICTURES.items():
            found += await beside_docker_run(bench, us, words, picture(), bench.times(8))
    return found


async def in_turn(us: Ours, peers: Sequence[Side], words: str, picture: bytes, count: int) -> list[Number]:
    """One request to each side, again and again: whatever else the machine does meets all of them."""
    sides: list[Side] = [us, *peers]
    for side in sides:
        for _ in range(WARM_UP):
            await checked(side, picture)
    us.timings.clear()
    spent: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(count):
        for side in sides:
            spent[side.name].append(await checked(side, picture) * 1000)
    own = spent[us.name]
    inside = statistics.median(job["run"] for job in us.timings)
    numbers = [
        Number(
            f"predict of {words}, 1 in flight",
            "ms",
            own,
            beside=f"the model itself {inside:.3g} ms; {timings(us.timings)}",
        )
    ]
    for peer, goal in zip(peers, (2.5, None), strict=True):
        numbers.append(Number(f"{peer.name}, the same", "ms", spent[peer.name]))
        numbers.append(Number(f"predict over {peer.name}, {words}", "x", ratios(own, spent[peer.name]), goal=goal))
    return numbers


def ratios(one: list[float], other: list[float]) -> list[float]:
    """The ratio of the medians, round by round."""
    starts = range(0, len(one), ROUND)
    return [statistics.median(one[n : n + ROUND]) / statistics.median(other[n : n + ROUND]) for n in starts]


async def beside_docker_run(bench: Bench, us: Ours, words: str, picture: bytes, count: int) -> list[Number]:
    """The same picture through `predict` and through `docker run` of the same image, in turn."""
    version = await gray_version(bench)
    by_hand, times = [], []
    for _ in range(count):
        seconds = await run_by_hand(bench.docker, version["docker_image"], picture)
        by_hand.append(seconds)
        times.append(seconds / statistics.median([await checked(us, picture) for _ in range(3)]))
    return [
        Number(f"docker run of the gray model's image, {words}", "s", by_hand),
        Number(f"docker run over predict, {words}", "x", times, goal=20.0, at_least=True),
    ]
