"""What several groups do, through the doors that users use: REST, presigned URLs and the WebSocket."""

import asyncio
import subprocess
import time
from typing import Any

from tests.bench.group import Bench
from tests.client import Client, Live
from tests.conftest import make_zip
from tests.platforms import ROOT, TestPlatform

MIB = 1024**2
BY_HAND = """
import sys, predict
open("/tmp/image.jpg", "wb").write(sys.stdin.buffer.read())
print(predict.run("/tmp/image.jpg", "/tmp"))
"""
BY_HAND_OPTIONS = (
    "run --rm --interactive --network none --workdir /app --entrypoint /opt/venv/bin/python".split()  # noqa: SIM905
)
"""What a person would run in the image without a platform: no limits, no upload, no record of it."""


def example_package(comment: str = "", *, requirements: str = "") -> bytes:
    """The example model; `comment` makes other code of it, `requirements` are added to its own."""
    folder = ROOT / "example-model"
    return make_zip(
        {
            "predict.py": (folder / "predict.py").read_text() + comment,
            "requirements.txt": (folder / "requirements.txt").read_text() + requirements,
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


async def built(client: Client, package: bytes, **where: Any) -> dict[str, Any]:
    """Upload and build a package; the version, READY. Patient, for machines that do much else."""
    version_id = await client.upload(package, **where)
    await client.post(f"/api/models/versions/{version_id}/build")
    version = await client.version_end(version_id, timeout_s=600)
    assert version["status"] == "READY", version
    return version


async def example_version(bench: Bench) -> dict[str, Any]:
    """A READY version of the example model that everybody may run; built once on each platform."""
    if "example" not in bench.kept:
        async with Client(bench.platform.url) as client:
            model_id = await client.create_model("bench", is_public=True)
            bench.kept["example"] = await built(client, example_package(), model_id=model_id)
    return bench.kept["example"]  # type: ignore[no-any-return]


async def run_by_hand(docker: list[str], image: str, picture: bytes) -> float:
    """Seconds of one `docker run`."""
    started = time.perf_counter()
    done = await asyncio.to_thread(
        subprocess.run,
        [*docker, *BY_HAND_OPTIONS, image, "-c", BY_HAND],
        input=picture,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"docker run of {image} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    assert b"width" in done.stdout
    return time.perf_counter() - started


def timings(jobs: list[dict[str, float]]) -> str:
    """The three longest phases of jobs, mean of all."""
    names = {name for job in jobs for name in job if name != "total"}
    spent = {name: sum(job.get(name, 0.0) for job in jobs) / len(jobs) for name in names}
    return ", ".join(f"{name} {spent[name]:.0f} ms" for name in sorted(spent, key=lambda n: -spent[n])[:3])


def part_memory(platform: TestPlatform, name: str) -> int:
    """Bytes of one part, shared pages counted once."""
    return next(int(part["memory_bytes"]) for part in platform.status()["parts"] if part["name"] == name)
