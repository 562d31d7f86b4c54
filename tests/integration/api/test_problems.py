"""Whatever goes wrong becomes a problem document with a code and the request's id, and nothing of our inside."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.db import Pool
from tests.integration.api.conftest import SignUp, problem
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

JSON = {"content-type": "application/json"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_nothing_there_and_the_wrong_method(api: httpx.AsyncClient) -> None:
    for path in ("/api/nowhere", "/", "/api/users/%2e%2e/x", "/api/jobs/no-uuid"):
        assert problem(await api.get(path), 404, "NOT_FOUND")["type"] == "about:blank"
    answer = await api.get("/api/users/login")
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer.headers["allow"]
    assert f"it takes {answer.headers['allow']}." in answer.json()["detail"]


async def test_a_body_that_is_no_json(sign_up: SignUp) -> None:
    person = await sign_up()
    for content in (b"{", b'{"name": "x",}', b"\xff", b"[1]", b"null", b"7"):
        for path in ("/api/models/", "/api/users/login"):
            problem(await person.post(path, content=content, headers=JSON), 400, "INVALID_REQUEST")


async def test_fields_are_named(sign_up: SignUp) -> None:
    person = await sign_up()
    missing = problem(await person.post("/api/users/me/password", json={}), 400, "INVALID_REQUEST")
    assert "current_password" in missing["detail"]
    wrong = {"current_password": 1, "new_password": "long-enough"}
    answer = problem(await person.post("/api/users/me/password", json=wrong), 400, "INVALID_REQUEST")
    assert answer["errors"] == [{"field": "current_password", "message": "must be a text, not a whole number"}]
    blank = problem(await person.post("/api/models/", json={"name": " "}), 400, "INVALID_REQUEST")
    assert blank["detail"].startswith("name: must have a character that can be seen")
    nothing = problem(await person.post("/api/models/"), 400, "INVALID_REQUEST")
    assert nothing["detail"] == "body: is missing; send a JSON object"
    nul = {"name": "a\u0000b", "description": "", "is_public": False}
    problem(await person.post("/api/models/", json=nul), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("signed_in", [True, False])
async def test_a_body_that_is_too_large_gets_its_answer_while_it_is_still_coming(
    api: httpx.AsyncClient, sign_up: SignUp, signed_in: bool
) -> None:
    client = await sign_up() if signed_in else api
    path = "/api/models/" if signed_in else "/api/users/register"
    body = json.dumps({"name": "x" * (20 << 20)}).encode()
    told = problem(await client.post(path, content=body, headers=JSON), 413, "TOO_LARGE")
    assert "the 1048576 bytes" in told["detail"]

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    problem(await client.post(path, content=chunks(), headers=JSON), 413, "TOO_LARGE")


async def test_a_large_body_without_a_token(api: httpx.AsyncClient) -> None:
    problem(await api.post("/api/models/", content=b"x" * (20 << 20), headers=JSON), 401, "UNAUTHORIZED")


async def test_what_nobody_foresaw_says_nothing_of_our_inside(sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    await pool.execute("ALTER TABLE sessions RENAME COLUMN user_agent TO renamed")
    try:
        body = problem(await person.get("/api/users/me/sessions"), 500, "INTERNAL_ERROR")
    finally:
        await pool.execute("ALTER TABLE sessions RENAME COLUMN renamed TO user_agent")
    assert body["request_id"] in json.dumps(body)
    for word in ("user_agent", "column", "asyncpg", "Traceback", "SELECT"):
        assert word not in json.dumps(body)
    assert (await person.get("/api/users/me/sessions")).status_code == 200


async def test_a_database_that_is_away_is_a_503_and_comes_back(sign_up: SignUp, parts: TestPlatform) -> None:
    person = await sign_up()
    parts.part("stop", "postgres")
    try:
        answer = await person.get("/api/users/me")
        problem(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        health = await person.get("/api/health")
        assert health.status_code == 503
        assert health.json()["status"] == "down"
        assert health.json()["components"]["postgres"].startswith("down: ")
    finally:
        parts.part("start", "postgres")
    assert (await person.get("/api/users/me")).status_code == 200


async def test_one_id_from_the_caller_on(api: httpx.AsyncClient) -> None:
    sent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    answer = await api.get("/api/nowhere", headers=sent)
    assert problem(answer, 404, "NOT_FOUND")["request_id"] == TRACE
    assert answer.headers["traceparent"] == sent["traceparent"]
    for nonsense in ("", "00-x-y-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"):
        answer = await api.get("/api/nowhere", headers={"traceparent": nonsense})
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-request-id"] not in (TRACE, "0" * 32)


async def test_one_id_from_the_request_to_its_event(sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    model = (await person.post("/api/models/", json={"name": "m"})).raise_for_status().json()["id"]
    body = {"model_id": model, "version_number": "1"}
    version = (await person.post("/api/models/versions", json=body)).raise_for_status().json()["version_id"]
    sent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    (await person.post(f"/api/models/versions/{version}/cancel", headers=sent)).raise_for_status()
    assert await pool.fetchval("SELECT traceparent FROM outbox WHERE object_id = $1", version) == sent["traceparent"]


async def test_metrics_count_by_route(sign_up: SignUp) -> None:
    person = await sign_up()
    await person.get("/api/users/me")
    await person.get("/api/nowhere/secret-of-a-path")
    text = (await person.get("/metrics")).text
    assert 'clinai_api_request_seconds_count{method="GET",route="/api/users/me",status="200"}' in text
    assert 'route="none",status="404"' in text
    assert "secret-of-a-path" not in text
