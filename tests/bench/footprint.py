"""What a platform takes when nothing happens, and how soon a stopped one is back."""

import asyncio
import time

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import MIB, built, example_package, sample_image
from tests.client import Client
from tests.platforms import TestPlatform

SETTLE_S = 15.0
"""Quiet before memory is read: what starting took has been given back by then."""


async def measure_footprint(bench: Bench) -> list[Number]:
    """Memory of all parts, idle after the start and idle after work; then the demo on that data folder, stopped."""
    await asyncio.sleep(SETTLE_S)
    after_start = memory(bench.platform, "idle after start")
    async with Client(bench.platform.url) as client:
        version = await built(client, example_package())
        for _ in range(bench.times(20)):
            await client.run(version["id"], sample_image())
    await asyncio.sleep(SETTLE_S)
    after_work = memory(bench.platform, "idle after a build and jobs")
    return [after_start, after_work, await asyncio.to_thread(second_demo, bench.platform)]


def memory(platform: TestPlatform, when: str) -> Number:
    """Memory of every part and of the launcher, without the container engine."""
    status = platform.status()
    parts = {str(p["name"]): p["memory_bytes"] / MIB for p in status["parts"] if p["memory_bytes"]}
    parts["launcher"] = status["supervisor_memory_bytes"] / MIB
    largest = sorted(parts, key=lambda name: -parts[name])
    beside = ", ".join(f"{name} {parts[name]:.0f}" for name in largest)
    return Number(
        f"memory of all parts, {when}", "MiB", [sum(parts.values())], goal=900.0, beside=beside, details=parts
    )


def second_demo(platform: TestPlatform) -> Number:
    """From nothing running to a result, on a data folder that has been used before."""
    platform.stop()
    started = time.perf_counter()
    said = platform.deploy("demo", timeout_s=300)
    seconds = time.perf_counter() - started
    assert "output image" in said, said
    return Number("second run of the demo, from stopped to a result", "s", [seconds], goal=20.0)
