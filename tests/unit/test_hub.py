"""The hub and the queue of one socket, without any I/O."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.notifier.config import Live
from services.notifier.feed import Message, StreamState
from services.notifier.frames import BEAT, emission, event, owner
from services.notifier.hub import SILENT, SLOW, Hub, Outlet

LIVE = Live(queue_frames=4, queue_bytes=1000, stall_s=30, heartbeat_s=20)


class Client:
    """A socket that keeps what it is sent, and takes `room` frames before it is stuck."""

    def __init__(self, room: int = 10**6) -> None:
        self.sent: list[bytes] = []
        self.room = room
        self.outlet: Outlet
        self.closes: list[tuple[int, str]] = []
        self.to_be_cut = False

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)
        self.room -= 1
        if self.room == 0:
            self.outlet.stick(now=0.0)

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))

    def cut_later(self) -> None:
        self.to_be_cut = True

    def reads(self, frames: int) -> None:
        """Take so many more."""
        self.room = frames
        self.outlet.flow()


def joined(hub: Hub, user: UUID, room: int = 10**6) -> Client:
    client = Client(room)
    client.outlet = hub.add(user, client, now=0.0)
    client.outlet.joined = True
    return client


def test_an_event_goes_to_every_socket_of_its_owner_only() -> None:
    hub, ada, bob = Hub(LIVE), uuid4(), uuid4()
    first, second, other = joined(hub, ada), joined(hub, ada), joined(hub, bob)
    hub.deliver(ada, 1, b"a")
    hub.deliver(bob, 2, b"b")
    assert [client.sent for client in (first, second, other)] == [[b"a"], [b"a"], [b"b"]]


def test_a_full_queue_closes_the_client_and_nobody_else() -> None:
    hub, ada = Hub(LIVE), uuid4()
    slow, quick = joined(hub, ada, room=1), joined(hub, ada)
    for seq in range(1, 7):
        hub.deliver(ada, seq, b"%d" % seq)
    assert quick.sent == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert quick.closes == []
    assert slow.sent == [b"1"]
    assert [code for code, _ in slow.closes] == [SLOW]
    assert slow.to_be_cut
    assert slow.outlet.waiting == 0


def test_a_client_that_is_stuck_for_a_moment_gets_everything_in_order() -> None:
    hub, ada = Hub(LIVE), uuid4()
    client = joined(hub, ada, room=2)
    for seq in range(1, 7):
        hub.deliver(ada, seq, b"%d" % seq)
    client.reads(1)
    hub.deliver(ada, 7, b"7")
    client.reads(10)
    hub.deliver(ada, 8, b"8")
    assert client.sent == [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"]
    assert client.closes == []


def test_bytes_are_bounded_too_but_one_large_frame_passes() -> None:
    client = joined(Hub(LIVE), uuid4(), room=1)
    assert client.outlet.offer(b"a")
    assert client.outlet.offer(b"x" * 5000)
    assert not client.outlet.offer(b"y")
    assert client.outlet.closing is not None


def test_a_close_with_words_sends_them_first() -> None:
    client = joined(Hub(LIVE), uuid4(), room=1)
    client.outlet.offer(b"first")
    client.outlet.offer(b"words")
    client.outlet.close(4401, "gone")
    client.outlet.close(1012, "a later reason changes nothing")
    assert not client.outlet.offer(b"too late")
    assert (client.sent, client.closes, client.to_be_cut) == ([b"first"], [], True)
    client.reads(10)
    assert (client.sent, client.closes) == ([b"first", b"words"], [(4401, "gone")])


async def test_what_can_wait_waits_for_room_and_never_closes_the_client() -> None:
    client = joined(Hub(LIVE), uuid4(), room=1)
    writers = [asyncio.create_task(client.outlet.put(b"%d" % n)) for n in range(20)]
    for _ in range(20):
        await asyncio.sleep(0)
        assert client.outlet.waiting <= 2
        client.reads(1)
    await asyncio.gather(*writers)
    client.reads(20)
    assert sorted(client.sent, key=int) == [b"%d" % n for n in range(20)]
    assert client.closes == []


def test_a_socket_that_is_catching_up_only_notes_that_something_came() -> None:
    hub, ada, client = Hub(LIVE), uuid4(), Client()
    outlet = client.outlet = hub.add(ada, client, now=0.0)
    hub.deliver(ada, 7, b"seven")
    assert client.sent == []
    assert outlet.newest == 7
    outlet.cursor, outlet.joined = 7, True
    hub.deliver(ada, 7, b"seven")
    hub.deliver(ada, 8, b"eight")
    assert client.sent == [b"eight"]


def test_heartbeats_come_when_due_and_who_takes_or_says_nothing_is_closed() -> None:
    hub = Hub(LIVE)
    client, stalled, dead = joined(hub, uuid4()), joined(hub, uuid4(), room=1), joined(hub, uuid4())
    hub.beat(19.0)
    assert client.sent == []
    hub.beat(20.0)
    hub.beat(21.0)
    assert client.sent == [BEAT]
    stalled.outlet.stuck_since = 20.0
    client.outlet.heard_at = stalled.outlet.heard_at = 50.0
    hub.beat(50.5)
    assert [code for code, _ in stalled.closes] == [SLOW]
    hub.beat(81.0)
    assert [code for code, _ in dead.closes] == [SILENT]
    assert client.closes == []


def test_who_left_is_forgotten() -> None:
    hub, ada = Hub(LIVE), uuid4()
    outlet = joined(hub, ada).outlet
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
    payload = b'{"type":"event","seq":5,"event":"job.running","id":"1","time":"t","data":{"id":"x"}}'
    assert event(Message(5, "s", whole, b'{"id":"x"}', 0)) == b"\x81" + bytes([len(payload)]) + payload
    assert event(Message(5, "s", {"ce-type": "job.running"}, b"{}", 0)) is None
    assert event(Message(5, "s", whole, b"[1]", 0)) is None
