"""Jobs over the API: upload, run, cancel, outputs, logs, lists with filters."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.events import log_subject
from shared.storage import ObjectStore
from tests.integration.api.conftest import SignUp
from tests.integration.api.nouns import built_version, create_model, ended_job, ok, problem, put, user_id
from tests.integration.api.test_versions import events_of

pytestmark = pytest.mark.integration

V = "/api/models/versions"


async def create_job(client: httpx.AsyncClient, version: str, **body: Any) -> dict[str, Any]:
    """Create a job; return `{job_id, upload_url, …}`."""
    made: dict[str, Any] = await ok(await client.post("/api/jobs/", json={"version_id": version, **body}), 201)
    return made


async def queued_job(client: httpx.AsyncClient, version: str, **body: Any) -> str:
    """Create a job, upload its input and run it."""
    made = await create_job(client, version, **body)
    await put(made["upload_url"], b"image")
    await ok(await client.post(f"/api/jobs/{made['job_id']}/run"), 202)
    return str(made["job_id"])


async def test_upload_and_run(sign_up: SignUp, pool: Pool, bus: BusConnection) -> None:
    ada = await sign_up()
    model = await create_model(ada, "edges")
    version = await built_version(pool, model, "v7")
    made = await create_job(ada, version, params={"low": 0.1, "deep": {"text": "ünï", "list": [1, None]}})
    job = made["job_id"]
    problem(await ada.post(f"/api/jobs/{job}/run"), 409, "INPUT_MISSING", "upload_url")
    assert (await put(made["upload_url"], b"image")).status_code == 200
    run = await ok(await ada.post(f"/api/jobs/{job}/run"), 202)
    assert run == await ok(await ada.get(f"/api/jobs/{job}"))
    assert (run["id"], run["version_id"], run["user_id"]) == (job, version, str(await user_id(ada)))
    assert (run["model_id"], run["model_name"], run["version_number"]) == (model, "edges", "v7")
    assert (run["status"], run["result"], run["error_code"], run["timings"]) == ("QUEUED", None, None, {})
    assert run["params"] == {"low": 0.1, "deep": {"text": "ünï", "list": [1, None]}}
    assert run["deadline"] > run["queued_at"]
    [event] = await events_of(bus, job)
    assert (event["verb"], event["rev"]) == ("submitted", run["rev"])
    problem(await ada.post(f"/api/jobs/{job}/run"), 409, "ALREADY_STARTED", "QUEUED")
    nothing = await ok(await ada.get(f"/api/jobs/{job}/outputs"))
    assert nothing == {"job_id": job, "status": "QUEUED", "result": None, "output_urls": [], "outputs": []}


async def test_one_of_many_runs_at_once_starts(sign_up: SignUp, pool: Pool, bus: BusConnection) -> None:
    ada = await sign_up()
    made = await create_job(ada, await built_version(pool, await create_model(ada)))
    await put(made["upload_url"], b"image")
    answers = await asyncio.gather(*[ada.post(f"/api/jobs/{made['job_id']}/run") for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert len(await events_of(bus, made["job_id"])) == 1


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
async def test_a_version_that_will_never_be_ready_takes_no_job(sign_up: SignUp, pool: Pool, state: str) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada), status=state)
    problem(await ada.post("/api/jobs/", json={"version_id": version}), 409, "VERSION_NOT_READY", state)
    assert (await ok(await ada.get("/api/jobs/")))["items"] == []


@pytest.mark.parametrize("state", ["UPLOADING", "QUEUED", "BUILDING"])
async def test_a_version_that_is_not_ready_does_not_run(sign_up: SignUp, pool: Pool, state: str) -> None:
    ada = await sign_up()
    made = await create_job(ada, await built_version(pool, await create_model(ada), status=state))
    await put(made["upload_url"], b"image")
    problem(await ada.post(f"/api/jobs/{made['job_id']}/run"), 409, "VERSION_NOT_READY", state)
    assert (await ok(await ada.get(f"/api/jobs/{made['job_id']}")))["status"] == "UPLOADING"


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ([], "params"),
        ("x", "params"),
        (None, "params"),
        ({"text": "x" * 65_537}, "65536"),
        ({"text": "a\0b"}, "NUL"),
    ],
)
async def test_wrong_params_are_refused(sign_up: SignUp, pool: Pool, params: object, word: str) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    answer = await ada.post("/api/jobs/", json={"version_id": version, "params": params})
    problem(answer, 400, "INVALID_REQUEST", word)


async def test_params_that_json_cannot_mean_are_refused(sign_up: SignUp, pool: Pool) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    for value in ("NaN", "1e999", '"\\ud800"', "[" * 2000 + "]" * 2000):
        raw = f'{{"version_id": "{version}", "params": {{"a": {value}}}}}'
        answer = await ada.post("/api/jobs/", content=raw.encode(), headers={"content-type": "application/json"})
        problem(answer, 400, "INVALID_REQUEST")


async def test_outputs_are_downloads_of_an_allowed_type(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    job = await ended_job(pool, storage, version, await user_id(ada))
    found = await ok(await ada.get(f"/api/jobs/{job}/outputs"))
    assert (found["status"], found["result"]) == ("SUCCEEDED", {"edges": 7})
    assert found["output_urls"] == [output["url"] for output in found["outputs"]]
    assert [(o["name"], o["size"], o["sha256"]) for o in found["outputs"]] == [
        ("edges.png", 10, "c" * 64),
        ("extra/page.html", 3, "c" * 64),
    ]
    async with httpx.AsyncClient() as plain:
        picture, page = [await plain.get(url) for url in found["output_urls"]]
    assert (picture.content, picture.headers["content-type"]) == (b"\x89PNG-edges", "image/png")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith('attachment; filename="page.html"')


async def test_a_job_shows_its_input_to_its_user(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    job = await ok(await ada.get(f"/api/jobs/{await ended_job(pool, storage, version, await user_id(ada))}"))
    assert (job["input_type"], job["input_size"], job["input_sha256"]) == ("image/png", 11, "d" * 64)
    assert job["output_count"] == 2
    assert job["output_paths"] == [f"jobs/{job['id']}/1/edges.png", f"jobs/{job['id']}/1/extra/page.html"]
    async with httpx.AsyncClient() as plain:
        got = await plain.get(job["input_url"])
    assert (got.content, got.headers["content-type"]) == (b"input bytes", "image/png")
    assert 'filename="input.png"' in got.headers["content-disposition"]


async def test_the_log_before_while_and_after(
    sign_up: SignUp, pool: Pool, bus: BusConnection, storage: ObjectStore
) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    job = await queued_job(ada, version)
    answer = await ada.get(f"/api/jobs/{job}/logs")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["content-type"].startswith("text/plain")
    await bus.js.publish(log_subject("job", await user_id(ada), job), "läuft".encode())
    assert (await ada.get(f"/api/jobs/{job}/logs")).text == "läuft\n"
    ended = await ended_job(pool, storage, version, await user_id(ada))
    assert (await ada.get(f"/api/jobs/{ended}/logs")).text == "ran\nwell ✓\n"


@pytest.mark.parametrize("state", ["UPLOADING", "QUEUED", "RUNNING"])
async def test_cancel_in_every_open_state(
    sign_up: SignUp, pool: Pool, bus: BusConnection, storage: ObjectStore, state: str
) -> None:
    ada = await sign_up()
    made = await create_job(ada, await built_version(pool, await create_model(ada)))
    job = made["job_id"]
    await put(made["upload_url"], b"image")
    if state != "UPLOADING":
        await ok(await ada.post(f"/api/jobs/{job}/run"), 202)
    if state == "RUNNING":
        await transitions.move(pool, "job", "claim_job", id=UUID(job), worker="w", lease_s=30)
    canceled = await ok(await ada.post(f"/api/jobs/{job}/cancel"))
    assert (canceled["status"], canceled["error_code"]) == ("CANCELED", "CANCELED")
    assert (await events_of(bus, job))[-1]["verb"] == "canceled"
    assert await storage.head(f"quarantine/{made['upload_url'].split('quarantine/')[1].split('?')[0]}") is None
    assert (await ok(await ada.post(f"/api/jobs/{job}/cancel")))["rev"] == canceled["rev"]
    problem(await ada.post(f"/api/jobs/{job}/run"), 409, "ALREADY_STARTED", "CANCELED")


async def test_what_has_ended_cannot_be_canceled_but_removed(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    job, other = [await ended_job(pool, storage, version, await user_id(ada)) for _ in range(2)]
    problem(await ada.post(f"/api/jobs/{job}/cancel"), 409, "ALREADY_ENDED", "SUCCEEDED")
    await ok(await ada.delete(f"/api/jobs/{job}"), 204)
    problem(await ada.get(f"/api/jobs/{job}"), 404, "NOT_FOUND")
    assert [key async for key, _ in storage.list_keys(f"jobs/{job}/")] == []
    # the other job had the same input
    assert await storage.head("inputs/sha256/" + "d" * 64) is not None
    await ok(await ada.get(f"/api/jobs/{other}"))
    problem(await ada.delete(f"/api/jobs/{job}"), 404, "NOT_FOUND")


async def ids(client: httpx.AsyncClient, **query: object) -> list[str]:
    """Ids of the jobs listed for a query."""
    return [job["id"] for job in (await ok(await client.get("/api/jobs/", params=query)))["items"]]  # type: ignore[arg-type]


async def test_lists_filter_and_page(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    me, model = await user_id(ada), await create_model(ada)
    one = await built_version(pool, model)
    two = await built_version(pool, await create_model(ada, "other"))
    jobs = [await ended_job(pool, storage, version, me) for version in (one, one, two)]
    failed = await ended_job(pool, storage, one, me, status="FAILED", result=None, error_code="TIMEOUT")
    open_ = (await create_job(ada, one))["job_id"]
    newest_first = [open_, failed, *jobs[::-1]]
    assert await ids(ada) == newest_first
    assert await ids(ada, status="FAILED") == [failed]
    assert await ids(ada, status="FAILED,UPLOADING") == [open_, failed]
    assert await ids(ada, version_id=two) == [jobs[2]]
    assert await ids(ada, model_id=model) == [open_, failed, jobs[1], jobs[0]]
    assert await ids(ada, model_id=model, status="SUCCEEDED", limit=1) == [jobs[1]]
    first = await ok(await ada.get("/api/jobs/", params={"limit": 2, "model_id": model}))
    assert await ids(ada, limit=2, model_id=model, cursor=first["next_cursor"]) == [jobs[1], jobs[0]]
    item = first["items"][1]
    assert (item["model_name"], item["version_number"], item["output_count"]) == ("edges", "v1", 2)
    assert (item["error_code"], item["result_omitted"]) == ("TIMEOUT", False)
    assert {"params", "output_paths", "input_url"}.isdisjoint(item)
    problem(await ada.get("/api/jobs/?status=DONE"), 400, "INVALID_REQUEST", "status", "SUCCEEDED")
    problem(await ada.get("/api/jobs/?model_id=x"), 400, "INVALID_REQUEST", "model_id")
    problem(await ada.get("/api/jobs/?created_after=yesterday"), 400, "INVALID_REQUEST", "created_after")


async def test_lists_by_time(sign_up: SignUp, pool: Pool) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    jobs = [(await create_job(ada, version))["job_id"] for _ in range(3)]
    for hours, job in enumerate(jobs):
        at = datetime.fromisoformat("2026-03-01T00:00:00+00:00") + timedelta(hours=hours)
        await pool.execute("UPDATE jobs SET created_at = $1 WHERE id = $2", at, UUID(job))
    assert await ids(ada, created_after="2026-03-01T01:00:00Z") == [jobs[2], jobs[1]]
    assert await ids(ada, since="2026-03-01T03:00:00+02:00") == [jobs[2], jobs[1]]
    assert await ids(ada, created_before="2026-03-01T01:00:00Z") == [jobs[0]]
    assert await ids(ada, created_after="2026-03-01T01:00:00", created_before="2026-03-01T02:00:00Z") == [jobs[1]]


async def test_a_large_result_stays_out_of_lists(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    large = {"text": "x" * 40_000}
    job = await ended_job(pool, storage, version, await user_id(ada), result=large)
    [item] = (await ok(await ada.get("/api/jobs/")))["items"]
    assert (item["result"], item["result_omitted"]) == (None, True)
    whole = await ok(await ada.get(f"/api/jobs/{job}"))
    assert (whole["result"], whole["result_omitted"]) == (large, False)


async def test_a_public_models_jobs_belong_to_who_runs_them(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada, bob = await sign_up(), await sign_up()
    model = await create_model(ada, is_public=True)
    version = await built_version(pool, model)
    job = await queued_job(bob, version)
    waiting = await create_job(bob, version)
    await put(waiting["upload_url"], b"image")
    assert await ids(bob) == [waiting["job_id"], job]
    assert await ids(ada) == []
    assert await ids(ada, version_id=version) == []
    problem(await ada.get(f"/api/jobs/{job}"), 404, "NOT_FOUND")
    await ok(await ada.patch(f"/api/models/{model}", json={"is_public": False}))
    problem(await bob.post("/api/jobs/", json={"version_id": version}), 404, "NOT_FOUND")
    problem(await bob.post(f"/api/jobs/{waiting['job_id']}/run"), 403, "FORBIDDEN", "private")
    assert (await ok(await bob.get(f"/api/jobs/{job}")))["status"] == "QUEUED"
