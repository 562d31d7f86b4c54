"""Who may connect, who is sent away, and how."""

import asyncio
import json
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest
import websockets

from shared.bus import BusConnection
from shared.db import Pool
from shared.ids import new_id
from tests.client import Live
from tests.integration.notifier.conftest import Connect, Process, close_code, frames, nothing, publish, ticket
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def refusal(notifier: Process, query: str) -> tuple[str, int]:
    """Code of the error frame and of the close."""
    async with websockets.connect(f"ws://127.0.0.1:{notifier.port}/ws{query}") as socket:
        frame = json.loads(await socket.recv())
        assert frame["type"] == "error"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        return frame["code"], closed.value.rcvd.code


async def test_a_ticket_opens_one_socket(pool: Pool, notifier: Process, ada: UUID) -> None:
    once = await ticket(pool, ada)
    async with websockets.connect(f"ws://127.0.0.1:{notifier.port}/ws?ticket={once}") as socket:
        assert json.loads(await socket.recv())["type"] == "ready"
        assert await refusal(notifier, f"?ticket={once}") == ("UNAUTHORIZED", 4401)


async def test_no_old_or_foreign_ticket_opens_a_socket(pool: Pool, notifier: Process, ada: UUID) -> None:
    for query in ("", "?ticket=", "?ticket=guess", f"?ticket={await ticket(pool, ada, expires_in_s=-1)}"):
        assert await refusal(notifier, query) == ("UNAUTHORIZED", 4401)
    of_disabled = await ticket(pool, ada)
    await pool.execute("UPDATE users SET disabled_at = now()")
    assert await refusal(notifier, f"?ticket={of_disabled}") == ("UNAUTHORIZED", 4401)


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "9" * 30])
async def test_a_since_that_is_no_sequence_is_refused(pool: Pool, notifier: Process, ada: UUID, since: str) -> None:
    assert await refusal(notifier, f"?ticket={await ticket(pool, ada)}&since={since}") == ("INVALID_REQUEST", 4400)


async def test_a_disabled_account_is_sent_away(pool: Pool, ada: UUID, bob: UUID, connect: Connect) -> None:
    async with connect(ada) as live, connect(bob) as other:
        await live.next()
        await other.next()
        await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", ada)
        assert await close_code(live) == 4401
        assert (await other.next())["type"] == "heartbeat"


async def add_session(pool: Pool, user: UUID, *, revoked: bool = False) -> UUID:
    session = new_id()
    await pool.execute(
        "INSERT INTO sessions (id, user_id, expires_at, revoked_at)"
        " VALUES ($1, $2, now() + interval '1 day', CASE WHEN $3 THEN now() END)",
        session,
        user,
        revoked,
    )
    return session


async def test_signing_a_device_out_closes_the_sockets_of_the_account(
    pool: Pool, ada: UUID, bob: UUID, connect: Connect
) -> None:
    """One of them may be the device's; who is still signed in comes back."""
    session = await add_session(pool, ada)
    async with connect(ada) as live, connect(bob) as other:
        await live.next()
        await other.next()
        await pool.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1", session)
        assert await close_code(live) == 1012
        async with connect(ada) as again:
            assert (await again.next())["type"] == "ready"
            await nothing(again)
        assert (await other.next())["type"] == "heartbeat"


async def test_a_ticket_from_before_a_device_was_signed_out_opens_nothing(
    pool: Pool, notifier: Process, ada: UUID
) -> None:
    before = await ticket(pool, ada)
    await add_session(pool, ada, revoked=True)
    assert await refusal(notifier, f"?ticket={before}") == ("UNAUTHORIZED", 4401)


async def test_a_client_that_does_not_read_is_closed_and_misses_nothing(
    bus: BusConnection, ada: UUID, bob: UUID, connect: Connect
) -> None:
    """It takes 64 frames of its queue and what lies in the kernel's buffers, then 4408; `since` brings the rest."""
    async with connect(ada, max_queue=1, max_size=None) as slow, connect(bob) as quick:
        await slow.next()
        await quick.next()
        seqs = [await publish(bus, ada, size=100_000) for _ in range(400)]
        # others are served meanwhile
        seq = await publish(bus, bob)
        assert [frame["seq"] for frame in await frames(quick, 1)] == [seq]
        assert await close_code(slow) == 4408
    got = [frame["seq"] for frame in slow.frames if frame["type"] == "event"]
    assert 0 < len(got) < 400
    assert got == seqs[: len(got)]
    async with connect(ada, since=got[-1], max_size=None) as live:
        await live.next()
        assert [frame["seq"] for frame in await frames(live, 400 - len(got))] == seqs[len(got) :]


async def write_until_cut(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(30):
        while True:
            writer.write(b"\x8a\x80abcd")
            await writer.drain()
            await asyncio.sleep(0.1)


async def test_a_client_that_reads_nothing_at_all_is_cut_off(
    parts: TestPlatform, pool: Pool, bus: BusConnection, ada: UUID
) -> None:
    """Not even the close can be sent to it: the notifier must not keep its buffers for ever."""
    notifier = await Process(parts).start()
    try:
        query = f"?ticket={await ticket(pool, ada)}"
        reader, writer = await asyncio.open_connection("127.0.0.1", notifier.port, limit=1024)
        writer.write(
            f"GET /ws{query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b"101" in await reader.readline()
        for _ in range(200):
            await publish(bus, ada, size=100_000)
        # writing only: what the server has sent stays unread
        with pytest.raises(ConnectionError):
            await write_until_cut(writer)
        writer.transport.abort()
    finally:
        assert await notifier.stop() == 0


async def test_a_stop_closes_sockets_so_that_clients_come_back(
    parts: TestPlatform, pool: Pool, bus: BusConnection, ada: UUID
) -> None:
    notifier = await Process(parts).start()
    async with websockets.connect(f"ws://127.0.0.1:{notifier.port}/ws?ticket={await ticket(pool, ada)}") as socket:
        live = Live(socket)
        await live.next()
        beats = "SELECT state FROM workers WHERE service = 'notifier' AND pid = $1"
        assert await pool.fetchval(beats, notifier.process.pid) == "ready"
        stopping = asyncio.create_task(notifier.stop())
        assert await close_code(live) == 1012
        assert await stopping == 0
    assert await pool.fetchval(beats, notifier.process.pid) is None


async def test_a_restart_of_the_database_is_survived(
    parts: TestPlatform, pool: Pool, bus: BusConnection, ada: UUID, connect: Connect
) -> None:
    async with connect(ada) as live:
        await live.next()
        await asyncio.to_thread(parts.part, "kill", "postgres")
        seq = await publish(bus, ada)
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]
        async with asyncio.timeout(60):
            while True:
                # the test's own pool may find the database away, too
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    async with connect(ada) as again:
                        if (await again.next())["type"] == "ready":
                            break
                await asyncio.sleep(0.2)
