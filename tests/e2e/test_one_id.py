"""One id from the request to the event to the container, through the log files of the services."""

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


def lines(platform: TestPlatform, service: str, trace: str) -> list[dict[str, Any]]:
    """What a service has logged under one id."""
    text = (platform.data / "logs" / f"{service}.log").read_text()
    return [json.loads(line) for line in text.splitlines() if trace in line]


async def test_a_job_is_followed_by_the_id_of_its_request(
    platform: TestPlatform, owner: Client, obedient: dict[str, Any], photo: bytes
) -> None:
    trace = secrets.token_hex(16)
    carried: dict[str, str] = {}

    async def note(message: Any) -> None:
        verb = message.subject.split(".")[1]
        carried[verb] = message.headers["traceparent"].split("-")[1]

    made = await owner.post("/api/jobs/", {"version_id": obedient["id"], "params": {"do": "sleep", "seconds": 3}})
    await owner.put_object(made["upload_url"], photo)
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    await bus.subscribe(f"job.*.*.{made['job_id']}", cb=note)

    async with owner.live() as live:
        await live.send(op="subscribe", topic=f"job:{made['job_id']}")
        headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        answer = await owner.http.post(f"/api/jobs/{made['job_id']}/run", headers=headers)
        assert answer.headers["x-request-id"] == trace
        await live.until(lambda frame: frame.get("line") == "doing sleep")

    [container] = [line["container"] for line in lines(platform, "runner", trace) if "container" in line]
    async with aiodocker.Docker(url=Platform.open(platform.environ).docker_host) as docker:
        found = await (await docker.containers.get(container)).show()
    assert found["Config"]["Labels"]["clinai.instance"] == platform.instance
    assert (await owner.job_end(made["job_id"]))["status"] == "SUCCEEDED"
    async with asyncio.timeout(10):
        while "succeeded" not in carried:  # noqa: ASYNC110 - the row is there before its event
            await asyncio.sleep(0.02)
    await bus.close()
    assert carried == dict.fromkeys(("submitted", "running", "succeeded"), trace)
    assert [line["path"] for line in lines(platform, "api", trace)] == [f"/api/jobs/{made['job_id']}/run"]
