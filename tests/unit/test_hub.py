"""The hub and the queue of one socket, without any I/O."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.notifier.config import Live
from services.notifier.feed import Message, StreamState
from services.notifier.frames import HEARTBEAT, emission, event, owner
from services.notifier.hub import SLOW, Hub, Outlet

LIVE = Live(queue_frames=4, queue_bytes=1000, stall_s=30, heartbeat_s=20)


async def taken(outlet: Outlet) -> list[str]:
    """All frames that wait, without waiting for more."""
    found = []
    while outlet._queue:
        frame = await outlet.take()
        assert frame is not None
        found.append(frame)
    return found


def joined(hub: Hub, user: UUID) -> Outlet:
    outlet = hub.add(user, now=0.0)
    outlet.joined = True
    return outlet


async def test_an_event_goes_to_every_socket_of_its_owner_only() -> None:
    hub, ada, bob = Hub(LIVE), uuid4(), uuid4()
    first, second, other = joined(hub, ada), joined(hub, ada), joined(hub, bob)
    hub.deliver(ada, 1, "a")
    hub.deliver(bob, 2, "b")
    assert [await taken(outlet) for outlet in (first, second, other)] == [["a"], ["a"], ["b"]]


async def test_a_full_queue_closes_the_client_and_nobody_else() -> None:
    hub, ada = Hub(LIVE), uuid4()
    slow, quick = joined(hub, ada), joined(hub, ada)
    for seq in range(1, 6):
        hub.deliver(ada, seq, str(seq))
        assert await quick.take() == str(seq)
    assert slow.closing is not None
    assert slow.closing[0] == SLOW
    assert slow.closed.is_set()
    assert await slow.take() is None
    assert quick.closing is None


async def test_bytes_are_bounded_too_but_one_large_frame_passes() -> None:
    outlet = joined(Hub(LIVE), uuid4())
    assert outlet.offer("x" * 5000)
    assert not outlet.offer("y")
    assert outlet.closing is not None


async def test_a_close_with_words_sends_them_first() -> None:
    outlet = joined(Hub(LIVE), uuid4())
    outlet.offer("words")
    outlet.close(4401, "gone")
    outlet.close(1012, "a later reason changes nothing")
    assert not outlet.offer("too late")
    assert [await outlet.take(), await outlet.take()] == ["words", None]
    assert outlet.closing == (4401, "gone")


async def test_what_can_wait_waits_for_room_and_never_closes_the_client() -> None:
    outlet = joined(Hub(LIVE), uuid4())
    writers = [asyncio.create_task(outlet.put(str(n))) for n in range(20)]
    got = []
    for _ in range(20):
        got.append(await outlet.take())
        assert len(outlet._queue) <= 2
        await asyncio.sleep(0)
    await asyncio.gather(*writers)
    assert sorted(got, key=int) == [str(n) for n in range(20)]
    assert outlet.closing is None


async def test_a_socket_that_is_catching_up_only_notes_that_something_came() -> None:
    hub, ada = Hub(LIVE), uuid4()
    outlet = hub.add(ada, now=0.0)
    hub.deliver(ada, 7, "seven")
    assert await taken(outlet) == []
    assert outlet.newest == 7
    outlet.cursor, outlet.joined = 7, True
    hub.deliver(ada, 7, "seven")
    hub.deliver(ada, 8, "eight")
    assert await taken(outlet) == ["eight"]


async def test_heartbeats_come_when_due_and_a_stalled_client_is_closed() -> None:
    hub = Hub(LIVE)
    outlet, stalled = joined(hub, uuid4()), joined(hub, uuid4())
    hub.beat(19.0)
    assert await taken(outlet) == []
    hub.beat(20.0)
    hub.beat(21.0)
    assert await taken(outlet) == [HEARTBEAT]
    stalled.sending_since = 20.0
    hub.beat(50.5)
    assert stalled.closing is not None
    assert stalled.closing[0] == SLOW
    assert outlet.closing is None


async def test_who_left_is_forgotten() -> None:
    hub, ada = Hub(LIVE), uuid4()
    outlet = joined(hub, ada)
    assert (len(hub), hub.owners, hub.listens(ada)) == (1, [ada], True)
    hub.remove(outlet)
    hub.remove(outlet)
    assert (len(hub), hub.owners, hub.listens(ada)) == (0, [], False)


@pytest.mark.parametrize(("since", "can"), [(8, False), (9, True), (15, True), (20, True), (21, False)])
def test_a_stream_can_resume_from_just_before_its_first_to_its_last(since: int, can: bool) -> None:
    assert StreamState(None, first_seq=10, last_seq=20).can_resume(since) is can


def test_an_emptied_stream_can_resume_at_its_end_only() -> None:
    emptied = StreamState(None, first_seq=21, last_seq=20)
    assert [emptied.can_resume(since) for since in (19, 20, 21)] == [False, True, False]


def test_owners_come_from_subjects_of_the_right_form() -> None:
    user = uuid4()
    assert owner(f"job.running.{user}.{uuid4()}") == user
    assert [owner(subject) for subject in ("job.running", "job.a.b.c", f"job.a.{user}.b.c")] == [None] * 3


def test_emission_is_the_number_behind_the_event_id() -> None:
    def message(msg_id: str) -> Message:
        return Message(1, "job.running.a.b", {"Nats-Msg-Id": msg_id}, b"{}", 0)

    assert [emission(message(msg_id)) for msg_id in (f"{uuid4()}:3", f"{uuid4()}:1", "x", "")] == [3, 1, 1, 1]


def test_a_message_without_its_attributes_or_body_is_no_event() -> None:
    whole = {"ce-type": "job.running", "ce-id": "1", "ce-time": "t"}
    assert event(Message(5, "s", whole, b'{"id":"x"}', 0)) == (
        '{"type":"event","seq":5,"event":"job.running","id":"1","time":"t","data":{"id":"x"}}'
    )
    assert event(Message(5, "s", {"ce-type": "job.running"}, b"{}", 0)) is None
    assert event(Message(5, "s", whole, b"[1]", 0)) is None
