"""A notifier as a process of its own on the session's parts, users with tickets, and events to send."""

import asyncio
import hashlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import websockets

from shared.bus import BusConnection
from shared.db import Pool
from shared.events import EVENTS, Noun, headers, log_subject
from shared.ids import new_id
from tests.client import Live
from tests.platforms import ROOT, TestPlatform, free_port

QUEUE_FRAMES = 64


class Process:
    """A running `python -m services.notifier`."""

    def __init__(self, parts: TestPlatform, **settings: str) -> None:
        self.port = free_port()
        self._environ = parts.environ | {
            "CLINAI_NOTIFIER_PORT": str(self.port),
            "CLINAI_METRICS_PORT": "",
            "CLINAI_WORKER_ID": f"notifier-{self.port}",
            "CLINAI_NOTIFIER_QUEUE_FRAMES": str(QUEUE_FRAMES),
            "CLINAI_NOTIFIER_HEARTBEAT_S": "1",
            "CLINAI_NOTIFIER_REVOKE_EVERY_S": "0.5",
            "CLINAI_NOTIFIER_SUBSCRIPTIONS": "3",
            **settings,
        }
        self.process: asyncio.subprocess.Process

    async def start(self) -> "Process":
        """Start it and wait until it serves."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.notifier", cwd=ROOT, env=self._environ
        )
        await self.passed(0)
        return self

    async def passed(self, seq: int) -> None:
        """Wait until it serves and the event `seq` has passed through it."""
        async with asyncio.timeout(30), httpx.AsyncClient() as http:
            while True:
                assert self.process.returncode is None, f"the notifier ended with {self.process.returncode}"
                try:
                    answer = await http.get(f"http://127.0.0.1:{self.port}/health")
                    if answer.status_code == 200 and answer.json()["last_seq"] >= seq:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """Stop it as the launcher does; returns its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            return await self.process.wait()


@pytest.fixture(scope="module")
async def process(parts: TestPlatform) -> AsyncIterator[Process]:
    """A notifier with small bounds; it goes with its file, since its heartbeat is in every other test's database."""
    process = await Process(parts).start()
    yield process
    await process.stop()


@pytest.fixture
async def notifier(process: Process, bus: BusConnection) -> Process:
    """The file's notifier, once it has seen that the streams were emptied under it."""
    await process.passed(await publish(bus, new_id()))
    return process


async def add_user(pool: Pool) -> UUID:
    """A new account."""
    user, name = new_id(), f"user-{secrets.token_hex(4)}"
    await pool.execute(
        "INSERT INTO users (id, username, email, hashed_password) VALUES ($1, $2, $3, 'x')",
        user,
        name,
        f"{name}@example.com",
    )
    return user


@pytest.fixture
async def ada(pool: Pool) -> UUID:
    """An account."""
    return await add_user(pool)


@pytest.fixture
async def bob(pool: Pool) -> UUID:
    """Another account."""
    return await add_user(pool)


async def ticket(pool: Pool, user: UUID, *, expires_in_s: float = 30) -> str:
    """A ticket as the gateway makes it."""
    made = secrets.token_urlsafe(32)
    await pool.execute(
        "INSERT INTO live_tickets VALUES ($1, $2, now() + $3 * interval '1 second')",
        hashlib.sha256(made.encode()).digest(),
        user,
        expires_in_s,
    )
    return made


Connect = Callable[..., AbstractAsyncContextManager[Live]]


@pytest.fixture
def connect(pool: Pool, notifier: Process) -> Connect:
    """Open a socket: `async with connect(user, since=7) as live`."""

    @asynccontextmanager
    async def opened(user: UUID, *, since: int | None = None, **options: Any) -> AsyncIterator[Live]:
        url = f"ws://127.0.0.1:{notifier.port}/ws?ticket={await ticket(pool, user)}"
        if since is not None:
            url += f"&since={since}"
        async with websockets.connect(url, **options) as connection:
            yield Live(connection)

    return opened


async def publish(
    bus: BusConnection,
    owner: UUID,
    *,
    verb: str = "submitted",
    noun: Noun = "job",
    object_id: UUID | None = None,
    event_id: UUID | None = None,
    emission: int = 1,
    size: int = 0,
) -> int:
    """Send an event as the outbox does; returns its sequence."""
    object_id = object_id or new_id()
    ack = await bus.js.publish(
        f"{noun}.{verb}.{owner}.{object_id}",
        msgspec.json.encode({"id": object_id, "rev": 1, "padding": "x" * size}),
        stream=EVENTS,
        headers=headers(
            event_id=event_id or new_id(),
            type_=f"{noun}.{verb}",
            time=datetime.now(UTC),
            traceparent="",
            emission=emission,
        ),
    )
    return ack.seq


async def write_line(bus: BusConnection, noun: Noun, owner: UUID, object_id: UUID, line: str) -> int:
    """Send a log line as a worker does; returns its sequence."""
    return (await bus.js.publish(log_subject(noun, owner, object_id), line.encode())).seq


async def frames(live: Live, count: int, kind: str = "event") -> list[dict[str, Any]]:
    """The next `count` frames of a kind; others in between are passed over, heartbeats that is."""
    found = []
    while len(found) < count:
        frame = await live.next()
        if frame["type"] == kind:
            found.append(frame)
        else:
            assert frame["type"] == "heartbeat", frame
    return found


async def close_code(live: Live) -> int:
    """Read until the server closes the socket; the code it gives."""
    while True:
        try:
            await live.next()
        except websockets.ConnectionClosed as closed:
            close = closed.rcvd
            break
    assert close is not None, "the connection was cut without a close"
    return int(close.code)


async def nothing(live: Live) -> None:
    """Assert that only heartbeats come, until the second one: all that was under way would have been first."""
    for _ in range(2):
        frame = await live.next()
        assert frame["type"] == "heartbeat", frame
