"""A runner dies in the middle of a batch, at any step: every input has one end, its own output, and nothing is left."""

import asyncio
import io
import json
import zipfile

import pytest

from shared.batches.outcomes import OUTCOMES
from shared.settings import Storage, load
from shared.storage import open_storage
from tests.chaos.conftest import events_of
from tests.chaos.test_power_cuts import arm
from tests.client import Client
from tests.conftest import make_zip
from tests.e2e.test_batches import BATCH, ended, send
from tests.leftovers import nothing_left
from tests.platforms import TestPlatform

pytestmark = pytest.mark.chaos

PACKAGE = make_zip(
    {
        "predict.py": (
            "import time\nfrom pathlib import Path\n\n"
            "def run(input_path, output_dir):\n"
            "    time.sleep(0.05)\n"
            "    (Path(output_dir) / 'copy.bin').write_bytes(Path(input_path).read_bytes())\n"
            "    return {'ok': True}\n"
        ),
        "requirements.txt": "",
    }
)
POINTS = [
    "chunk.claimed",
    "chunk.input",
    "chunk.first",
    "chunk.sandbox",
    "chunk.upload",
    "chunk.handled",
    "chunk.committed",
]
INPUTS = 48


@pytest.fixture(scope="module")
async def copier(owner: Client) -> str:
    """A version that copies its input, and takes its time."""
    version = await owner.build(PACKAGE)
    assert version["status"] == "READY", version
    return str(version["id"])


async def check(platform: TestPlatform, owner: Client, batch_id: str, files: dict[str, bytes]) -> None:
    """Each input has ended once and well; storage holds what the rows refer to and nothing else."""
    found = await ended(owner, batch_id, 300)
    assert (found["status"], found["succeeded"], found["failed"]) == ("COMPLETED", len(files), 0), found
    answer = await owner.http.get(f"{BATCH}{batch_id}/archive")
    with zipfile.ZipFile(io.BytesIO(answer.raise_for_status().content)) as archive:
        assert archive.testzip() is None
        out = {name: archive.read(name) for name in archive.namelist()}
    outcomes = [json.loads(line) for line in out.pop(OUTCOMES).splitlines()]
    assert [outcome["index"] for outcome in outcomes] == list(range(len(files)))
    assert out == {f"outputs/{name}/copy.bin": data for name, data in files.items()}
    events = await events_of(platform, batch_id)
    assert (events[0], events[-1]) == ("submitted", "completed"), events
    assert events.count("completed") == events.count("running") == 1, events
    parts = (await owner.get(f"{BATCH}{batch_id}/outputs"))["parts"]
    assert sum(part["count"] for part in parts) == len(files)


@pytest.mark.parametrize("point", POINTS)
async def test_runner_dies_at(platform: TestPlatform, owner: Client, copier: str, photo: bytes, point: str) -> None:
    files = {f"{n:02d}.png": photo + str(n).encode() for n in range(INPUTS)}
    marker = arm(platform, point)
    batch_id = await send(owner, copier, files)
    await check(platform, owner, batch_id, files)
    assert not marker.exists()
    assert list((platform.data / "tmp").glob(f"*/{batch_id}*")) == []


async def test_killed_in_the_middle_again_and_again(
    platform: TestPlatform, owner: Client, copier: str, photo: bytes
) -> None:
    files = {f"{n:03d}.png": photo + str(n).encode() for n in range(120)}
    batch_id = await send(owner, copier, files)
    for part in ("runner", "postgres", "runner", "nats", "storage", "runner"):
        await asyncio.sleep(1.5)
        await asyncio.to_thread(platform.part, "kill", part)
    await check(platform, owner, batch_id, files)
    # what attempts have left that were cut is found by the clean-up, and is all there is beside what is used
    async with open_storage(load(Storage, platform.env)) as storage:
        keys = {key async for key, _ in storage.list_keys(f"batches/{batch_id}/")}
    parts = (await owner.get(f"{BATCH}{batch_id}/outputs"))["parts"]
    assert len(keys) >= len(parts) + 1
    await nothing_left(platform, copier, at_once=2)


async def test_a_stopped_runner_keeps_what_it_has_and_hands_back_the_rest(
    platform: TestPlatform, owner: Client, copier: str, photo: bytes
) -> None:
    files = {f"{n:03d}.png": photo + str(n).encode() for n in range(100)}
    batch_id = await send(owner, copier, files)
    await owner.until(BATCH + batch_id, lambda found: found["succeeded"] > 0)
    await asyncio.to_thread(platform.part, "stop", "runner")
    stopped = await owner.get(BATCH + batch_id)
    page = await owner.get(f"{BATCH}{batch_id}/inputs", params={"limit": 100, "status": "RUNNING"})
    await asyncio.to_thread(platform.part, "start", "runner")
    assert 0 < stopped["succeeded"] < len(files)
    assert page["items"] == []
    await check(platform, owner, batch_id, files)
