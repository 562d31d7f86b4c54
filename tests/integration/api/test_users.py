"""Accounts and signing in, against the real database."""

import asyncio
import time

import argon2
import httpx
import jwt
import pytest

from shared.db import Pool
from tests.client import PASSWORD
from tests.integration.api.conftest import SignUp, problem
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

ADA = {"username": "Ada", "email": "ada@example.com", "password": PASSWORD}
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_register_login_me(api: httpx.AsyncClient) -> None:
    made = await api.post("/api/users/register", json=ADA)
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"id", "username", "email", "created_at"}
    answer = await api.post("/api/users/login", json={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    tokens = answer.json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert tokens["expires_in"] == 900
    assert "set-cookie" not in answer.headers
    me = await api.get("/api/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json() == {**made.json(), "role": "user"}


async def test_names_and_addresses_are_taken_whatever_their_case(api: httpx.AsyncClient) -> None:
    (await api.post("/api/users/register", json=ADA)).raise_for_status()
    same_name = {**ADA, "username": "aDA", "email": "other@example.com"}
    problem(await api.post("/api/users/register", json=same_name), 409, "USERNAME_TAKEN")
    same_address = {**ADA, "username": "other", "email": "ADA@example.com"}
    problem(await api.post("/api/users/register", json=same_address), 409, "EMAIL_TAKEN")


async def test_two_registrations_at_once_make_one_account(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(api.post("/api/users/register", json=ADA) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "x" * 65),
        ("username", "no space"),
        ("username", "a\u0000bc"),
        ("username", 7),
        ("email", "nobody"),
        ("email", "a b@example.com"),
        ("email", "x" * 250 + "@example.com"),
        ("password", "seven77"),
        ("password", "x" * 1025),
        ("password", None),
    ],
)
async def test_a_field_that_breaks_its_rule_is_named(api: httpx.AsyncClient, field: str, value: object) -> None:
    body = problem(await api.post("/api/users/register", json={**ADA, field: value}), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == field
    assert field in body["detail"]


async def test_a_missing_field_is_named(api: httpx.AsyncClient) -> None:
    body = problem(await api.post("/api/users/login", json={"username": "ada"}), 400, "INVALID_REQUEST")
    assert body["errors"] == [{"field": "password", "message": "is missing"}]


async def test_login_by_form_and_never_by_url(api: httpx.AsyncClient) -> None:
    (await api.post("/api/users/register", json=ADA)).raise_for_status()
    form = {"username": "ada", "password": PASSWORD}
    assert (await api.post("/api/users/login", data=form)).status_code == 200
    parts = {name: (None, value) for name, value in form.items()}
    assert (await api.post("/api/users/login", files=parts)).status_code == 200
    body = problem(await api.post("/api/users/login", params=form), 400, "INVALID_REQUEST")
    assert "URL" in body["detail"]
    assert PASSWORD not in body["detail"]
    problem(await api.post("/api/users/login", params=form, json=form), 400, "INVALID_REQUEST")
    problem(await api.post("/api/users/login", content=b"\xff=1", headers=FORM), 400, "INVALID_REQUEST")
    text = {"content-type": "text/plain"}
    problem(await api.post("/api/users/login", content="x", headers=text), 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_an_unknown_name_is_told_like_a_wrong_password_and_costs_the_same(api: httpx.AsyncClient) -> None:
    (await api.post("/api/users/register", json=ADA)).raise_for_status()
    details, took_s = [], []
    for name in ("ada", "nobody"):
        times = []
        for _ in range(3):
            started = time.perf_counter()
            answer = await api.post("/api/users/login", json={"username": name, "password": "not the one"})
            times.append(time.perf_counter() - started)
            details.append(problem(answer, 401, "INVALID_CREDENTIALS")["detail"])
        took_s.append(min(times))
    assert len(set(details)) == 1
    assert 0.3 < took_s[1] / took_s[0] < 3, took_s


async def test_tokens_that_are_not_good(api: httpx.AsyncClient, sign_up: SignUp, parts: TestPlatform) -> None:
    person = await sign_up()
    key = parts.env["CLINAI_SECRET_KEY"]
    claims = jwt.decode(person.tokens["access_token"], key, algorithms=["HS256"], issuer="clinai")
    assert claims["exp"] - claims["iat"] == 900
    unsigned = jwt.encode(claims, None, algorithm="none")
    other_algorithm = jwt.encode(claims, key * 2, algorithm="HS512")
    other_key = jwt.encode(claims, "k" * 64, algorithm="HS256")
    expired = jwt.encode({**claims, "exp": int(time.time()) - 1}, key, algorithm="HS256")
    endless = jwt.encode({k: v for k, v in claims.items() if k != "exp"}, key, algorithm="HS256")
    foreign = jwt.encode({**claims, "iss": "else"}, key, algorithm="HS256")
    nobody = jwt.encode({**claims, "sub": "nobody"}, key, algorithm="HS256")
    for token in (unsigned, other_algorithm, other_key, expired, endless, foreign, nobody, "a.b.c", "x"):
        answer = await api.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "UNAUTHORIZED")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    bare = await api.get("/api/users/me")
    problem(bare, 401, "UNAUTHORIZED")
    assert bare.headers["www-authenticate"] == 'Bearer realm="clinai"'
    problem(await api.get("/api/users/me", headers={"Authorization": "Basic YTpi"}), 401, "UNAUTHORIZED")
    good = jwt.encode(claims, key, algorithm="HS256")
    assert (await api.get("/api/users/me", headers={"Authorization": f"bearer {good}"})).status_code == 200


async def test_a_disabled_account_is_out_at_once(api: httpx.AsyncClient, sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    await pool.execute("UPDATE users SET disabled_at = now() WHERE username = $1", person.username)
    problem(await person.get("/api/users/me"), 401, "UNAUTHORIZED")
    body = {"username": person.username, "password": PASSWORD}
    problem(await api.post("/api/users/login", json=body), 403, "ACCOUNT_DISABLED")
    refresh = {"refresh_token": person.tokens["refresh_token"]}
    problem(await api.post("/api/users/refresh", json=refresh), 401, "SESSION_ENDED")


async def test_a_new_password_ends_the_other_sessions(api: httpx.AsyncClient, sign_up: SignUp) -> None:
    person = await sign_up()
    login = {"username": person.username, "password": PASSWORD}
    other = (await api.post("/api/users/login", json=login)).json()
    change = {"current_password": "not this one", "new_password": "another-password"}
    problem(await person.post("/api/users/me/password", json=change), 400, "WRONG_PASSWORD")
    change["current_password"] = PASSWORD
    short = {**change, "new_password": "short"}
    assert problem(await person.post("/api/users/me/password", json=short), 400, "INVALID_REQUEST")["errors"]
    assert (await person.post("/api/users/me/password", json=change)).status_code == 204
    assert (await person.get("/api/users/me")).status_code == 200
    stale = {"Authorization": f"Bearer {other['access_token']}"}
    problem(await api.get("/api/users/me", headers=stale), 401, "UNAUTHORIZED")
    refresh = {"refresh_token": other["refresh_token"]}
    problem(await api.post("/api/users/refresh", json=refresh), 401, "SESSION_ENDED")
    problem(await api.post("/api/users/login", json=login), 401, "INVALID_CREDENTIALS")
    login["password"] = "another-password"
    assert (await api.post("/api/users/login", json=login)).status_code == 200


async def test_only_hashes_are_kept(sign_up: SignUp, pool: Pool) -> None:
    person = await sign_up()
    hashed = await pool.fetchval("SELECT hashed_password FROM users WHERE username = $1", person.username)
    assert hashed.startswith("$argon2id$")
    secret = person.tokens["refresh_token"].encode()
    assert [row["token_hash"] for row in await pool.fetch("SELECT token_hash FROM refresh_tokens")] != [secret]
    assert len(await pool.fetchval("SELECT token_hash FROM refresh_tokens")) == 32


async def test_a_hash_of_other_parameters_is_made_anew_at_login(
    api: httpx.AsyncClient, sign_up: SignUp, pool: Pool
) -> None:
    person = await sign_up()
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await pool.execute("UPDATE users SET hashed_password = $1", weak)
    login = {"username": person.username, "password": PASSWORD}
    assert (await api.post("/api/users/login", json=login)).status_code == 200
    hashed = await pool.fetchval("SELECT hashed_password FROM users")
    assert "m=19456,t=2,p=1" in hashed
    assert (await api.post("/api/users/login", json=login)).status_code == 200
    assert await pool.fetchval("SELECT hashed_password FROM users") == hashed
