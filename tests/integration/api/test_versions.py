"""Versions over the API: upload, build, cancel, logs, and what a stranger sees of a public one."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.events import EVENTS, log_subject
from shared.storage import ObjectStore
from tests.integration.api.conftest import SignUp
from tests.integration.api.nouns import (
    built_version,
    create_model,
    create_version,
    ended_job,
    ok,
    problem,
    put,
    user_id,
)

pytestmark = pytest.mark.integration

V = "/api/models/versions"


async def events_of(bus: BusConnection, object_id: str) -> list[dict[str, Any]]:
    """Bodies of the object's events in the stream, each with its verb."""
    info = await bus.js.stream_info(EVENTS)
    found = []
    for seq in range(info.state.first_seq, info.state.last_seq + 1):
        message = await bus.js.get_msg(EVENTS, seq)
        if (message.subject or "").endswith(object_id):
            found.append({"verb": (message.subject or "").split(".")[1], **msgspec.json.decode(message.data or b"")})
    return found


async def building(pool: Pool, client: httpx.AsyncClient, model: str) -> str:
    """A version whose build is under way."""
    made = await create_version(client, model)
    await put(made["upload_url"], b"zip")
    await ok(await client.post(f"{V}/{made['version_id']}/build"), 202)
    id_ = UUID(made["version_id"])
    row = await transitions.move(pool, "version", "claim_version", id=id_, worker="w", lease_s=30)
    assert row is not None
    return str(id_)


async def test_upload_and_build(sign_up: SignUp, pool: Pool, bus: BusConnection) -> None:
    ada = await sign_up()
    model = await create_model(ada)
    made = await create_version(ada, model, "1.0-rc_1+x")
    version = made["version_id"]
    assert made["expires_in"] == 900
    found = await ok(await ada.get(f"{V}/{version}"))
    assert (found["status"], found["version_number"], found["model_id"]) == ("UPLOADING", "1.0-rc_1+x", model)
    assert (found["docker_image_digest"], found["package_sha256"], found["build_logs"]) == (None, None, "")
    problem(await ada.post(f"{V}/{version}/build"), 409, "PACKAGE_MISSING", "upload_url")
    assert (await put(made["upload_url"], b"the package")).status_code == 200
    answer = await ok(await ada.post(f"{V}/{version}/build"), 202)
    assert (answer["version_id"], answer["status"]) == (version, "QUEUED")
    assert version in answer["message"]
    found = await ok(await ada.get(f"{V}/{version}"))
    assert found["status"] == "QUEUED"
    assert found["deadline"] > found["queued_at"]
    row = await pool.fetchrow("SELECT upload_size, upload_etag FROM versions WHERE id = $1", UUID(version))
    assert row["upload_size"] == 11
    assert row["upload_etag"]
    [event] = await events_of(bus, version)
    assert (event["verb"], event["status"], event["rev"]) == ("uploaded", "QUEUED", found["rev"])
    problem(await ada.post(f"{V}/{version}/build"), 409, "ALREADY_STARTED", "QUEUED")


async def test_one_of_many_builds_at_once_starts(sign_up: SignUp, bus: BusConnection) -> None:
    ada = await sign_up()
    made = await create_version(ada, await create_model(ada))
    await put(made["upload_url"], b"zip")
    answers = await asyncio.gather(*[ada.post(f"{V}/{made['version_id']}/build") for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"ALREADY_STARTED"}
    assert len(await events_of(bus, made["version_id"])) == 1


@pytest.mark.parametrize("number", ["", "x" * 65, "a b", "ä", "v1\n", "a/b", "..\0", 1, None])
async def test_a_wrong_number_is_refused(sign_up: SignUp, number: object) -> None:
    ada = await sign_up()
    body = {"model_id": await create_model(ada), "version_number": number}
    problem(await ada.post(V, json=body), 400, "INVALID_REQUEST", "version_number")


async def test_a_number_is_there_once_in_a_model(sign_up: SignUp) -> None:
    ada = await sign_up()
    model, other = await create_model(ada), await create_model(ada)
    await create_version(ada, model, "x" * 64)
    await create_version(ada, other, "x" * 64)
    body = {"model_id": model, "version_number": "x" * 64}
    problem(await ada.post(V, json=body), 409, "VERSION_EXISTS", "x" * 64)
    problem(await ada.post(V, json={"model_id": "no uuid", "version_number": "1"}), 400, "INVALID_REQUEST", "model_id")


async def test_lists_are_in_pages_and_without_logs(sign_up: SignUp, pool: Pool) -> None:
    ada = await sign_up()
    model = await create_model(ada)
    ids = [await built_version(pool, model, f"v{n}") for n in range(3)]
    first = await ok(await ada.get(f"/api/models/{model}/versions", params={"limit": 2}))
    rest = await ok(await ada.get(f"/api/models/{model}/versions", params={"limit": 2, "cursor": first["next_cursor"]}))
    assert [v["id"] for v in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    item = first["items"][0]
    assert {"build_logs", "lock", "readme"}.isdisjoint(item)
    assert "readme" not in item["package_info"]
    assert item["phases"] == [{"name": "fetch", "started_at": "2026-01-01T00:00:00Z", "ms": 1.5}]


async def test_what_the_owner_sees_and_what_a_stranger(sign_up: SignUp, pool: Pool) -> None:
    ada, bob = await sign_up(), await sign_up()
    model = await create_model(ada, is_public=True)
    version = await built_version(pool, model, error_message="predict.py:3: password = 'hunter2'")
    mine, theirs = await ok(await ada.get(f"{V}/{version}")), await ok(await bob.get(f"{V}/{version}"))
    assert mine["build_logs"] == "line one\nline two"
    assert mine["lock"] == "pillow==12.0"
    assert mine["package_info"]["entries"] == 3
    assert (theirs["build_logs"], theirs["lock"], theirs["package_path"], theirs["error_message"]) == ("", *[None] * 3)
    assert theirs["package_info"] == {"python": "3.11", "accepts_params": True}
    assert theirs["readme"] == mine["readme"] == "# Edges"
    assert theirs["docker_image_digest"] == mine["docker_image_digest"]
    [listed] = (await ok(await bob.get(f"/api/models/{model}/versions")))["items"]
    assert listed["package_info"] == theirs["package_info"]
    assert listed["error_message"] is None
    problem(await bob.get(f"{V}/{version}/logs"), 403, "FORBIDDEN")


async def send_lines(bus: BusConnection, owner: UUID, version: str, lines: Sequence[str]) -> None:
    for line in lines:
        await bus.js.publish(log_subject("version", owner, version), line.encode())


async def test_the_log_is_whole_while_the_build_runs_and_after(
    sign_up: SignUp, pool: Pool, bus: BusConnection, storage: ObjectStore
) -> None:
    ada = await sign_up()
    owner = await user_id(ada)
    version = await building(pool, ada, await create_model(ada))
    answer = await ada.get(f"{V}/{version}/logs")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [f"line {n} ✓" for n in range(1203)]
    await send_lines(bus, owner, version, lines)
    assert (await ada.get(f"{V}/{version}/logs")).text.splitlines() == lines
    await send_lines(bus, owner, version, ["one more", ""])
    assert (await ada.get(f"{V}/{version}/logs")).text.splitlines() == [*lines, "one more", ""]
    assert await bus.js.consumers_info("LOGS") == []
    await storage.put("logs/of-this", "stored ✓\nend\n".encode())
    await pool.execute("UPDATE versions SET status = 'FAILED', log_path = 'logs/of-this' WHERE id = $1", UUID(version))
    assert (await ada.get(f"{V}/{version}/logs")).text == "stored ✓\nend\n"


async def test_the_rows_tail_stands_in_for_lines_the_bus_has_forgotten(sign_up: SignUp, pool: Pool) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada), status="BUILDING")
    assert (await ada.get(f"{V}/{version}/logs")).text == "line one\nline two"


async def test_a_canceled_build_has_the_log_it_stored(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    version = await building(pool, ada, await create_model(ada))
    await ok(await ada.post(f"{V}/{version}/cancel"))
    await storage.put(f"logs/versions/{version}/1.log", b"Stopped\n")
    assert (await ada.get(f"{V}/{version}/logs")).text == "Stopped\n"


@pytest.mark.parametrize("state", ["UPLOADING", "QUEUED", "BUILDING"])
async def test_cancel_in_every_open_state(
    sign_up: SignUp, pool: Pool, bus: BusConnection, storage: ObjectStore, state: str
) -> None:
    ada = await sign_up()
    model = await create_model(ada)
    made = await create_version(ada, model)
    version = made["version_id"]
    await put(made["upload_url"], b"zip")
    if state != "UPLOADING":
        await ok(await ada.post(f"{V}/{version}/build"), 202)
    if state == "BUILDING":
        await transitions.move(pool, "version", "claim_version", id=UUID(version), worker="w", lease_s=30)
    canceled = await ok(await ada.post(f"{V}/{version}/cancel"))
    assert (canceled["status"], canceled["error_code"]) == ("CANCELED", "CANCELED")
    assert canceled["finished_at"]
    assert (await events_of(bus, version))[-1]["verb"] == "canceled"
    key = await pool.fetchval("SELECT upload_key FROM versions WHERE id = $1", UUID(version))
    assert await storage.head(key) is None
    again = await ok(await ada.post(f"{V}/{version}/cancel"))
    assert (again["status"], again["rev"]) == ("CANCELED", canceled["rev"])
    problem(await ada.post(f"{V}/{version}/build"), 409, "ALREADY_STARTED", "CANCELED")


async def test_what_has_ended_cannot_be_canceled(sign_up: SignUp, pool: Pool) -> None:
    ada = await sign_up()
    version = await built_version(pool, await create_model(ada))
    problem(await ada.post(f"{V}/{version}/cancel"), 409, "ALREADY_ENDED", "READY")


async def test_a_removed_version_takes_its_jobs_along(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada = await sign_up()
    model = await create_model(ada)
    goes, stays = await built_version(pool, model, "v1"), await built_version(pool, model, "v2")
    job = await ended_job(pool, storage, goes, await user_id(ada))
    await ok(await ada.delete(f"{V}/{goes}"), 204)
    problem(await ada.get(f"{V}/{goes}"), 404, "NOT_FOUND")
    problem(await ada.get(f"/api/jobs/{job}"), 404, "NOT_FOUND")
    assert [v["id"] for v in (await ok(await ada.get(f"/api/models/{model}/versions")))["items"]] == [stays]
    assert (await create_version(ada, model, "v1"))["version_id"] != goes
