"""Accounts and signing in, against the real database."""

import httpx
import pytest

from tests.client import PASSWORD

pytestmark = pytest.mark.integration


async def test_register_login_me(api: httpx.AsyncClient) -> None:
    body = {"username": "Ada", "email": "ada@example.com", "password": PASSWORD}
    made = await api.post("/api/users/register", json=body)
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
