"""How jobs are kept apart: what the smoke test finds, and that loaded models wait for the tenant who used them."""

import asyncio
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e

PLAIN = """
import os
LOADED_BY = os.getpid()
def run(input_path, output_dir):
    return {"loaded_by": LOADED_BY, "run_by": os.getpid(), "boot": open("/proc/sys/kernel/random/boot_id").read(),
            "host": os.stat("/proc/1").st_ctime_ns}
"""
THREADED = """
import threading, time
threading.Thread(target=time.sleep, args=(10**6,), daemon=True).start()
def run(input_path, output_dir):
    return {"threads": threading.active_count()}
"""
STUBBORN = """
import pathlib
MARK = pathlib.Path("/tmp/mark")
MARK.write_text("0")
def run(input_path, output_dir):
    MARK.write_text(str(int(MARK.read_text()) + 1))
    return {"count": int(MARK.read_text())}
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[TestPlatform]:
    """A platform that keeps loaded models waiting."""
    with tempfile.TemporaryDirectory(prefix="clinai-test-") as folder:
        running = TestPlatform(Path(folder), f"test-{secrets.token_hex(4)}", CLINAI_WARM_SANDBOXES="-1")
        try:
            yield running.start()
        finally:
            running.remove()


def waiting(platform: TestPlatform, version_id: str) -> list[str]:
    """Containers that hold this version."""
    labels = [f"label=clinai.instance={platform.instance}", f"label=clinai.version={version_id}"]
    found = subprocess.run(
        ["docker", "ps", "-q", "--filter", labels[0], "--filter", labels[1]], capture_output=True, text=True, check=True
    )
    return found.stdout.split()


def images(version_id: str) -> list[str]:
    """Images in the engine that were made for this version."""
    label = f"label=clinai.version={version_id}"
    found = subprocess.run(["docker", "images", "-q", "--filter", label], capture_output=True, text=True, check=True)
    return found.stdout.split()


def kill(containers: list[str]) -> None:
    """End containers from outside."""
    subprocess.run(["docker", "kill", *containers], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("source", "toml", "isolation", "says"),
    [
        (PLAIN, "", "fork", "forked from it"),
        (PLAIN, 'isolation = "warm"\n', "warm", "asks for warm"),
        (PLAIN, 'isolation = "container"\n', "container", "asks for a container"),
        (THREADED, "", "warm", "do not survive a fork"),
        (STUBBORN, "", "container", "changes what setup() left"),
    ],
    ids=["fork", "asked for warm", "asked for a container", "threads", "own files"],
)
async def test_the_build_chooses_and_says_why(
    client: Client, photo: bytes, source: str, toml: str, isolation: str, says: str
) -> None:
    version = await client.build(make_zip({"predict.py": source, "requirements.txt": "", "clinai.toml": toml}))
    assert version["status"] == "READY", version
    assert version["package_info"]["sandbox"]["isolation"] == isolation
    assert f"Isolation {isolation}: " in version["build_logs"]
    assert says in version["build_logs"]
    jobs = [await client.run(version["id"], photo) for _ in range(2)]
    assert [job["status"] for job in jobs] == ["SUCCEEDED", "SUCCEEDED"], jobs


async def test_a_loaded_model_serves_its_tenant_and_nobody_else(
    platform: TestPlatform, client: Client, photo: bytes
) -> None:
    model_id = await client.create_model(is_public=True)
    version = await client.build(make_zip({"predict.py": PLAIN, "requirements.txt": ""}), model_id=model_id)
    jobs = [await client.run(version["id"], photo) for _ in range(3)]
    assert len({job["result"]["host"] for job in jobs}) == 1
    assert len({job["result"]["run_by"] for job in jobs}) == 3
    async with Client(platform.url) as other:
        stranger = await other.run(version["id"], photo)
        assert stranger["result"]["host"] != jobs[0]["result"]["host"]
    assert len(waiting(platform, version["id"])) == 2
    (await client.http.delete(f"/api/models/{model_id}")).raise_for_status()
    assert waiting(platform, version["id"]) == []
    assert images(version["id"]) == []


async def test_many_jobs_at_once_share_few_sandboxes(platform: TestPlatform, client: Client, photo: bytes) -> None:
    version = await client.build(make_zip({"predict.py": PLAIN, "requirements.txt": ""}))

    async def one() -> dict[str, Any]:
        return await client.run(version["id"], photo)

    jobs = await asyncio.gather(*[one() for _ in range(12)])
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    assert 1 <= len(waiting(platform, version["id"])) <= 3


async def test_the_sandbox_that_died_is_replaced(platform: TestPlatform, client: Client, photo: bytes) -> None:
    version = await client.build(make_zip({"predict.py": PLAIN, "requirements.txt": ""}))
    first = await client.run(version["id"], photo)
    kill(waiting(platform, version["id"]))
    second = await client.run(version["id"], photo)
    assert second["status"] == "SUCCEEDED", second
    assert second["result"]["host"] != first["result"]["host"]
