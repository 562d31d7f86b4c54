"""Requests at the wrong moment or of the wrong shape: problem documents with a code, through the edge."""

import httpx
import pytest

from tests.client import Client
from tests.conftest import make_zip

pytestmark = pytest.mark.e2e

PACKAGE = make_zip({"predict.py": "def run(input_path, output_dir):\n    return {'ok': 1}\n", "requirements.txt": ""})


def problem(answer: httpx.Response, status: int, code: str) -> None:
    """Check that an answer is an RFC 9457 problem document with this code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert body["code"] == code
    assert body["detail"]
    assert body["status"] == status


async def test_build_before_the_upload_and_twice(client: Client) -> None:
    model_id = await client.create_model()
    made = await client.post("/api/models/versions", {"model_id": model_id, "version_number": "v1"})
    path = f"/api/models/versions/{made['version_id']}/build"
    problem(await client.http.post(path), 409, "PACKAGE_MISSING")
    await client.put_object(made["upload_url"], PACKAGE)
    await client.post(path)
    problem(await client.http.post(path), 409, "ALREADY_STARTED")
    version = await client.version_end(made["version_id"])
    assert version["status"] == "READY", version
    job = await client.post("/api/jobs/", {"version_id": version["id"]})
    problem(await client.http.post(f"/api/jobs/{job['job_id']}/run"), 409, "INPUT_MISSING")
    await client.put_object(job["upload_url"], b"no image at all")
    await client.post(f"/api/jobs/{job['job_id']}/run")
    problem(await client.http.post(f"/api/jobs/{job['job_id']}/run"), 409, "ALREADY_STARTED")
    assert (await client.job_end(job["job_id"]))["status"] == "SUCCEEDED"


async def test_run_on_a_version_that_is_not_ready(client: Client) -> None:
    version_id = await client.upload(PACKAGE)
    made = await client.http.post("/api/jobs/", json={"version_id": version_id})
    if made.status_code == 201:
        await client.put_object(made.json()["upload_url"], b"x")
        made = await client.http.post(f"/api/jobs/{made.json()['job_id']}/run")
    problem(made, 409, "VERSION_NOT_READY")


async def test_shapes(client: Client) -> None:
    post, json_type = client.http.post, {"content-type": "application/json"}
    problem(await post("/api/models/", content=b"{", headers=json_type), 400, "INVALID_REQUEST")
    too_large = b'{"name": "' + b"x" * (20 << 20) + b'"}'
    answer = await post("/api/models/", content=too_large, headers=json_type)
    assert answer.status_code == 413
    problem(await client.http.get("/api/nowhere"), 404, "NOT_FOUND")
    problem(await client.http.get("/api/jobs/00000000-0000-7000-8000-000000000000"), 404, "NOT_FOUND")
    bare = httpx.AsyncClient(base_url=client.url)
    problem(await bare.get("/api/jobs/"), 401, "UNAUTHORIZED")
    await bare.aclose()


async def test_edge_serves_docs_health_and_headers(client: Client) -> None:
    health = await client.get("/api/health")
    assert health["status"] == "ok", health
    assert {"postgres", "nats", "storage", "registry", "engine", "builder", "runner", "notifier"} <= set(
        health["components"]
    )
    docs = await client.http.get("/docs", follow_redirects=True)
    assert docs.status_code == 200
    assert "html" in docs.headers["content-type"]
    assert docs.headers["x-content-type-options"] == "nosniff"
