"""Packages that cannot become a service: each fails with its code, keeps its log, and leaves nothing behind."""

import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.e2e.test_job_ends import containers
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


@pytest.mark.parametrize("name", BAD)
async def test_bad_package_fails_with_its_code(platform: TestPlatform, client: Client, name: str) -> None:
    package, code, says = BAD[name]
    version = await client.build(package)
    assert (version["status"], version["error_code"]) == ("FAILED", code), version
    assert says in version["error_message"]
    log = (await client.http.get(f"/api/models/versions/{version['id']}/logs")).raise_for_status().text
    assert log.strip()
    assert containers(platform, "build") == []
    assert containers(platform, "sandbox") == []


async def test_cancel_in_the_middle_of_a_build(platform: TestPlatform, client: Client) -> None:
    version_id = await client.upload(make_zip({"predict.py": GOOD, "requirements.txt": "scikit-image\n"}))
    await client.post(f"/api/models/versions/{version_id}/build")
    await client.until(f"/api/models/versions/{version_id}", lambda v: v["status"] == "BUILDING")
    await client.post(f"/api/models/versions/{version_id}/cancel")
    version = await client.version_end(version_id)
    assert version["status"] == "CANCELED"
    after = await client.build(make_zip({"predict.py": GOOD, "requirements.txt": ""}))
    assert after["status"] == "READY", after
    assert containers(platform, "build") == []
