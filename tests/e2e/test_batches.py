"""Many images in one request, through the edge and the real runner."""

import asyncio
import io
import json
import secrets
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.leftovers import nothing_left
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e

BATCH = "/api/jobs/batch/"
# what follows a PNG's end is nobody's concern: here it is what the model is to do with this input
MODEL = """
import os, signal, time
from pathlib import Path

SEEN = []


def run(input_path, output_dir, params):
    data = Path(input_path).read_bytes()
    do = data.rpartition(b"IEND\\xaeB`\\x82")[2].decode()
    SEEN.append(do)
    print("doing", do or "well")
    if do == "raise":
        raise ValueError("the sky is not an image")
    if do == "hang":
        time.sleep(3600)
    if do == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do.startswith("sleep"):
        time.sleep(float(do[5:]))
    (Path(output_dir) / "copy.png").write_bytes(data)
    return {"did": do, "seen": len(SEEN), "low": params.get("low"), "name": Path(input_path).name}
"""


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


async def build(owner: Client, toml: str = "") -> str:
    version = await owner.build(make_zip({"predict.py": MODEL, "requirements.txt": "", "clinai.toml": toml}))
    assert version["status"] == "READY", version
    return str(version["id"])


@pytest.fixture(scope="module")
async def model(owner: Client) -> str:
    """A version that does what its input says, with three seconds for each."""
    return await build(owner, "timeout_s = 3\n")


async def send(owner: Client, version: str, files: dict[str, bytes], **query: str) -> str:
    answer = await owner.http.post(
        BATCH,
        params={"version_id": version, **query},
        content=zipped(files),
        headers={"content-type": "application/zip"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(owner: Client, batch_id: str, timeout_s: float = 120) -> dict[str, Any]:
    return await owner.until(BATCH + batch_id, lambda found: found["status"] in ("COMPLETED", "CANCELED"), timeout_s)


async def outcomes_of(owner: Client, batch_id: str) -> dict[str, dict[str, Any]]:
    page = await owner.get(f"{BATCH}{batch_id}/inputs", params={"limit": 100})
    return {item["name"]: item for item in page["items"]}


async def test_one_fault_ends_one_input(platform: TestPlatform, owner: Client, model: str, photo: bytes) -> None:
    does = ["", "raise", "", "segfault", "hang", "", "", ""]
    files = {f"in/{n}.png": photo + do.encode() for n, do in enumerate(does)}
    broken = bytearray(zipped({**files, "broken.png": secrets.token_bytes(3000)}))
    at = broken.index(b"broken.png") + 200  # in the data, not in a header
    broken[at] ^= 0xFF
    async with owner.live() as live:
        await live.next()
        answer = await owner.http.post(
            BATCH,
            params={"version_id": model, "params": '{"low": 7}'},
            content=bytes(broken),
            headers={"content-type": "application/zip"},
        )
        batch_id = answer.raise_for_status().json()["id"]
        last = await live.until(lambda frame: frame["type"] == "event" and frame["event"] == "batch.completed")
        events = live.events(batch_id)
    assert (last["data"]["succeeded"], last["data"]["failed"], last["data"]["total"]) == (5, 4, 9)
    assert events[:2] == ["batch.submitted", "batch.running"]
    assert set(events[2:-1]) <= {"batch.progressed"}
    found = await outcomes_of(owner, batch_id)
    codes = {name: outcome["error_code"] for name, outcome in found.items()}
    assert codes == {
        **{f"in/{n}.png": None for n in (0, 2, 5, 6, 7)},
        "in/1.png": "MODEL_ERROR",
        "in/3.png": "CRASHED",
        "in/4.png": "TIMEOUT",
        "broken.png": "INPUT_CORRUPT",
    }
    assert "the sky is not an image" in found["in/1.png"]["error_message"]
    assert "Traceback" in found["in/1.png"]["log"]
    # nothing of one input is there for the next, not even in the process's memory: the model has seen this one, and
    # perhaps the picture that warmed it up
    result = found["in/7.png"]["result"]
    assert result.pop("seen") <= 2
    assert result == {"did": "", "low": 7, "name": "image.png"}
    archive = await owner.http.get(f"{BATCH}{batch_id}/archive")
    with zipfile.ZipFile(io.BytesIO(archive.raise_for_status().content)) as whole:
        assert whole.testzip() is None
        files_out = {name: whole.read(name) for name in whole.namelist()}
    lines = [json.loads(line) for line in files_out.pop("outcomes.jsonl").splitlines()]
    assert files_out == {f"outputs/in/{n}.png/copy.png": photo for n in (0, 2, 5, 6, 7)}
    assert [line["index"] for line in lines] == list(range(9))
    await nothing_left(platform, model, at_once=2)


async def test_a_container_for_each_input_where_the_model_asks_for_it(owner: Client, photo: bytes) -> None:
    version = await build(owner, 'timeout_s = 20\nisolation = "container"\n')
    batch_id = await send(owner, version, {f"{n}.png": photo + str(n).encode() for n in range(4)})
    assert (await ended(owner, batch_id))["succeeded"] == 4
    found = await outcomes_of(owner, batch_id)
    assert [found[f"{n}.png"]["result"]["did"] for n in range(4)] == ["0", "1", "2", "3"]


async def test_a_single_job_does_not_wait_for_a_batch(owner: Client, model: str, photo: bytes) -> None:
    """A thousand inputs that take half a minute of every slot, and jobs in between."""
    files = {f"{n:04d}.png": photo + b"sleep0.2" for n in range(1000)}
    batch_id = await send(owner, model, files)
    await owner.until(BATCH + batch_id, lambda found: found["succeeded"] > 0)
    began = time.monotonic()
    for _ in range(3):
        job = await owner.run(model, photo)
        assert job["status"] == "SUCCEEDED", job
    took_s = time.monotonic() - began
    during = await owner.get(BATCH + batch_id)
    assert during["status"] == "RUNNING"
    assert during["succeeded"] < 1000, f"the jobs took {took_s:.1f} s"
    # and another user's batch does not wait for the end of this one
    async with Client(owner.url) as other:
        version = await build(other)
        small = await send(other, version, {"a.png": photo})
        assert (await ended(other, small, 60))["succeeded"] == 1
    assert (await owner.get(BATCH + batch_id))["status"] == "RUNNING"
    assert (await owner.post(f"{BATCH}{batch_id}/cancel"))["status"] == "CANCELED"
    # the turn is free again at once
    job = await owner.run(model, photo)
    assert job["status"] == "SUCCEEDED"


async def test_slow_inputs_are_shared_out_and_told_of_in_between(owner: Client, photo: bytes) -> None:
    """A chunk ends after its time with what it has; the rest goes to whoever is free."""
    version = await build(owner, "timeout_s = 30\n")
    batch_id = await send(owner, version, {f"{n}.png": photo + b"sleep1.5" for n in range(40)})
    seen = await owner.until(BATCH + batch_id, lambda found: found["succeeded"] > 0)
    assert seen["succeeded"] < 40
    assert (await ended(owner, batch_id, 180))["succeeded"] == 40
    assert [item["index"] for item in (await outcomes_of(owner, batch_id)).values()] == list(range(40))


async def test_curl_as_documented(owner: Client, model: str, photo: bytes, tmp_path: Path) -> None:
    """The block of docs/api.md, word for word."""
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    section = text[text.index("\n## Batches") :]
    script = section[section.index("```bash\n") + 8 :]
    script = script[: script.index("```")]
    for n in range(3):
        (tmp_path / f"photo-{n}.png").write_bytes(photo)
    token = owner.http.headers["authorization"]
    before = f'set -eu\nAPI={owner.url}\nAUTH="Authorization: {token}"\nVERSION_ID={model}\n'
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", before + script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert len(archive.namelist()) == 4
        assert archive.testzip() is None
