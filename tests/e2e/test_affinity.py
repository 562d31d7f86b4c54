"""Two runners on one platform: a job goes to the one that has its model loaded, and to the other when that is gone."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.e2e.test_isolation import PLAIN
from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.e2e

JOBS = 10


@pytest.fixture
def neighbour(platform: TestPlatform, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A second runner."""
    environ = {**platform.environ, "CLINAI_WORKER_ID": "neighbour", "CLINAI_METRICS_PORT": "0"}
    with (tmp_path / "neighbour.log").open("wb") as said:
        command = [sys.executable, "-m", "services.runner"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def works(platform: TestPlatform, worker: str) -> None:
    """Wait until a worker says that it is ready."""
    database = await asyncpg.connect(platform.env["CLINAI_DATABASE_URL"])
    try:
        async with asyncio.timeout(60):
            while await database.fetchval("SELECT state FROM workers WHERE id = $1", worker) != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await database.close()


def holder(platform: TestPlatform, version_id: str, tenant: str) -> str:
    """Name of the runner whose sandbox waits for this tenant."""
    labels = {"instance": platform.instance, "version": version_id, "tenant": tenant}
    filters = [part for name, value in labels.items() for part in ("--filter", f"label=clinai.{name}={value}")]
    command = ["docker", "ps", *filters, "--format", '{{.Label "clinai.worker"}}']
    [found] = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    return found


async def test_a_job_goes_where_its_model_is_loaded(
    platform: TestPlatform, client: Client, photo: bytes, neighbour: "subprocess.Popen[bytes]"
) -> None:
    await works(platform, "neighbour")
    model_id = await client.create_model(is_public=True)
    version = await client.build(make_zip({"predict.py": PLAIN, "requirements.txt": ""}), model_id=model_id)
    async with Client(platform.url) as stranger:  # whom nobody has a sandbox ready for
        jobs: list[dict[str, Any]] = [await stranger.run(version["id"], photo) for _ in range(JOBS)]
        assert [job["status"] for job in jobs] == ["SUCCEEDED"] * JOBS
        assert len({job["result"]["host"] for job in jobs}) == 1, "every second job would have loaded the model anew"
        me = (await stranger.get("/api/users/me"))["id"]
        if holder(platform, version["id"], me) == "neighbour":
            neighbour.kill()
            neighbour.wait()
        else:
            platform.part("stop", "runner")
        try:
            after = await stranger.run(version["id"], photo)
        finally:
            platform.part("start", "runner")
        assert after["status"] == "SUCCEEDED"
        assert after["result"]["host"] != jobs[0]["result"]["host"]
