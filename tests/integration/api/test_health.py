"""Health: part by part, starting told from down, and answers whatever is away."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.api.health import checks
from shared.db import Pool
from shared.heartbeat import Pulse, beating
from tests.integration.api.conftest import opened, problem, serving, serving_openly
from tests.platforms import ROOT, TestPlatform, free_port

pytestmark = pytest.mark.integration

NAMES = {"postgres", "nats", "storage", "registry", "engine", "builder", "runner", "notifier"}


@pytest.fixture
async def origin(parts: TestPlatform, pool: Pool) -> AsyncIterator[str]:
    """A gateway of each test's own: what it has seen since its start is in its answers."""
    async with serving_openly(parts) as url:
        yield url


@pytest.fixture(autouse=True)
def ask_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer be a fresh one."""
    monkeypatch.setattr(checks, "KEEP_S", 0.0)


async def health(api: httpx.AsyncClient) -> dict[str, Any]:
    """The answer, whatever its status."""
    found: dict[str, Any] = (await api.get("/api/health")).json()
    return found


async def until(
    api: httpx.AsyncClient, ready: Callable[[dict[str, Any]], bool], timeout_s: float = 30
) -> dict[str, Any]:
    """Ask until the answer is as wanted."""
    found: dict[str, Any] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while True:
                found = await health(api)
                if ready(found):
                    return found
                await asyncio.sleep(0.1)
    raise AssertionError(f"health stayed {found}")


@asynccontextmanager
async def workers(pool: Pool, *services: str) -> AsyncIterator[None]:
    """Heartbeats of these services, by the real heartbeat."""
    async with contextlib.AsyncExitStack() as stack:
        for service in services:
            await stack.enter_async_context(
                beating(pool, worker=f"{service}-here", service=service, pulse=Pulse(info={"engine": "ok"}))
            )
        yield


async def test_every_part_is_named_and_ok(api: httpx.AsyncClient, pool: Pool) -> None:
    async with workers(pool, "builder", "runner", "notifier"):
        answer = await api.get("/api/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "components": dict.fromkeys(NAMES, "ok")}


async def test_workers_start_fall_silent_and_leave(
    api: httpx.AsyncClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await health(api)
    assert found["status"] == "starting"
    assert {found["components"][name] for name in ("builder", "runner", "notifier")} == {"starting"}
    async with workers(pool, "builder", "runner", "notifier"):
        assert (await health(api))["status"] == "ok"
        await pool.execute("UPDATE workers SET heartbeat_at = now() - interval '40 seconds' WHERE service = 'runner'")
        found = await health(api)
        assert found["status"] == "degraded"
        assert found["components"]["runner"] == "down: silent for 40 s"
        await pool.execute("UPDATE workers SET heartbeat_at = now(), state = 'starting' WHERE service = 'runner'")
        assert (await health(api))["components"]["runner"] == "starting"
    # it was there, so that it is gone now is no start
    assert (await health(api))["components"]["runner"] == "down: none has reported"


async def test_parts_that_stop_and_come_back(api: httpx.AsyncClient, parts: TestPlatform) -> None:
    assert {(await health(api))["components"][name] for name in ("nats", "storage", "registry")} == {"ok"}
    for name in ("nats", "storage", "registry"):
        parts.part("stop", name)
        try:
            found = await until(api, lambda found, name=name: found["components"][name].startswith("down: "))
            assert found["status"] == "degraded"
            assert (await api.get("/api/health")).status_code == 200
            # the gateway itself needs none of them to let people in
            problem(await api.get("/api/users/me"), 401, "UNAUTHORIZED")
        finally:
            parts.part("start", name)
        await until(api, lambda found, name=name: found["components"][name] == "ok")


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("postgres", "CLINAI_DATABASE_URL", "postgresql://clinai:x@127.0.0.1:1/clinai"),
        ("nats", "CLINAI_NATS_URL", "nats://clinai:secret-word@127.0.0.1:1"),
        ("storage", "CLINAI_STORAGE_ENDPOINT", "http://127.0.0.1:1"),
        ("engine", "CLINAI_DOCKER_HOST", "unix:///nowhere/docker.sock"),
    ],
)
async def test_it_starts_and_answers_while_a_part_is_away(
    parts: TestPlatform, pool: Pool, monkeypatch: pytest.MonkeyPatch, part: str, setting: str, value: str
) -> None:
    async with (
        serving({**parts.environ, setting: value}) as origin,
        httpx.AsyncClient(base_url=origin, timeout=10) as api,
    ):
        if part == "engine":
            await opened(origin)  # the gateway serves without one
        found = await health(api)
        assert found["status"] == "starting"
        assert found["components"][part] == "starting"
        if part != "engine":
            answer = await api.get("/api/users/me")
            problem(answer, 503, "UNAVAILABLE")
            assert answer.headers["retry-after"]
            assert (await api.get("/api/health")).status_code == 503
        assert (await api.get("/docs")).status_code == 200
        monkeypatch.setattr(checks, "STARTING_S", 0.0)
        found = await health(api)
        assert found["components"][part].startswith("down: ")
        assert "secret-word" not in str(found)


async def start(environ: dict[str, str]) -> asyncio.subprocess.Process:
    """Start the gateway as the launcher does."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", cwd=ROOT, env=environ, stderr=asyncio.subprocess.PIPE
    )


async def test_the_process_stops_as_it_should(parts: TestPlatform, pool: Pool) -> None:
    port = free_port()
    environ = {**parts.environ, "CLINAI_API_PORT": str(port), "CLINAI_WORKER_ID": "api-process"}
    process = await start(environ)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as api:
            await _answers(api)
            await opened(str(api.base_url))
            assert await pool.fetchval("SELECT state FROM workers WHERE id = 'api-process'") == "ready"
            second = await start(environ)
            _, errors = await second.communicate()
            assert second.returncode == 1
            assert f"port {port} is taken: set CLINAI_API_PORT" in errors.decode()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert await pool.fetchval("SELECT count(*) FROM workers WHERE id = 'api-process'") == 0


async def _answers(api: httpx.AsyncClient, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            await api.get("/metrics")
            return
        except httpx.TransportError:
            assert time.monotonic() < end, f"no answer on {api.base_url} within {timeout_s} s (pid {os.getpid()})"
            await asyncio.sleep(0.05)
