"""`python -m tests.bench`: measure on a platform of its own, print one table, keep every sample as JSON."""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from tests.bench.group import Bench, Group, say
from tests.bench.groups import GROUPS
from tests.bench.numbers import Number, commit, missed, save, show
from tests.bench.peers.environment import bench_folder
from tests.platforms import ROOT, TestPlatform


def chosen(only: str, groups: Sequence[Group] = GROUPS) -> list[Group]:
    """The groups that `only` names, separated by commas, in their own order; else all that run without being named."""
    names = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := names - {group.name for group in groups}:
        known = ", ".join(group.name for group in groups)
        raise SystemExit(f"error: no group is called {', '.join(sorted(unknown))}; there are {known}")
    return [group for group in groups if group.name in names or not (names or group.asked)]


def on_one_platform(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups that may share a platform, as lists; one that wants to be alone is a list of its own."""

    def platform_of(group: Group) -> object:
        return group.name if group.alone else sorted(group.settings.items())

    for _, together in groupby(groups, platform_of):
        yield list(together)


@contextmanager
def fresh_platform(settings: dict[str, str]) -> Iterator[TestPlatform]:
    """A started platform of which nothing stays, in its folder or in the engine."""
    with tempfile.TemporaryDirectory(prefix="clinai-bench-") as folder:
        platform = TestPlatform(Path(folder) / "data", f"bench-{secrets.token_hex(4)}", **settings)
        try:
            say("starting a platform" + "".join(f" {name}={value}" for name, value in settings.items()))
            yield platform.start()
        finally:
            platform.remove()


def measure(groups: Sequence[Group], scale: float) -> tuple[list[Number], list[str]]:
    """Run the groups; returns what they measured, and the names of those that broke."""
    numbers: list[Number] = []
    broken: list[str] = []
    for together in on_one_platform(groups):
        with fresh_platform(dict(together[0].settings)) as platform:
            bench = Bench(platform, scale)
            for group in together:
                say(f"{group.name}: {group.about}")
                try:
                    numbers += asyncio.run(group.measure(bench))
                except Exception:
                    traceback.print_exc()
                    broken.append(group.name)
    return numbers, broken


def main() -> int:
    """Measure; the status is 1 when a group broke, and with --check when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="GROUP,GROUP", help="measure these groups, not all")
    parser.add_argument("--list", action="store_true", help="show the groups and end")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the samples")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a goal is missed")
    args = parser.parse_args()
    if args.list:
        for group in GROUPS:
            print(f"{group.name:12} {group.about}{' (only when named)' if group.asked else ''}")
        return 0
    load_before = os.getloadavg()[0]
    numbers, broken = measure(chosen(args.only), args.scale)
    if numbers:
        show(numbers, load_before)
        path = save(numbers, bench_folder(), commit(ROOT), load_before)
        print(f"every sample: {path}")
    if broken:
        print(f"could not be measured (see above): {', '.join(broken)}")
    return 1 if broken or (args.check and missed(numbers)) else 0


if __name__ == "__main__":
    sys.exit(main())
