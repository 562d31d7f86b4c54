"""Packages that cannot become a service: each fails with its code, keeps its log, and leaves nothing behind."""

import asyncio

import pytest

from shared import settings
from shared.settings import load
from shared.storage import open_storage
from tests.client import Client
from tests.conftest import make_zip
from tests.leftovers import nothing_left
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e

GOOD = "def run(input_path, output_dir):\n    return {'ok': True}\n"

BAD = {
    "no zip": (b"this is no ZIP", "ARCHIVE_CORRUPT", "ZIP"),
    "nested": (make_zip({"my/predict.py": GOOD, "my/requirements.txt": ""}), "PREDICT_MISSING", "my/predict.py"),
    "no requirements": (make_zip({"predict.py": GOOD}), "REQUIREMENTS_MISSING", "requirements.txt"),
    "syntax": (make_zip({"predict.py": "def run(:\n", "requirements.txt": ""}), "SOURCE_INVALID", "predict.py:1"),
    "signature": (
        make_zip({"predict.py": "def run(path):\n    return {}\n", "requirements.txt": ""}),
        "SIGNATURE_INVALID",
        "predict.py:1: run() takes (path)",
    ),
    "index option": (
        make_zip({"predict.py": GOOD, "requirements.txt": "--index-url https://evil.example/simple\n"}),
        "REQUIREMENT_FORBIDDEN",
        "requirements.txt:1",
    ),
    "no such package": (
        make_zip({"predict.py": GOOD, "requirements.txt": "Pillow==0.0.0.99\n"}),
        "RESOLUTION_FAILED",
        "illow",
    ),
    "raises": (
        make_zip(
            {"predict.py": "def run(input_path, output_dir):\n    raise KeyError('nope')\n", "requirements.txt": ""}
        ),
        "SMOKE_TEST_FAILED",
        "MODEL_ERROR",
    ),
    "missing module": (
        make_zip({"predict.py": "import cv3\n" + GOOD, "requirements.txt": ""}),
        "SMOKE_TEST_FAILED",
        "cv3",
    ),
}


async def stored_log(platform: TestPlatform, version_id: str) -> str:
    """The log of a version's first build in storage."""
    async with open_storage(load(settings.Storage, platform.env)) as storage:
        found = await storage.read(f"logs/versions/{version_id}/1.log", limit_bytes=1 << 20)
    return (found or b"").decode()


@pytest.mark.parametrize("name", BAD)
async def test_bad_package_fails_with_its_code(platform: TestPlatform, client: Client, name: str) -> None:
    package, code, says = BAD[name]
    version = await client.build(package)
    assert (version["status"], version["error_code"]) == ("FAILED", code), version
    assert says in version["error_message"]
    log = (await client.http.get(f"/api/models/versions/{version['id']}/logs")).raise_for_status().text
    assert log.strip()
    await nothing_left(platform, version["id"])


async def test_cancel_in_the_middle_of_a_build(platform: TestPlatform, client: Client) -> None:
    version_id = await client.upload(make_zip({"predict.py": GOOD, "requirements.txt": "scikit-image\n"}))
    await client.post(f"/api/models/versions/{version_id}/build")
    await client.until(f"/api/models/versions/{version_id}", lambda v: v["status"] == "BUILDING" and v["build_logs"])
    await client.post(f"/api/models/versions/{version_id}/cancel")
    version = await client.version_end(version_id)
    assert version["status"] == "CANCELED"
    for _ in range(100):
        if "Stopped: the build was canceled" in await stored_log(platform, version_id):
            break
        await asyncio.sleep(0.1)
    assert "== Checking the package" in (await client.http.get(f"/api/models/versions/{version_id}/logs")).text
    assert "Stopped: the build was canceled" in await stored_log(platform, version_id)
    after = await client.build(make_zip({"predict.py": GOOD, "requirements.txt": ""}))
    assert after["status"] == "READY", after
    await nothing_left(platform, version_id)
