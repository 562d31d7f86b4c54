"""Rate limits: the window itself, and what the gateway counts by."""

import asyncio

import httpx
import pytest

from services.api.ratelimit import FORGET_EVERY, MovingWindow
from shared.db import Pool
from shared.errors import RateLimited
from tests.client import PASSWORD
from tests.integration.api.conftest import opened, problem, serving
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


class Clock:
    """Time that moves when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_window_moves() -> None:
    clock = Clock()
    window = MovingWindow("tries", 2, 10.0, clock)
    window.hit("a")
    clock.now += 6
    window.hit("a")
    window.hit("b")
    with pytest.raises(RateLimited) as refused:
        window.hit("a")
    assert refused.value.headers == {"Retry-After": "4"}
    assert "2 in 10 s" in refused.value.message
    clock.now += 4
    window.hit("a")
    with pytest.raises(RateLimited):
        window.hit("a")
    window.clear("a")
    window.hit("a")


def test_no_limit_and_silent_keys_are_forgotten() -> None:
    clock = Clock()
    free = MovingWindow("tries", 0, 10.0, clock)
    for _ in range(100):
        free.hit("a")
    window = MovingWindow("tries", 2, 10.0, clock)
    for n in range(FORGET_EVERY - 1):
        window.hit(str(n))
    clock.now += 11
    window.hit("last")
    assert list(window._hits) == ["last"]


def register(n: int) -> dict[str, str]:
    """Body of a registration."""
    return {"username": f"user-{n}", "email": f"user-{n}@example.com", "password": PASSWORD}


async def test_registrations_by_address(parts: TestPlatform, pool: Pool) -> None:
    async with (
        serving({**parts.environ, "CLINAI_REGISTER_PER_MINUTE": "2"}) as origin,
        httpx.AsyncClient(base_url=origin) as api,
    ):
        await opened(origin)
        for n in range(2):
            assert (await api.post("/api/users/register", json=register(n))).status_code == 201
        refused = await api.post("/api/users/register", json=register(2))
        problem(refused, 429, "RATE_LIMITED")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        # the edge is trusted to say who it speaks for; what came before its own entry is hearsay
        said = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        assert (await api.post("/api/users/register", json=register(2), headers=said)).status_code == 201
        said = {"X-Forwarded-For": "203.0.113.10, 198.51.100.7"}
        assert (await api.post("/api/users/register", json=register(3), headers=said)).status_code == 201
        said = {"X-Forwarded-For": "203.0.113.11, 198.51.100.7"}
        problem(await api.post("/api/users/register", json=register(4), headers=said), 429, "RATE_LIMITED")


async def test_a_stranger_cannot_choose_its_address(parts: TestPlatform, pool: Pool) -> None:
    settings = {"CLINAI_REGISTER_PER_MINUTE": "1", "CLINAI_TRUSTED_PROXIES": "192.0.2.0/24"}
    async with serving({**parts.environ, **settings}) as origin, httpx.AsyncClient(base_url=origin) as api:
        await opened(origin)
        for n, status in enumerate((201, 429)):
            said = {"X-Forwarded-For": f"198.51.100.{n}"}
            answer = await api.post("/api/users/register", json=register(n), headers=said)
            assert answer.status_code == status, answer.text


async def test_failed_logins_by_account_and_address(api: httpx.AsyncClient) -> None:
    for n in range(2):
        (await api.post("/api/users/register", json=register(n))).raise_for_status()
    wrong = {"username": "user-0", "password": "not the one"}
    answers = await asyncio.gather(*(api.post("/api/users/login", json=wrong) for _ in range(14)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 4
    right = {"username": "USER-0", "password": PASSWORD}
    problem(await api.post("/api/users/login", json=right), 429, "RATE_LIMITED")
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    assert (await api.post("/api/users/login", json=right, headers=elsewhere)).status_code == 200
    other = {"username": "user-1", "password": PASSWORD}
    answers = await asyncio.gather(*(api.post("/api/users/login", json=other) for _ in range(14)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("spelling", ["ida\0", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}da"])
async def test_no_spelling_of_a_name_gives_more_attempts(api: httpx.AsyncClient, spelling: str) -> None:
    """Names that the database or a clean-up takes for the account's own count as the account's."""
    (await api.post("/api/users/register", json={**register(0), "username": "ida"})).raise_for_status()
    for _ in range(10):
        await api.post("/api/users/login", json={"username": "ida", "password": "not the one"})
    answers = [
        await api.post("/api/users/login", json={"username": spelling + "\0" * n, "password": PASSWORD})
        for n in range(3)
    ]
    assert 200 not in {answer.status_code for answer in answers}


async def test_requests_by_user(parts: TestPlatform, pool: Pool) -> None:
    async with (
        serving({**parts.environ, "CLINAI_REQUESTS_PER_SECOND": "5"}) as origin,
        httpx.AsyncClient(base_url=origin) as api,
    ):
        await opened(origin)
        heads = []
        for n in range(2):
            (await api.post("/api/users/register", json=register(n))).raise_for_status()
            login = {"username": f"user-{n}", "password": PASSWORD}
            token = (await api.post("/api/users/login", json=login)).json()["access_token"]
            heads.append({"Authorization": f"Bearer {token}"})
        answers = await asyncio.gather(*(api.get("/api/users/me", headers=heads[0]) for _ in range(8)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[:5] == [200] * 5
        assert statuses[-1] == 429
        assert (await api.get("/api/users/me", headers=heads[1])).status_code == 200
        await asyncio.sleep(1.0)
        assert (await api.get("/api/users/me", headers=heads[0])).status_code == 200
