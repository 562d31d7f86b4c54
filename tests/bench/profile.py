"""Where runner and api are while jobs come: py-spy on both, 16 jobs in flight. Only when it is asked for."""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.bench.group import Bench, say
from tests.bench.load import under_load
from tests.bench.numbers import Number
from tests.bench.peers.environment import bench_folder, programs
from tests.bench.sides import PICTURES, ours

PARTS = ("runner", "api")
SECONDS = 20
SAMPLES_PER_S = 200
LINES = 40
_LINE_NUMBER = re.compile(r":\d+\)$")


async def measure_profile(bench: Bench) -> list[Number]:
    """Write `.clinai/bench/profile-<part>.txt`: functions by their own time and by that of all they call."""
    parts = (await asyncio.to_thread(bench.platform.status))["parts"]
    pids = {str(part["name"]): int(part["pid"]) for part in parts if part["name"] in PARTS}
    picture = PICTURES["a thing on a plain ground"]()
    async with ours(bench) as us:
        await under_load(us, picture, 3.0)
        recording = [asyncio.create_task(recorded(pid)) for pid in pids.values()]
        await under_load(us, picture, SECONDS + 5.0)
        found = await asyncio.gather(*recording)
    folder = bench_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name, stacks in zip(pids, found, strict=True):
        path = folder / f"profile-{name}.txt"
        path.write_text(lesson(stacks))
        say(f"profile of {name}: {path}")
    return []


async def recorded(pid: int) -> str:
    """The stacks of a process in py-spy's raw form: `frame;frame;… count` lines, the outermost frame first.

    Raises RuntimeError when the process cannot be looked into, which takes root or ptrace rights.
    """
    path = bench_folder() / f"stacks-{pid}"
    path.parent.mkdir(parents=True, exist_ok=True)
    options = f"--pid {pid} --duration {SECONDS} --rate {SAMPLES_PER_S} --format raw --nonblocking --output".split()
    spy = await asyncio.create_subprocess_exec(
        programs() / "py-spy",
        "record",
        *options,
        path,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await spy.communicate()
    try:
        if spy.returncode or not path.exists():
            raise RuntimeError(f"py-spy ended with {spy.returncode}: {said.decode()[-1000:]}")
        return path.read_text()
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def lesson(stacks: str) -> str:
    """Both lists of functions with their share of the samples."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        names = [_LINE_NUMBER.sub(")", frame) for frame in frames.split(";")]
        own[names[-1]] += int(count)
        for name in set(names):
            whole[name] += int(count)
    samples = max(1, own.total())

    def rows(title: str, counted: Counter[str]) -> list[str]:
        return [title, *(f"{count / samples:6.1%} {name}" for name, count in counted.most_common(LINES)), ""]

    here = str(Path.cwd()) + "/"
    return "\n".join([*rows("by own time", own), *rows("with all that is called", whole)]).replace(here, "")
