"""A part is killed, hangs or is away while jobs run: every job ends right, once (design, sections 4, 5)."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import events_of
from tests.client import Client
from tests.conftest import make_zip
from tests.leftovers import nothing_left
from tests.platforms import TestPlatform

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("part", ["nats", "postgres", "storage", "api", "notifier", "runner", "builder"])
async def test_part_killed_while_jobs_run(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, part: str
) -> None:
    job_ids = [await owner.submit(ready["id"], photo) for _ in range(3)]
    platform.part("kill", part)
    for job_id in job_ids:
        job = await owner.job_end(job_id, timeout_s=90)
        assert job["status"] == "SUCCEEDED", job
    await nothing_left(platform, ready["id"], at_once=3)
    await owner.until("/api/health", lambda health: health["status"] == "ok")


async def test_a_storm_loses_nothing_and_doubles_nothing(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes
) -> None:
    """50 jobs, and one part after the other killed meanwhile: each job has one end, and its own outputs."""
    photos = [photo + bytes([n]) for n in range(50)]  # what follows a PNG's end is nobody's concern
    job_ids: dict[int, str] = {}

    async def submit(n: int) -> None:
        made = await insist(lambda: owner.post("/api/jobs/", {"version_id": ready["id"]}))
        await insist(lambda: owner.put_object(made["upload_url"], photos[n]))
        await insist(lambda: run_once(owner, made["job_id"]))
        job_ids[n] = made["job_id"]

    async def strike() -> None:
        for part in ("runner", "api", "nats", "postgres", "runner", "notifier", "storage", "runner"):
            await asyncio.sleep(1)
            await asyncio.to_thread(platform.part, "kill", part)

    async with asyncio.TaskGroup() as group:
        group.create_task(strike())
        for n in range(50):
            group.create_task(submit(n))
    for n, job_id in job_ids.items():
        job = await owner.job_end(job_id, timeout_s=180)
        assert job["status"] == "SUCCEEDED", job
        assert await owner.outputs(job_id) == {"copy.png": photos[n]}
    for job_id in job_ids.values():
        events = await events_of(platform, job_id)
        assert (events[0], events[-1]) == ("submitted", "succeeded"), events
        assert events.count("succeeded") == 1, events
    listed = await owner.get("/api/jobs/", params={"version_id": ready["id"], "limit": 100})
    assert {job["id"] for job in listed["items"]} >= set(job_ids.values())


async def insist(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Try until it works: parts are restarting."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await attempt()
            except httpx.HTTPError:
                await asyncio.sleep(0.3)


async def run_once(owner: Client, job_id: str) -> None:
    """Queue a job; when an answer was lost, the second try finds it started."""
    answer = await owner.http.post(f"/api/jobs/{job_id}/run")
    if answer.status_code != 409 or answer.json()["code"] != "ALREADY_STARTED":
        answer.raise_for_status()


async def test_a_runner_that_hangs_is_overtaken_and_its_result_discarded(
    platform: TestPlatform, owner: Client, photo: bytes
) -> None:
    """Stopped for longer than its lease, then it goes on: two epochs, one end."""
    package = make_zip(
        {
            "predict.py": "import time\n\ndef run(input_path, output_dir):\n    time.sleep(3)\n    return {'n': 1}\n",
            "requirements.txt": "",
        }
    )
    version = await owner.build(package)
    [pid] = [part["pid"] for part in platform.status()["parts"] if part["name"] == "runner"]
    job_id = await owner.submit(version["id"], photo)
    await owner.until(f"/api/jobs/{job_id}", lambda job: job["status"] == "RUNNING")
    os.kill(pid, signal.SIGSTOP)
    try:
        await owner.until(f"/api/jobs/{job_id}", lambda job: job["status"] == "QUEUED", timeout_s=60)
    finally:
        os.kill(pid, signal.SIGCONT)
    job = await owner.job_end(job_id)
    assert job["status"] == "SUCCEEDED", job
    events = await events_of(platform, job_id)
    assert events == ["submitted", "running", "submitted", "running", "succeeded"]


@pytest.mark.parametrize("part", ["postgres", "storage", "registry"])
async def test_part_away_for_ten_seconds(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, part: str
) -> None:
    job_ids = [await owner.submit(ready["id"], photo) for _ in range(6)]
    await asyncio.to_thread(platform.part, "stop", part)
    try:
        await asyncio.sleep(10)
    finally:
        await asyncio.to_thread(platform.part, "start", part)
    for job_id in job_ids:
        job = await owner.job_end(job_id, timeout_s=90)
        assert job["status"] == "SUCCEEDED", job
        assert (await events_of(platform, job_id)).count("succeeded") == 1


async def test_stopped_runner_hands_back_what_it_holds(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes
) -> None:
    job_ids = [await owner.submit(ready["id"], photo) for _ in range(4)]
    platform.part("stop", "runner")
    platform.part("start", "runner")
    for job_id in job_ids:
        assert (await owner.job_end(job_id))["status"] == "SUCCEEDED"
        assert (await events_of(platform, job_id)).count("succeeded") == 1
