"""How long a package takes to become READY, and how much of it is done again when only something changed."""

from typing import Any

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import build, example_package
from tests.client import Client, Live

NEW_WHEELS = ("six==1.17.0", "idna==3.10", "toolz==1.0.0", "zipp==3.21.0", "iniconfig==2.1.0", "cycler==0.12.1")
"""One more requirement each time, beside those of the example."""


async def measure_builds(bench: Bench) -> list[Number]:
    """The first build of a data folder; then in turn new code, the very same package, and one more wheel."""
    code: list[float] = []
    same: list[float] = []
    wheel: list[float] = []
    last: dict[str, dict[str, Any]] = {}
    async with Client(bench.platform.url) as client, client.live() as live:
        await live.next()
        first, version = await build(client, live, example_package(), "cold")
        cold = Number(
            "package uploaded → READY, only the base image cached", "s", [first], goal=10.0, beside=phases(version)
        )
        for n in range(min(bench.times(3), len(NEW_WHEELS))):
            package = example_package(f"\n# {n}\n")
            for times, name, data in (
                (code, "code", package),
                (same, "same", package),
                (wheel, "wheel", example_package(requirements=f"{NEW_WHEELS[n]}\n")),
            ):
                seconds, last[name] = await _build(client, live, data, f"{name}-{n}")
                times.append(seconds)
    return [
        cold,
        _beside(Number("the same requirements, new code → READY", "s", code, goal=2.0), first, last["code"]),
        _beside(Number("the very same package → READY", "s", same, goal=0.3), first, last["same"]),
        _beside(Number("one more wheel, the others known → READY", "s", wheel, goal=4.0), first, last["wheel"]),
    ]


async def _build(client: Client, live: Live, package: bytes, number: str) -> tuple[float, dict[str, Any]]:
    await client.login()  # a slow machine outlives a token
    return await build(client, live, package, number)


def _beside(number: Number, first: float, version: dict[str, Any]) -> Number:
    return number.with_(beside=f"{number.p50 / first:.3f} of the first build; {phases(version)}")


def phases(version: dict[str, Any]) -> str:
    """Where the time of a build went, the longest first."""
    spent = {str(p["name"]): (p["ms"] or 0.0) / 1000 for p in version["phases"]}
    longest = sorted(spent, key=lambda name: -spent[name])[:3]
    return ", ".join(f"{name} {spent[name]:.2g} s" for name in longest if spent[name])
