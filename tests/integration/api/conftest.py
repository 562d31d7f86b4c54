"""The real gateway, served by uvicorn on a port of its own against the session's parts."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from services.api.app import create_app
from shared.db import Pool
from tests.client import PASSWORD
from tests.platforms import TestPlatform

SignUp = Callable[..., Awaitable["Person"]]


class Person(httpx.AsyncClient):
    """A signed-in client: httpx with the access token of `username`; `tokens` is what login answered."""

    username: str
    id: str
    tokens: dict[str, Any]


class Server(uvicorn.Server):
    """uvicorn inside the test's loop; signals stay pytest's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@asynccontextmanager
async def serving(environ: dict[str, str]) -> AsyncIterator[str]:
    """Serve the gateway with these settings; yields its origin. It may still be opening its parts."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = Server(
        uvicorn.Config(
            create_app(environ), lifespan="on", ws="none", log_config=None, access_log=False, proxy_headers=False
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise AssertionError("the gateway ended before it served")
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def opened(origin: str, timeout_s: float = 60) -> None:
    """Wait until the gateway has opened all of its parts."""
    async with asyncio.timeout(timeout_s), httpx.AsyncClient(base_url=origin) as client:
        while True:
            answer = await client.get("/api/users/me")  # no access token: 401 once it serves
            if answer.status_code != 503:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving_openly(parts: TestPlatform, **settings: str) -> AsyncIterator[str]:
    """Serve the gateway on the session's parts until the block ends; yields its origin once all of them are open.

    No edge runs here: clients reach storage where the services do, and all come from one address, whose registrations
    are not counted.
    """
    environ = {
        **parts.environ,
        "CLINAI_STORAGE_PUBLIC_URL": parts.env["CLINAI_STORAGE_ENDPOINT"],
        "CLINAI_REGISTER_PER_MINUTE": "0",
        **settings,
    }
    async with serving(environ) as url:
        await opened(url)
        yield url


@pytest.fixture(scope="module")
async def gateway(parts: TestPlatform) -> AsyncIterator[str]:
    """Origin of one gateway for all tests of a file, as one serves many users: its start costs more than most tests."""
    async with serving_openly(parts) as url:
        yield url


@pytest.fixture
async def origin(gateway: str, pool: Pool) -> str:
    """Origin of a gateway that is ready; the database is empty (`pool`)."""
    return gateway


@pytest.fixture
async def api(origin: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not signed in."""
    async with httpx.AsyncClient(base_url=origin, timeout=30) as client:
        yield client


@pytest.fixture
async def sign_up(origin: str) -> AsyncIterator[SignUp]:
    """`await sign_up()` makes an account and returns a client that is signed in to it."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(username: str | None = None) -> Person:
            person = await stack.enter_async_context(Person(base_url=origin, timeout=30))
            person.username = username or f"user-{secrets.token_hex(4)}"
            body = {"username": person.username, "email": f"{person.username}@example.com", "password": PASSWORD}
            made = (await person.post("/api/users/register", json=body)).raise_for_status().json()
            person.id = made["id"]
            body = {"username": person.username, "password": PASSWORD}
            person.tokens = (await person.post("/api/users/login", json=body)).raise_for_status().json()
            person.headers["Authorization"] = f"Bearer {person.tokens['access_token']}"
            return person

        yield make


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is an RFC 9457 problem document with this code, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body
