"""Refresh tokens, cookies, devices and WebSocket tickets."""

import asyncio
import hashlib
from http.cookies import SimpleCookie

import httpx
import pytest

from shared.db import Pool
from tests.client import PASSWORD
from tests.integration.api.conftest import Person, SignUp, opened, problem, serving
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def refresh(api: httpx.AsyncClient, token: str) -> httpx.Response:
    """Trade a refresh token."""
    return await api.post("/api/users/refresh", json={"refresh_token": token})


async def age(pool: Pool, seconds: int) -> None:
    """Let every used token have been used that much earlier."""
    await pool.execute("UPDATE refresh_tokens SET used_at = used_at - $1 * interval '1 second'", seconds)


async def is_in(api: httpx.AsyncClient, access_token: str) -> bool:
    """Whether an access token still works."""
    answer = await api.get("/api/users/me", headers={"Authorization": f"Bearer {access_token}"})
    return answer.status_code == 200


async def test_each_refresh_token_works_once_and_its_copy_ends_the_session(
    api: httpx.AsyncClient, sign_up: SignUp, pool: Pool
) -> None:
    person = await sign_up()
    first = person.tokens["refresh_token"]
    second = (await refresh(api, first)).json()
    assert await is_in(api, second["access_token"])
    assert second["refresh_token"] != first
    third = (await refresh(api, second["refresh_token"])).json()
    await age(pool, 11)
    problem(await refresh(api, first), 401, "SESSION_ENDED")
    problem(await refresh(api, third["refresh_token"]), 401, "SESSION_ENDED")
    assert not await is_in(api, third["access_token"])


async def test_a_retry_whose_answer_was_lost_is_answered(api: httpx.AsyncClient, sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    first = person.tokens["refresh_token"]
    lost = (await refresh(api, first)).json()["refresh_token"]
    again = (await refresh(api, first)).json()["refresh_token"]
    await age(pool, 11)
    # the token of the lost answer was used up: whoever has it now is not the one who retried
    problem(await refresh(api, lost), 401, "SESSION_ENDED")
    problem(await refresh(api, again), 401, "SESSION_ENDED")


async def test_many_refreshes_at_once_leave_one_token_that_works(
    api: httpx.AsyncClient, sign_up: SignUp, pool: Pool
) -> None:
    person = await sign_up()
    answers = await asyncio.gather(*(refresh(api, person.tokens["refresh_token"]) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert await pool.fetchval("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL") == 1


async def test_an_unknown_an_expired_and_no_token(api: httpx.AsyncClient, sign_up: SignUp, pool: Pool) -> None:
    problem(await refresh(api, "x"), 401, "SESSION_ENDED")
    problem(await api.post("/api/users/refresh"), 401, "UNAUTHORIZED")
    person = await sign_up()
    await pool.execute("UPDATE sessions SET expires_at = now()")
    problem(await refresh(api, person.tokens["refresh_token"]), 401, "SESSION_ENDED")


def cookie_of(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """Value and attributes of the refresh cookie."""
    morsel = SimpleCookie(answer.headers["set-cookie"])["clinai_refresh"]
    return morsel.value, {name: value for name, value in morsel.items() if value}


async def test_a_browser_keeps_the_refresh_token_in_a_cookie(api: httpx.AsyncClient, sign_up: SignUp) -> None:
    person = await sign_up()
    body = {"username": person.username, "password": PASSWORD, "session": "cookie"}
    answer = await api.post("/api/users/login", json=body)
    assert "refresh_token" not in answer.json()
    value, attributes = cookie_of(answer)
    assert attributes == {"path": "/api/users", "samesite": "strict", "httponly": True, "max-age": str(30 * 86400)}
    answer = await api.post("/api/users/refresh", json={})  # httpx sends the cookie
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    assert cookie_of(answer)[0] != value
    assert await is_in(api, answer.json()["access_token"])
    left = await api.post("/api/users/logout")
    assert left.status_code == 204
    assert cookie_of(left)[1]["max-age"] == "0"
    assert not await is_in(api, answer.json()["access_token"])


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:9000"}])
async def test_a_page_of_another_port_cannot_use_the_cookie(
    api: httpx.AsyncClient, sign_up: SignUp, headers: dict[str, str]
) -> None:
    person = await sign_up()
    body = {"username": person.username, "password": PASSWORD, "session": "cookie"}
    (await api.post("/api/users/login", json=body)).raise_for_status()
    problem(await api.post("/api/users/refresh", headers=headers), 403, "FORBIDDEN")
    problem(await api.post("/api/users/logout", headers=headers), 403, "FORBIDDEN")
    own = {"Sec-Fetch-Site": "same-origin", "Origin": str(api.base_url).rstrip("/")}
    assert (await api.post("/api/users/refresh", headers=own)).status_code == 200


async def test_a_secure_cookie_where_the_setting_says_so(parts: TestPlatform, pool: Pool) -> None:
    async with (
        serving({**parts.environ, "CLINAI_COOKIE_SECURE": "true"}) as origin,
        httpx.AsyncClient(base_url=origin) as api,
    ):
        await opened(origin)
        body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
        (await api.post("/api/users/register", json=body)).raise_for_status()
        login = {"username": "ada", "password": PASSWORD, "session": "cookie"}
        assert cookie_of(await api.post("/api/users/login", json=login))[1]["secure"] is True


async def test_logout_by_refresh_token_and_twice(api: httpx.AsyncClient, sign_up: SignUp) -> None:
    person = await sign_up()
    body = {"refresh_token": person.tokens["refresh_token"]}
    for _ in range(2):
        assert (await api.post("/api/users/logout", json=body)).status_code == 204
    problem(await person.get("/api/users/me"), 401, "UNAUTHORIZED")
    assert (await api.post("/api/users/logout", headers={"Authorization": "Bearer old"})).status_code == 204


async def another_device(api: httpx.AsyncClient, person: Person) -> dict[str, str]:
    """Sign the same person in on a phone."""
    body = {"username": person.username, "password": PASSWORD}
    found: dict[str, str] = (await api.post("/api/users/login", json=body, headers={"User-Agent": "Phone/1"})).json()
    return found


async def test_devices_are_listed_and_ended(api: httpx.AsyncClient, sign_up: SignUp) -> None:
    person, stranger = await sign_up(), await sign_up()
    phone = await another_device(api, person)
    items = (await person.get("/api/users/me/sessions")).json()["items"]
    assert [item["current"] for item in items] == [False, True]
    assert items[0]["user_agent"] == "Phone/1"
    assert items[0]["address"] == "127.0.0.1"
    path = f"/api/users/me/sessions/{items[0]['id']}"
    problem(await stranger.delete(path), 404, "NOT_FOUND")
    assert await is_in(api, phone["access_token"])
    assert (await person.delete(path)).status_code == 204
    problem(await person.delete(path), 404, "NOT_FOUND")
    assert not await is_in(api, phone["access_token"])
    problem(await refresh(api, phone["refresh_token"]), 401, "SESSION_ENDED")
    assert (await person.get("/api/users/me")).status_code == 200


async def test_sign_out_everywhere(api: httpx.AsyncClient, sign_up: SignUp) -> None:
    person, stranger = await sign_up(), await sign_up()
    phone = await another_device(api, person)
    assert (await person.delete("/api/users/me/sessions")).status_code == 204
    problem(await person.get("/api/users/me"), 401, "UNAUTHORIZED")
    assert not await is_in(api, phone["access_token"])
    assert (await stranger.get("/api/users/me")).status_code == 200


async def test_a_ticket_for_the_socket(sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    made = (await person.post("/api/live/ticket")).raise_for_status().json()
    assert made["expires_in"] == 30
    row = await pool.fetchrow(
        "SELECT *, extract(epoch FROM expires_at - now())::float8 AS left_s FROM live_tickets WHERE ticket_hash = $1",
        hashlib.sha256(made["ticket"].encode()).digest(),
    )
    assert row is not None
    assert str(row["user_id"]) == person.id
    assert 25 < row["left_s"] <= 30
    await pool.execute("UPDATE live_tickets SET expires_at = now() - interval '1 second'")
    (await person.post("/api/live/ticket")).raise_for_status()
    assert await pool.fetchval("SELECT count(*) FROM live_tickets") == 1
