"""A service dies by SIGKILL between any two steps: every version and job ends right, once (design, sections 4, 5).

A file named like a point of `shared/crashpoints.py` kills whoever reaches it, once. The supervisor starts the
service again; nothing else helps.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import events_of
from tests.client import Client
from tests.conftest import make_zip
from tests.leftovers import nothing_left
from tests.platforms import TestPlatform

pytestmark = pytest.mark.chaos

JOB_POINTS = [
    "job.claimed",
    "job.input",
    "job.image",
    "job.sandbox",
    "job.upload",
    "job.log",
    "job.handled",
    "job.committed",
    "job.published",
]
VERSION_POINTS = [
    "version.claimed",
    "version.fetch",
    "version.check",
    "version.resolve",
    "version.dependencies",
    "version.image",
    "version.smoke_test",
    "version.push",
    "version.handled",
    "version.committed",
    "version.published",
]


async def struck(marker: Path) -> None:
    """Wait until somebody has died of it: some points lie behind the event that the test has waited for."""
    async with asyncio.timeout(20):
        while os.path.exists(marker):  # noqa: ASYNC110, ASYNC240, PTH110
            await asyncio.sleep(0.1)


def arm(platform: TestPlatform, point: str) -> Path:
    """Have the next process that reaches the point killed."""
    marker = platform.data / "crash" / point
    marker.touch()
    return marker


@pytest.mark.parametrize("point", JOB_POINTS)
async def test_runner_dies_at(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, point: str
) -> None:
    marker = arm(platform, point)
    job_id = await owner.submit(ready["id"], photo)
    job = await owner.job_end(job_id, timeout_s=60)
    await struck(marker)
    assert job["status"] == "SUCCEEDED", job
    assert await owner.outputs(job_id) == {"copy.png": photo}
    assert (await owner.http.get(f"/api/jobs/{job_id}/logs")).text == "at work\n"
    events = await events_of(platform, job_id)
    assert events[0] == "submitted"
    assert events.count("succeeded") == 1
    assert events[-1] == "succeeded"
    assert "failed" not in events
    await nothing_left(platform, ready["id"])


@pytest.mark.parametrize("point", VERSION_POINTS)
async def test_builder_dies_at(platform: TestPlatform, owner: Client, photo: bytes, point: str) -> None:
    marker = arm(platform, point)
    # A package of its own: an identical one would be READY without a build.
    package = make_zip(
        {
            "predict.py": f"# {point}\ndef run(input_path, output_dir):\n    return {{'ok': True}}\n",
            "requirements.txt": "",
        }
    )
    version = await owner.build(package)
    await struck(marker)
    assert version["status"] == "READY", version
    events = await events_of(platform, version["id"])
    assert events.count("ready") == 1
    assert events[-1] == "ready"
    job = await owner.run(version["id"], photo)
    assert (job["status"], job["result"]) == ("SUCCEEDED", {"ok": True})
    await nothing_left(platform, version["id"])


@pytest.mark.parametrize("point", ["outbox.publish", "outbox.mark"])
async def test_event_survives_a_death_between_commit_and_publish(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, point: str
) -> None:
    made = await owner.post("/api/jobs/", {"version_id": ready["id"]})
    await owner.put_object(made["upload_url"], photo)
    marker = arm(platform, point)
    # The API may die in the middle of its answer; what it committed before counts.
    with suppress(httpx.HTTPError):
        await owner.post(f"/api/jobs/{made['job_id']}/run")
    job = await owner.job_end(made["job_id"])
    await struck(marker)
    assert job["status"] == "SUCCEEDED", job
    events = await events_of(platform, made["job_id"])
    assert events.count("submitted") >= 1
    assert events.count("succeeded") == 1
