"""The main job as a stranger does it: package in, image in, result out, all of it live."""

import io
from pathlib import Path
from typing import Any

import nats
import pytest
from PIL import Image

from tests.client import Client
from tests.conftest import make_zip
from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.e2e


def example_package(comment: str = "") -> bytes:
    """The example model as a ZIP; `comment` makes it another package."""
    folder = ROOT / "example-model"
    return make_zip(
        {
            "predict.py": (folder / "predict.py").read_text() + comment,
            "requirements.txt": (folder / "requirements.txt").read_text(),
        }
    )


def sample_image() -> Path:
    """The image that ships with the example model."""
    found = [p for p in (ROOT / "example-model").iterdir() if p.suffix in (".png", ".jpg")]
    assert found, "example-model has no sample image"
    return found[0]


async def test_example_model_from_upload_to_output(platform: TestPlatform, client: Client) -> None:
    on_bus: list[str] = []

    async def note(message: Any) -> None:
        on_bus.append(message.subject)

    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    for subject in ("version.>", "job.>"):
        await bus.subscribe(subject, cb=note)
    async with client.live() as live:
        assert (await live.next())["type"] == "ready"
        version_id = await client.upload(example_package())
        await live.send(op="subscribe", topic=f"version:{version_id}")
        answer = await client.post(f"/api/models/versions/{version_id}/build")
        assert answer["version_id"] == version_id
        assert answer["status"] in ("QUEUED", "BUILDING")
        await live.until(
            lambda f: f["type"] == "event" and f["event"] in ("version.ready", "version.failed"), timeout_s=120
        )
        version = await client.get(f"/api/models/versions/{version_id}")
        assert version["status"] == "READY", version
        assert version["docker_image_digest"].startswith("sha256:")
        assert len(version["package_sha256"]) == 64
        assert version["build_logs"]
        assert live.events(version_id) == ["version.uploaded", "version.building", "version.ready"]
        assert len(live.lines(f"version:{version_id}")) > 5

        photo = sample_image().read_bytes()
        job_id = await client.submit(version_id, photo)
        await live.until(lambda f: f["type"] == "event" and f["event"] in ("job.succeeded", "job.failed"))
        job = await client.get(f"/api/jobs/{job_id}")
        assert job["status"] == "SUCCEEDED", job
        assert live.events(job_id) == ["job.submitted", "job.running", "job.succeeded"]
        assert isinstance(job["result"], dict)
        assert job["timings"]["run"] > 0
    outputs = await client.outputs(job_id)
    pictures = [Image.open(io.BytesIO(data)) for data in outputs.values()]
    assert [picture.size for picture in pictures] == [Image.open(io.BytesIO(photo)).size]
    red, green, blue = pictures[0].convert("RGB").split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()
    found = await client.get(f"/api/jobs/{job_id}/outputs")
    assert found["output_urls"] == [output["url"] for output in found["outputs"]]
    for kind, object_id in (("version", version_id), ("job", job_id)):
        verbs = [s.split(".")[1] for s in on_bus if s.startswith(f"{kind}.") and s.endswith(object_id)]
        assert len(verbs) == 3
    await bus.close()


async def test_same_dependencies_with_new_code_reuse_the_dependency_image(client: Client) -> None:
    first = await client.build(example_package())
    second = await client.build(example_package("\n# another version\n"), number="v2")
    assert (first["status"], second["status"]) == ("READY", "READY")
    assert first["package_sha256"] != second["package_sha256"]
    assert first["docker_image_digest"] != second["docker_image_digest"]


async def test_reconnect_with_since_gets_exactly_what_was_missed(client: Client, photo: bytes) -> None:
    version_id = (await client.build(example_package()))["id"]
    async with client.live() as live:
        start = (await live.next())["seq"]
    job_ids = [await client.submit(version_id, photo) for _ in range(3)]
    for job_id in job_ids:
        await client.job_end(job_id)
    async with client.live(since=start) as live:
        ends = 0
        while ends < 3:
            frame = await live.next()
            ends += frame["type"] == "event" and frame["event"] == "job.succeeded"
        for job_id in job_ids:
            assert live.events(job_id) == ["job.submitted", "job.running", "job.succeeded"]
        sequence = [frame["seq"] for frame in live.frames if frame["type"] == "event"]
        assert sequence == sorted(set(sequence))
        middle = sequence[len(sequence) // 2]
    async with client.live(since=middle) as live:
        await live.next()
        rest = [await live.next() for _ in range(len(sequence) - len(sequence) // 2 - 1)]
        assert [frame["seq"] for frame in rest] == [seq for seq in sequence if seq > middle]


async def test_log_lines_of_a_finished_build_come_again_from_the_start(client: Client) -> None:
    version_id = (await client.build(example_package()))["id"]
    stored = (await client.http.get(f"/api/models/versions/{version_id}/logs")).raise_for_status().text.splitlines()
    async with client.live() as live:
        await live.send(op="subscribe", topic=f"version:{version_id}")
        while len(live.lines(f"version:{version_id}")) < len(stored):
            await live.next()
        assert live.lines(f"version:{version_id}") == stored
