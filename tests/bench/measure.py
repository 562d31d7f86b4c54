"""The measurements, each through the doors that users use: REST, presigned URLs and the WebSocket."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import nats
from nats.js.api import StorageType, StreamConfig

from tests.bench.numbers import Number
from tests.client import Client, Live
from tests.conftest import make_zip
from tests.platforms import ROOT, TestPlatform

MIB = 1024**2
SOCKETS_AT_ONCE, TICKETS_PER_S = 50, 80
"""Below the default limit of requests of one user."""
BY_HAND = """
import sys, predict
open("/tmp/image.jpg", "wb").write(sys.stdin.buffer.read())
print(predict.run("/tmp/image.jpg", "/tmp"))
"""
BY_HAND_OPTIONS = (
    "run --rm --interactive --network none --workdir /app --entrypoint /opt/venv/bin/python".split()  # noqa: SIM905
)
"""What a person would run in the image without a platform: no limits, no upload, no record of it."""


def example_package(comment: str = "") -> bytes:
    """The example model; `comment` makes other code of it."""
    folder = ROOT / "example-model"
    return make_zip(
        {
            "predict.py": (folder / "predict.py").read_text() + comment,
            "requirements.txt": (folder / "requirements.txt").read_text(),
        }
    )


def sample_image() -> bytes:
    """The picture that ships with the example model."""
    return (ROOT / "example-model" / "sample.jpg").read_bytes()


async def end_of(live: Live, object_id: str) -> tuple[dict[str, Any], float]:
    """The end event of an object, and when it came in (seconds of this machine's clock)."""
    ends = ("READY", "SUCCEEDED", "FAILED", "CANCELED")
    frame = await live.until(
        lambda f: f["type"] == "event" and f["data"]["id"] == object_id and f["data"]["status"] in ends, timeout_s=600
    )
    return frame, time.time()


async def build(client: Client, live: Live, package: bytes, number: str) -> tuple[float, dict[str, Any]]:
    """Seconds from `build` of an uploaded package to its READY at the client, and the version."""
    version_id = await client.upload(package, number=number)
    started = time.time()
    await client.post(f"/api/models/versions/{version_id}/build")
    frame, ended = await end_of(live, version_id)
    assert frame["data"]["status"] == "READY", frame["data"]
    return ended - started, await client.get(f"/api/models/versions/{version_id}")


async def builds(client: Client, live: Live, warm: int) -> tuple[list[Number], dict[str, Any]]:
    """The first build of a data folder, then new code on the same requirements."""
    first, version = await build(client, live, example_package(), "cold")
    cold = Number(
        "package uploaded → READY, only the base image cached", "s", [first], goal=10.0, beside=phases(version)
    )
    times = []
    for n in range(warm):
        seconds, version = await build(client, live, example_package(f"\n# {n}\n"), f"warm-{n}")
        times.append(seconds)
    again = Number("the same requirements, new code → READY", "s", times, goal=4.0)
    beside = f"{again.p50 / first:.2f} of the first build; {phases(version)}"
    return [cold, Number(again.name, again.unit, times, goal=again.goal, beside=beside)], version


def phases(version: dict[str, Any]) -> str:
    """Where the time of a build went, the longest first."""
    spent = {str(p["name"]): (p["ms"] or 0.0) / 1000 for p in version["phases"]}
    longest = sorted(spent, key=lambda name: -spent[name])[:3]
    return ", ".join(f"{name} {spent[name]:.2g} s" for name in longest if spent[name])


async def runs(client: Client, live: Live, version: dict[str, Any], docker: list[str], count: int) -> list[Number]:
    """Cold jobs, each beside one `docker run` of the same image on the same picture."""
    image, ours, theirs, inner = sample_image(), [], [], []
    for _ in range(count):
        made = await client.post("/api/jobs/", {"version_id": version["id"]})
        await client.put_object(made["upload_url"], image)
        started = time.time()
        await client.post(f"/api/jobs/{made['job_id']}/run")
        frame, ended = await end_of(live, made["job_id"])
        assert frame["data"]["status"] == "SUCCEEDED", frame["data"]
        ours.append(ended - started)
        inner.append(frame["data"]["timings"])
        theirs.append(await asyncio.to_thread(run_by_hand, docker, version["docker_image"], image))
    by_hand = Number("docker run of the same image, by hand", "s", theirs)
    own = Number("run → SUCCEEDED, a cold container each", "s", ours, goal=1.0)
    beside = f"{own.p50 / by_hand.p50:.2f} of docker run; {timings(inner)}"
    return [Number(own.name, own.unit, ours, goal=own.goal, beside=beside), by_hand]


def timings(jobs: list[dict[str, float]]) -> str:
    """The three longest phases of jobs, mean of all."""
    names = {name for job in jobs for name in job if name != "total"}
    spent = {name: sum(job.get(name, 0.0) for job in jobs) / len(jobs) for name in names}
    return ", ".join(f"{name} {spent[name]:.0f} ms" for name in sorted(spent, key=lambda n: -spent[n])[:3])


def run_by_hand(docker: list[str], image: str, picture: bytes) -> float:
    """Seconds of one `docker run`."""
    started = time.perf_counter()
    done = subprocess.run(
        [*docker, *BY_HAND_OPTIONS, image, "-c", BY_HAND],
        input=picture,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"docker run of {image} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    assert b"width" in done.stdout
    return time.perf_counter() - started


async def frames(
    platform: TestPlatform, client: Client, live: Live, version: dict[str, Any], count: int
) -> list[Number]:
    """From a state change in the database to its frame at this client, on one clock; in turn with the least it takes.

    The change is a cancel through the gateway, so that no container runs beside it. Its `updated_at` is the start of
    the transaction: the commit itself, publishing, the stream's fsync and the way through the edge are all inside.
    """
    late, least = [], []
    async with commit_and_publish(platform) as once:
        for _ in range(count):
            job_id = (await client.post("/api/jobs/", {"version_id": version["id"]}))["job_id"]
            canceling = asyncio.create_task(client.post(f"/api/jobs/{job_id}/cancel"))
            frame, came = await end_of(live, job_id)
            await canceling
            late.append((came - datetime.fromisoformat(frame["data"]["updated_at"]).timestamp()) * 1000)
            least.append(await once())
    floor = Number("one commit and one stored message, bare", "ms", least)
    frame_ = Number("commit of a state change → frame at the client", "ms", late, goal=15.0)
    beside = f"{frame_.p50 / floor.p50:.2f} of a bare commit and publish"
    return [Number(frame_.name, frame_.unit, late, goal=frame_.goal, beside=beside), floor]


@asynccontextmanager
async def commit_and_publish(platform: TestPlatform) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A function that commits one change, publishes one message that is stored, and returns the milliseconds."""
    database = await asyncpg.connect(platform.env["CLINAI_DATABASE_URL"])
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    js = bus.jetstream()
    await js.add_stream(StreamConfig(name="BENCH", subjects=["bench"], storage=StorageType.FILE))

    async def once() -> float:
        started = time.perf_counter()
        await database.execute("UPDATE workers SET info = info WHERE service = 'notifier'")
        await js.publish("bench", b"x" * 500)
        return (time.perf_counter() - started) * 1000

    try:
        yield once
    finally:
        await js.delete_stream("BENCH")
        await bus.close()
        await database.close()


async def idle_sockets(platform: TestPlatform, client: Client, count: int) -> Number:
    """What idle sockets cost the notifier."""
    before = part_memory(platform, "notifier")
    async with AsyncExitStack() as stack:
        for n in range(0, count, SOCKETS_AT_ONCE):
            at_once = min(SOCKETS_AT_ONCE, count - n)
            await asyncio.gather(*[stack.enter_async_context(client.live()) for _ in range(at_once)])
            await asyncio.sleep(SOCKETS_AT_ONCE / TICKETS_PER_S)
        each = (part_memory(platform, "notifier") - before) / count / 1024
    return Number(f"memory of the notifier for each of {count} idle sockets", "KiB", [each])


def part_memory(platform: TestPlatform, name: str) -> int:
    """Bytes of one part, shared pages counted once."""
    return next(int(part["memory_bytes"]) for part in platform.status()["parts"] if part["name"] == name)


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


def docker_command(platform: TestPlatform) -> list[str]:
    """The `docker` that talks to the platform's engine."""
    return ["docker", "--host", platform.env["CLINAI_DOCKER_HOST"]]


def commit(root: Path = ROOT) -> str:
    """The commit that is measured, with a mark when the tree differs from it."""
    return subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()


def missed(numbers: Iterable[Number]) -> list[str]:
    """Names of the numbers that miss their goal."""
    return [number.name for number in numbers if number.met is False]
