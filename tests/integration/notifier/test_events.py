"""Events over the WebSocket: each of the user's own, in order, once, whatever happens in between."""

import asyncio
from uuid import UUID

import pytest

from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.events import EVENTS
from shared.ids import new_id
from shared.outbox import Outbox
from tests.integration.notifier.conftest import Connect, Process, add_user, close_code, frames, nothing, publish
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def test_a_state_change_arrives_as_docs_events_says(
    pool: Pool, outbox: Outbox, ada: UUID, bob: UUID, connect: Connect
) -> None:
    model, version, job = new_id(), new_id(), new_id()
    await pool.execute("INSERT INTO models (id, owner_id, name, is_public) VALUES ($1, $2, 'm', true)", model, ada)
    await pool.execute(
        "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key, status)"
        " VALUES ($1, $2, $3, '1', 'k', 'READY')",
        version,
        model,
        ada,
    )
    await pool.execute(
        "INSERT INTO jobs (id, version_id, user_id, upload_key) VALUES ($1, $2, $3, 'k')", job, version, bob
    )
    async with connect(bob) as runs, connect(ada) as owns:
        ready = await runs.next()
        assert ready == {"type": "ready", "seq": ready["seq"]}
        assert (await owns.next())["type"] == "ready"
        await transitions.move(pool, "job", "queue_job", id=job, upload_size=1, upload_etag="e", deadline_s=60)
        await outbox.publish(job)
        [frame] = await frames(runs, 1)
        row = await pool.fetchrow("SELECT id, created_at FROM outbox")
        assert set(frame) == {"type", "seq", "event", "id", "time", "data"}
        assert frame["seq"] == ready["seq"] + 1
        assert (frame["event"], frame["id"], frame["time"]) == (
            "job.submitted",
            str(row["id"]),
            row["created_at"].isoformat(),
        )
        data = frame["data"]
        assert (data["id"], data["status"], data["rev"]) == (str(job), "QUEUED", 1)
        # a public model's run belongs to who runs it, not to the model's owner
        await nothing(owns)


async def test_events_after_since_come_first_then_live_ones_each_once(
    bus: BusConnection, ada: UUID, bob: UUID, connect: Connect
) -> None:
    start = await publish(bus, ada)
    missed = []
    for _ in range(300):  # more than a page of history
        missed.append(await publish(bus, ada))
        await publish(bus, bob)
    live_seqs: list[int] = []

    async def go_on() -> None:
        for _ in range(50):
            live_seqs.append(await publish(bus, ada))

    async with connect(ada, since=start) as live:
        assert (await live.next())["type"] == "ready"
        sender = asyncio.create_task(go_on())
        got = await frames(live, 350)
        await sender
        assert [frame["seq"] for frame in got] == missed + live_seqs
        await nothing(live)
    async with connect(ada, since=live_seqs[-1]) as live:
        assert (await live.next())["seq"] == live_seqs[-1]
        await nothing(live)


async def test_without_since_only_what_comes_after_ready(bus: BusConnection, ada: UUID, connect: Connect) -> None:
    before = await publish(bus, ada)
    async with connect(ada) as live:
        assert (await live.next())["seq"] >= before
        seq = await publish(bus, ada)
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]


async def test_history_that_is_gone_or_of_another_stream_is_a_reset(
    bus: BusConnection, ada: UUID, connect: Connect
) -> None:
    old = await publish(bus, ada)
    last = await publish(bus, ada)
    await bus.js.purge_stream(EVENTS)
    for since in (old - 1, last + 1000):
        async with connect(ada, since=since) as live:
            assert [(await live.next())["type"] for _ in range(2)] == ["ready", "reset"]
            seq = await publish(bus, ada)
            assert [frame["seq"] for frame in await frames(live, 1)] == [seq]
            last = seq
    async with connect(ada, since=last) as live:
        assert (await live.next())["type"] == "ready"
        await nothing(live)


async def test_a_deliberate_repetition_is_not_shown_again(
    bus: BusConnection, ada: UUID, connect: Connect, notifier: Process
) -> None:
    event, job = new_id(), new_id()
    start = await publish(bus, ada)
    first = await publish(bus, ada, object_id=job, event_id=event)
    async with connect(ada) as live:
        await live.next()
        second = await publish(bus, ada, object_id=job, event_id=event, emission=2)
        assert second > first
        after = await publish(bus, ada, object_id=job, verb="running")
        assert [frame["seq"] for frame in await frames(live, 1)] == [after]
    async with connect(ada, since=start) as live:
        await live.next()
        assert [frame["seq"] for frame in await frames(live, 2)] == [first, after]
        await nothing(live)
    # the client that saw the first emission does not see the second one either
    async with connect(ada, since=first) as live:
        await live.next()
        assert [frame["seq"] for frame in await frames(live, 1)] == [after]


async def test_a_repetition_of_what_the_stream_lost_is_shown(bus: BusConnection, ada: UUID, connect: Connect) -> None:
    async with connect(ada) as live:
        await live.next()
        seq = await publish(bus, ada, emission=2)
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]


async def test_a_message_that_is_no_event_stops_nothing(bus: BusConnection, ada: UUID, connect: Connect) -> None:
    async with connect(ada) as live:
        await live.next()
        await bus.js.publish(f"job.running.{ada}.{new_id()}", b"not JSON", stream=EVENTS)
        await bus.js.publish("job.nonsense", b"{}", stream=EVENTS)
        seq = await publish(bus, ada)
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]


async def test_a_restart_of_the_bus_loses_nothing(
    parts: TestPlatform, bus: BusConnection, ada: UUID, connect: Connect
) -> None:
    async with connect(ada) as live:
        await live.next()
        seqs = [await publish(bus, ada)]
        await frames(live, 1)
        await asyncio.to_thread(parts.part, "kill", "nats")
        seqs += [await publish_when_back(bus, ada) for _ in range(5)]
        got = await frames(live, 5)
        assert [frame["seq"] for frame in got] == seqs[1:]
        await nothing(live)
    async with connect(ada, since=seqs[0]) as live:
        await live.next()
        assert [frame["seq"] for frame in await frames(live, 5)] == seqs[1:]


async def publish_when_back(bus: BusConnection, owner: UUID) -> int:
    event = new_id()
    async with asyncio.timeout(30):
        while True:
            try:
                # the same id again: an answer that was lost makes no second message
                return await publish(bus, owner, event_id=event)
            except Exception:
                await asyncio.sleep(0.1)


async def test_a_stream_made_anew_starts_every_client_afresh(
    parts: TestPlatform, bus: BusConnection, ada: UUID, connect: Connect
) -> None:
    for _ in range(20):
        old = await publish(bus, ada)
    async with connect(ada) as live:
        await live.next()
        await bus.js.delete_stream(EVENTS)
        assert await close_code(live) == 1012
    async with connect(ada, since=old) as live:
        assert [(await live.next())["type"] for _ in range(2)] == ["ready", "reset"]
        seq = await publish(bus, ada)
        assert seq < old
        assert [frame["seq"] for frame in await frames(live, 1)] == [seq]


async def test_many_users_get_their_own_and_nothing_else(
    pool: Pool, bus: BusConnection, connect: Connect, ada: UUID
) -> None:
    users = [await add_user(pool) for _ in range(5)]
    async with connect(users[0]) as a, connect(users[0]) as b, connect(users[1]) as c:
        for live in (a, b, c):
            await live.next()
        expected: dict[UUID, list[int]] = {user: [] for user in users}
        for n in range(40):
            user = users[n % 5]
            expected[user].append(await publish(bus, user))
        for live, user in ((a, users[0]), (b, users[0]), (c, users[1])):
            assert [frame["seq"] for frame in await frames(live, 8)] == expected[user]
