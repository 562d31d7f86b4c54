"""One call from an image to its outputs, through the edge and the real runner."""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.handover import INPUT_BYTES
from tests.client import Client
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e


def address(version: dict[str, Any]) -> str:
    return f"/api/models/versions/{version['id']}/predict"


async def test_image_in_result_out(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    async with owner.live() as live:
        await live.next()
        answer = await owner.http.post(address(obedient), content=photo, params={"params": '{"do": "subfolder"}'})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["status"], found["result"]["bytes"]) == ("SUCCEEDED", len(photo)), found
        assert found["result"]["name"] == "image.png"
        assert [output["name"] for output in found["outputs"]] == ["copy.bin", "extra/mask.txt"]
        async with httpx.AsyncClient() as plain:
            assert (await plain.get(found["output_urls"][0])).content == photo
        await live.until(lambda frame: frame["type"] == "event" and frame["event"] == "job.succeeded")
        assert live.events(found["id"]) == ["job.submitted", "job.running", "job.succeeded"]
    assert (await owner.http.get(f"/api/jobs/{found['id']}/logs")).text == "doing subfolder\n"
    assert await owner.get(f"/api/jobs/{found['id']}") == {
        **{key: value for key, value in found.items() if key not in ("job_id", "outputs", "output_urls")},
        "input_url": (await owner.get(f"/api/jobs/{found['id']}"))["input_url"],
    }


async def test_a_form_by_model_with_inline_outputs(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    files: dict[str, Any] = {"file": ("photo.png", photo, "image/png"), "params": (None, '{"do": ""}')}
    path = f"/api/models/{obedient['model_id']}/predict"
    answer = await owner.http.post(path, files=files, params={"inline": "true"})
    assert "content-encoding" not in answer.headers  # a picture in base64 is sent faster than compressed
    [output] = answer.raise_for_status().json()["outputs"]
    head, _, data = output["url"].partition(",")
    assert head == "data:image/png;base64"  # by what it is, not by its name
    assert base64.b64decode(data) == photo


async def test_a_loaded_model_gets_its_input_from_hand_to_hand(
    owner: Client, obedient: dict[str, Any], photo: bytes, platform: TestPlatform
) -> None:
    async def came_from(source: str) -> float:
        async with httpx.AsyncClient() as plain:
            text = (await plain.get(f"http://127.0.0.1:{platform.env['CLINAI_RUNNER_METRICS_PORT']}/metrics")).text
        found = re.search(rf'^clinai_job_inputs_total{{source="{source}"}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def predict(image: bytes) -> bytes:
        answer = await owner.http.post(address(obedient), content=image, params={"inline": "true"})
        assert "content-encoding" not in answer.headers
        [output] = answer.raise_for_status().json()["outputs"]
        if output["url"].startswith("http"):
            async with httpx.AsyncClient() as plain:
                return (await plain.get(output["url"])).content
        return base64.b64decode(output["url"].partition(",")[2])

    await predict(photo)  # from here on a sandbox waits, and its runner listens
    before = await came_from("gateway")
    assert await predict(photo + b"1") == photo + b"1"
    assert await came_from("gateway") == before + 1
    large = photo + bytes(INPUT_BYTES)
    assert await predict(large) == large
    assert await came_from("gateway") == before + 1


async def test_a_fault_of_the_model_is_an_answer(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    answer = await owner.http.post(address(obedient), content=photo, params={"params": '{"do": "raise"}'})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["status"], found["error_code"], found["outputs"]) == ("FAILED", "MODEL_ERROR", [])


async def test_the_wait_ends_before_the_job(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    params = {"params": '{"do": "sleep", "seconds": 2}'}
    headers = {"Prefer": "wait=1", "Idempotency-Key": os.urandom(8).hex()}
    answer = await owner.http.post(address(obedient), content=photo, params=params, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.json()["outputs"] == []
    # a retry after a lost answer waits for the same job
    headers["Prefer"] = "wait=30"
    again = (await owner.http.post(address(obedient), content=photo, params=params, headers=headers)).json()
    assert (again["id"], again["status"]) == (answer.json()["id"], "SUCCEEDED")
    assert (await owner.get(answer.headers["location"]))["status"] == "SUCCEEDED"


async def test_many_at_once_each_get_their_own(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    bodies = [photo + os.urandom(n) for n in range(1, 13)]
    answers = await asyncio.gather(*[owner.http.post(address(obedient), content=body) for body in bodies])
    for body, answer in zip(bodies, answers, strict=True):
        found = answer.raise_for_status().json()
        assert found["status"] == "SUCCEEDED", found
        assert found["outputs"][0]["sha256"] == found["input_sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_large_image_does_not_sit_in_the_gateways_memory(
    platform: TestPlatform, owner: Client, obedient: dict[str, Any]
) -> None:
    pid = next(part["pid"] for part in platform.status()["parts"] if part["name"] == "api")

    def peak() -> int:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

    before, body = peak(), os.urandom(90 << 20)
    answer = await owner.http.post(address(obedient), content=body, timeout=60)
    found = answer.raise_for_status().json()
    assert (found["status"], found["result"]["bytes"]) == ("SUCCEEDED", len(body)), found
    assert peak() - before < 48 << 20
    assert list((platform.data / "tmp" / "api").iterdir()) == []


async def test_hanging_up_cancels_when_asked(
    platform: TestPlatform, owner: Client, obedient: dict[str, Any], photo: bytes
) -> None:
    params = {"params": '{"do": "hang"}', "on_disconnect": "cancel"}
    asked = asyncio.create_task(owner.http.post(address(obedient), content=photo, params=params))
    found = await owner.until("/api/jobs/?status=RUNNING", lambda page: page["items"])
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked
    job = await owner.job_end(found["items"][0]["id"], timeout_s=10)
    assert (job["status"], job["error_code"]) == ("CANCELED", "CANCELED"), job
    assert "hung up" in job["error_message"]


async def test_curl_as_documented(owner: Client, obedient: dict[str, Any], photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(photo)
    auth = f"Authorization: {owner.http.headers['authorization']}"
    for how in (["--data-binary", "@photo.png"], ["-F", "file=@photo.png"]):
        command = ["curl", "-sf", owner.url + address(obedient), "-H", auth, *how]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert '"status":"SUCCEEDED"' in done.stdout
