"""`python -m tests.bench`: measure on a platform of its own, print one table, keep every sample as JSON."""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import measure
from tests.bench.numbers import Number, save, show
from tests.client import Client
from tests.platforms import ROOT, TestPlatform

SETTLE_S = 15.0
"""Quiet before memory is read: what starting took has been given back by then."""


def say(text: str) -> None:
    """Progress, beside the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def _measure(platform: TestPlatform, args: argparse.Namespace) -> list[Number]:
    numbers: list[Number] = []
    say(f"idle for {SETTLE_S:.0f} s, then memory")
    await asyncio.sleep(SETTLE_S)
    numbers.append(measure.memory(platform, "idle after start"))
    async with Client(platform.url) as client, client.live() as live:
        await live.next()
        say(f"builds: 1 from nothing, {args.builds} with new code")
        found, version = await measure.builds(client, live, args.builds)
        numbers += found
        say(f"jobs: {args.jobs}, each beside a docker run")
        numbers += await measure.runs(client, live, version, measure.docker_command(platform), args.jobs)
        say(f"frames: {args.frames}")
        await client.login()
        numbers += await measure.frames(platform, client, live, version, args.frames)
        say(f"sockets: {args.sockets}")
        numbers.append(await measure.idle_sockets(platform, client, args.sockets))
    say(f"idle for {SETTLE_S:.0f} s, then memory again")
    await asyncio.sleep(SETTLE_S)
    numbers.append(measure.memory(platform, "idle after all this"))
    return numbers


def main() -> int:
    """Measure; with --check the exit status says whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--builds", type=int, default=3, help="builds with new code on the same requirements")
    parser.add_argument("--jobs", type=int, default=20, help="cold jobs, each beside a docker run")
    parser.add_argument("--frames", type=int, default=100, help="state changes whose frames are awaited")
    parser.add_argument("--sockets", type=int, default=500, help="idle WebSockets")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a goal is missed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clinai-bench-") as folder:
        platform = TestPlatform(Path(folder) / "data", f"bench-{secrets.token_hex(4)}")
        try:
            say("starting a platform of its own")
            platform.start()
            numbers = asyncio.run(_measure(platform, args))
            say("stopping it, then the demo on what is there")
            numbers.append(measure.second_demo(platform))
        finally:
            # its images go, too: a bench that is run daily must not fill the engine's disk
            platform.deploy("reset", "--yes")
    show(numbers)
    path = save(numbers, Path(os.environ.get("CLINAI_DATA") or ROOT / ".clinai") / "bench", measure.commit())
    print(f"every sample: {path}")
    missed = measure.missed(numbers)
    return 1 if missed and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
