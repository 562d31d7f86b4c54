"""One id from the request to the event to the container, and through the log files of the services."""

import asyncio
import json
import secrets
from typing import Any

import aiodocker
import nats
import pytest

from deploy.embedded.platform import Platform
from tests.client import Client
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e


async def test_a_job_is_followed_by_the_id_of_its_request(
    platform: TestPlatform, owner: Client, obedient: dict[str, Any], photo: bytes
) -> None:
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    carried: dict[str, str] = {}

    async def note(message: Any) -> None:
        carried[message.subject.split(".")[1]] = message.headers["traceparent"].split("-")[1]

    made = await owner.post("/api/jobs/", {"version_id": obedient["id"], "params": {"do": "sleep", "seconds": 2}})
    await owner.put_object(made["upload_url"], photo)
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    await bus.subscribe(f"job.*.*.{made['job_id']}", cb=note)
    await bus.flush()

    answer = await owner.http.post(f"/api/jobs/{made['job_id']}/run", headers=headers)
    assert answer.headers["x-request-id"] == trace
    label = {"label": [f"clinai.trace={trace}"]}
    async with aiodocker.Docker(url=Platform.open(platform.environ).docker_host) as docker:
        async with asyncio.timeout(60):
            while not (found := await docker.containers.list(all=True, filters=label)):  # noqa: ASYNC110 - another program's state
                await asyncio.sleep(0.05)
    assert (await owner.job_end(made["job_id"]))["status"] == "SUCCEEDED"
    await bus.flush()
    await bus.close()

    assert len(found) == 1
    assert carried == dict.fromkeys(("submitted", "running", "succeeded"), trace)
    for service in ("api", "runner"):
        lines = [json.loads(line) for line in (platform.data / "logs" / f"{service}.log").read_text().splitlines()]
        assert [line for line in lines if line.get("trace") == trace], service
