"""Log lines over the WebSocket: from the start or a sequence, then live, to those who may read them."""

import asyncio
from uuid import UUID

import pytest

from shared.bus import BusConnection
from shared.db import Pool
from shared.events import LOGS
from shared.ids import new_id
from tests.integration.notifier.conftest import Connect, frames, nothing, publish, write_line
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


@pytest.fixture
async def version(pool: Pool, ada: UUID) -> UUID:
    """A version of a public model of Ada's."""
    model, version = new_id(), new_id()
    await pool.execute("INSERT INTO models (id, owner_id, name, is_public) VALUES ($1, $2, 'm', true)", model, ada)
    await pool.execute(
        "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key) VALUES ($1, $2, $3, '1', 'k')",
        version,
        model,
        ada,
    )
    return version


@pytest.fixture
async def job(pool: Pool, bob: UUID, version: UUID) -> UUID:
    """Bob's run of it."""
    job = new_id()
    await pool.execute(
        "INSERT INTO jobs (id, version_id, user_id, upload_key) VALUES ($1, $2, $3, 'k')", job, version, bob
    )
    return job


async def test_lines_from_the_start_then_live_and_again_after_since(
    bus: BusConnection, ada: UUID, version: UUID, connect: Connect
) -> None:
    topic = f"version:{version}"
    before = [await write_line(bus, "version", ada, version, f"line {n}") for n in range(200)]
    await write_line(bus, "version", ada, new_id(), "another build's")
    async with connect(ada) as live:
        await live.next()
        await live.send(op="subscribe", topic=topic)
        got = await frames(live, 150, "log")
        after = [await write_line(bus, "version", ada, version, f"line {n} ü") for n in range(200, 220)]
        got += await frames(live, 70, "log")
        assert [frame["seq"] for frame in got] == before + after
        assert got[-1] == {"type": "log", "topic": topic, "seq": after[-1], "line": "line 219 ü"}
        await live.send(op="unsubscribe", topic=topic)
        # its answer is the order of things: this error comes after the unsubscribe was done
        await live.send(op="unknown")
        await frames(live, 1, "error")
        await write_line(bus, "version", ada, version, "unheard")
        await nothing(live)
        await live.send(op="subscribe", topic=topic, since=before[100])
        again = await frames(live, 120, "log")
        assert [frame["seq"] for frame in again[:-1]] == (before + after)[101:]
        assert again[-1]["line"] == "unheard"


async def test_only_the_owner_reads_a_build_and_only_the_user_a_job(
    bus: BusConnection, ada: UUID, bob: UUID, version: UUID, job: UUID, connect: Connect
) -> None:
    await write_line(bus, "version", ada, version, "secret of the build")
    await write_line(bus, "job", bob, job, "secret of the job")
    for user, own, foreign in ((ada, f"version:{version}", f"job:{job}"), (bob, f"job:{job}", f"version:{version}")):
        async with connect(user) as live:
            await live.next()
            for topic in (foreign, f"version:{new_id()}", f"job:{new_id()}"):
                await live.send(op="subscribe", topic=topic)
                [frame] = await frames(live, 1, "error")
                assert (frame["code"], frame["topic"]) == ("NOT_FOUND", topic)
            await live.send(op="subscribe", topic=own)
            assert [frame["topic"] for frame in await frames(live, 1, "log")] == [own]
            await nothing(live)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"op":"dance"}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","topic":"model:1"}',
        '{"op":"subscribe","topic":"job:*"}',
        '{"op":"subscribe","topic":"job:>","since":1}',
        '{"op":"subscribe","topic":"job:01890000-0000-7000-8000-000000000000","since":-1}',
        '{"op":"subscribe","topic":"job:01890000-0000-7000-8000-000000000000","since":"1"}',
    ],
)
async def test_nonsense_is_answered_and_the_connection_stays(
    bus: BusConnection, ada: UUID, connect: Connect, text: str
) -> None:
    async with connect(ada) as live:
        await live.next()
        await live.socket.send(text)
        [frame] = await frames(live, 1, "error")
        assert frame["code"] == "INVALID_REQUEST"
        assert frame["detail"]
        seq = await publish(bus, ada)
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]


async def test_a_socket_follows_so_many_logs_and_no_more(
    pool: Pool, bus: BusConnection, ada: UUID, version: UUID, connect: Connect
) -> None:
    jobs = [new_id() for _ in range(4)]
    for job in jobs:
        await pool.execute(
            "INSERT INTO jobs (id, version_id, user_id, upload_key) VALUES ($1, $2, $3, 'k')", job, version, ada
        )
    async with connect(ada) as live:
        await live.next()
        for job in jobs:
            await live.send(op="subscribe", topic=f"job:{job}")
        [frame] = await frames(live, 1, "error")
        assert (frame["code"], frame["topic"]) == ("TOO_MANY_SUBSCRIPTIONS", f"job:{jobs[3]}")
        await live.send(op="unsubscribe", topic=f"job:{jobs[0]}")
        await live.send(op="subscribe", topic=f"job:{jobs[3]}")
        await write_line(bus, "job", ada, jobs[3], "there is room now")
        assert [frame["topic"] for frame in await frames(live, 1, "log")] == [f"job:{jobs[3]}"]


async def test_lines_that_are_gone_are_a_reset_of_that_log(
    bus: BusConnection, ada: UUID, version: UUID, connect: Connect
) -> None:
    topic = f"version:{version}"
    old = await write_line(bus, "version", ada, version, "old")
    await write_line(bus, "version", ada, version, "old too")
    await bus.js.purge_stream(LOGS)
    kept = await write_line(bus, "version", ada, version, "kept")
    async with connect(ada) as live:
        await live.next()
        for since in (old, kept + 1000):
            await live.send(op="subscribe", topic=topic, since=since)
            assert await frames(live, 1, "reset") == [{"type": "reset", "topic": topic}]
            assert [frame["line"] for frame in await frames(live, 1, "log")] == ["kept"]


async def test_a_long_log_waits_for_a_slow_reader_instead_of_cutting_it_off(
    bus: BusConnection, ada: UUID, version: UUID, connect: Connect
) -> None:
    line = "y" * 4000
    last = 0
    for _ in range(2000):
        ack = await bus.js.publish_async(f"log.version.{ada}.{version}", line.encode())
    last = (await ack).seq
    async with connect(ada, max_queue=1) as live:
        await live.next()
        await live.send(op="subscribe", topic=f"version:{version}")
        await frames(live, 1, "log")
        seq = await publish(bus, ada)
        await asyncio.sleep(1.5)  # the client reads nothing: queue and buffers are full now
        seen, events = 1, []
        while seen < 2000:
            frame = await live.next()
            seen += frame["type"] == "log"
            if frame["type"] == "event":
                events.append(frame["seq"])
        assert frame["seq"] == last
        assert events == [seq]


async def test_a_restart_of_the_bus_loses_no_line_that_was_stored(
    parts: TestPlatform, bus: BusConnection, ada: UUID, version: UUID, connect: Connect
) -> None:
    async with connect(ada) as live:
        await live.next()
        await live.send(op="subscribe", topic=f"version:{version}")
        await write_line(bus, "version", ada, version, "before")
        await frames(live, 1, "log")
        await asyncio.to_thread(parts.part, "kill", "nats")
        async with asyncio.timeout(30):
            while True:
                try:
                    await write_line(bus, "version", ada, version, "after")
                    break
                except Exception:
                    await asyncio.sleep(0.1)
        while (await frames(live, 1, "log"))[0]["line"] != "after":
            pass
