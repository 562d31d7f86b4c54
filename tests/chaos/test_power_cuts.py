"""A service dies by SIGKILL between any two steps: every version and job ends right, once (design, sections 4, 5).

A file named like a point of `shared/crashpoints.py` kills whoever reaches it, once. The supervisor starts the
service again; nothing else helps.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.client import Client
from tests.conftest import make_zip
from tests.e2e.test_job_ends import containers
from tests.platforms import TestPlatform

pytestmark = pytest.mark.chaos

PACKAGE = make_zip(
    {
        "predict.py": (
            "from pathlib import Path\n\n"
            "def run(input_path, output_dir):\n"
            "    print('at work')\n"
            "    (Path(output_dir) / 'copy.png').write_bytes(Path(input_path).read_bytes())\n"
            "    return {'ok': True}\n"
        ),
        "requirements.txt": "",
    }
)
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


async def events_of(platform: TestPlatform, object_id: str) -> list[str]:
    """Verbs of one object's events in the stream, each ce-id once."""
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    try:
        js = bus.jetstream()
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, filter_subject=f"*.*.*.{object_id}")
        subscription = await js.subscribe(f"*.*.*.{object_id}", stream="EVENTS", ordered_consumer=True, config=config)
        seen: dict[str, str] = {}
        while True:
            try:
                message = await subscription.next_msg(timeout=1)
            except nats.errors.TimeoutError:
                break
            assert message.headers
            seen.setdefault(message.headers["ce-id"], message.subject.split(".")[1])
        await subscription.unsubscribe()
        return list(seen.values())
    finally:
        await bus.close()


def arm(platform: TestPlatform, point: str) -> Path:
    """Have the next process that reaches the point killed."""
    marker = platform.data / "crash" / point
    marker.touch()
    return marker


@pytest.fixture(scope="module")
async def owner(platform: TestPlatform) -> Any:
    async with Client(platform.url) as user:
        yield user


@pytest.fixture(scope="module")
async def ready(owner: Client) -> dict[str, Any]:
    version = await owner.build(PACKAGE)
    assert version["status"] == "READY", version
    return version


@pytest.mark.parametrize("point", JOB_POINTS)
async def test_runner_dies_at(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, point: str
) -> None:
    marker = arm(platform, point)
    job_id = await owner.submit(ready["id"], photo)
    job = await owner.job_end(job_id, timeout_s=60)
    assert not marker.exists()
    assert job["status"] == "SUCCEEDED", job
    assert await owner.outputs(job_id) == {"copy.png": photo}
    assert (await owner.http.get(f"/api/jobs/{job_id}/logs")).text == "at work\n"
    events = await events_of(platform, job_id)
    assert events[0] == "submitted"
    assert events.count("succeeded") == 1
    assert events[-1] == "succeeded"
    assert "failed" not in events
    assert containers(platform, "sandbox") == []


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
    assert not marker.exists()
    assert version["status"] == "READY", version
    events = await events_of(platform, version["id"])
    assert events.count("ready") == 1
    assert events[-1] == "ready"
    job = await owner.run(version["id"], photo)
    assert (job["status"], job["result"]) == ("SUCCEEDED", {"ok": True})
    assert containers(platform, "build") == []
    assert containers(platform, "sandbox") == []


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
    assert not marker.exists()
    assert job["status"] == "SUCCEEDED", job
    events = await events_of(platform, made["job_id"])
    assert events.count("submitted") >= 1
    assert events.count("succeeded") == 1


@pytest.mark.parametrize("part", ["nats", "postgres", "storage", "api", "notifier", "runner", "builder"])
async def test_part_killed_while_jobs_run(
    platform: TestPlatform, owner: Client, ready: dict[str, Any], photo: bytes, part: str
) -> None:
    job_ids = [await owner.submit(ready["id"], photo) for _ in range(3)]
    platform.part("kill", part)
    for job_id in job_ids:
        job = await owner.job_end(job_id, timeout_s=90)
        assert job["status"] == "SUCCEEDED", job
    assert containers(platform, "sandbox") == []
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
