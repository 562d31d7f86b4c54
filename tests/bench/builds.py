"""How long a package takes to become READY."""

from typing import Any

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import build, example_package
from tests.client import Client


async def measure_builds(bench: Bench) -> list[Number]:
    """The first build of a data folder, then new code on the same requirements."""
    async with Client(bench.platform.url) as client, client.live() as live:
        await live.next()
        first, version = await build(client, live, example_package(), "cold")
        cold = Number(
            "package uploaded → READY, only the base image cached", "s", [first], goal=10.0, beside=phases(version)
        )
        times = []
        for n in range(bench.times(3)):
            seconds, version = await build(client, live, example_package(f"\n# {n}\n"), f"warm-{n}")
            times.append(seconds)
        again = Number("the same requirements, new code → READY", "s", times, goal=4.0)
        return [cold, again.with_(beside=f"{again.p50 / first:.2f} of the first build; {phases(version)}")]


def phases(version: dict[str, Any]) -> str:
    """Where the time of a build went, the longest first."""
    spent = {str(p["name"]): (p["ms"] or 0.0) / 1000 for p in version["phases"]}
    longest = sorted(spent, key=lambda name: -spent[name])[:3]
    return ", ".join(f"{name} {spent[name]:.2g} s" for name in longest if spent[name])
