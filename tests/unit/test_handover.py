"""What is handed over beside storage: which outputs, and how long a runner keeps an input."""

import asyncio

import pytest
from nats.aio.msg import Msg

from services.runner import handed
from services.runner.handed import ENTRY_BYTES, NOTHING, Handed, HandedInputs
from shared.handover import OUTPUTS_BYTES, PENDING_BYTES, hand_over, that_fit


def message(job: str, data: bytes, reply: str = "") -> Msg:
    return Msg(_client=None, subject=f"runner.input.t.v.{job}", data=data, reply=reply)  # type: ignore[arg-type]


def test_outputs_that_fit_together() -> None:
    assert that_fit([]) == []
    assert that_fit([OUTPUTS_BYTES, 0, 1]) == [True, True, False]
    assert that_fit([OUTPUTS_BYTES + 1, OUTPUTS_BYTES - 1, 2, 1]) == [False, True, False, True]


async def test_an_input_is_taken_once() -> None:
    inputs = HandedInputs()
    await inputs.heard(message("a", b"image", "inbox"))
    assert inputs.take("b") is NOTHING
    assert inputs.take("a") == Handed(b"image", "inbox")
    assert inputs.take("a") is NOTHING


async def test_without_room_only_the_reply_subject_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "HELD_BYTES", 3 * ENTRY_BYTES + 10)
    inputs = HandedInputs()
    for job in ("a", "b", "b", "c"):
        await inputs.heard(message(job, b"12345", job))
    assert [inputs.take(job) for job in "abc"] == [Handed(b"12345", "a"), Handed(b"12345", "b"), Handed(b"", "c")]
    for job in ("a", "b", "c"):
        await inputs.heard(message(job, b"1234567890", job))
    assert [inputs.take(job).data for job in "ab"] == [b"1234567890"] * 2
    assert inputs.take("c") is NOTHING  # no room even for that
    await inputs.heard(message("c", b"1234567890"))
    assert inputs.take("c") == Handed(b"1234567890")


class Bus:
    """As much of a connection as is looked at before anything is sent."""

    def __init__(self, *, is_connected: bool, pending_data_size: int) -> None:
        self.nc = self
        self.is_connected = is_connected
        self.pending_data_size = pending_data_size
        self.sent: list[bytes] = []

    async def publish(self, subject: str, data: bytes, reply: str) -> None:
        self.sent.append(data)


@pytest.mark.parametrize(
    ("is_connected", "pending", "sends"), [(True, 0, True), (True, PENDING_BYTES - 4, False), (False, 0, False)]
)
async def test_a_bus_that_does_not_keep_up_is_not_waited_for(is_connected: bool, pending: int, sends: bool) -> None:
    bus = Bus(is_connected=is_connected, pending_data_size=pending)
    await hand_over(bus, "subject", b"image")  # type: ignore[arg-type]
    assert bus.sent == [b"image"] * sends


async def test_an_input_whose_job_never_comes_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "HELD_S", 0.01)
    inputs = HandedInputs()
    await inputs.heard(message("a", b"image"))
    await asyncio.sleep(0.05)
    assert inputs.take("a") is NOTHING
