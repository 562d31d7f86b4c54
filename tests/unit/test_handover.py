"""What is handed over beside storage: which outputs, and how long a runner keeps an input."""

import asyncio

import pytest
from nats.aio.msg import Msg

from services.runner import handed
from services.runner.handed import NOTHING, Handed, HandedInputs
from shared.handover import OUTPUTS_BYTES, that_fit


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


async def test_the_oldest_go_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "HELD_BYTES", 10)
    inputs = HandedInputs()
    for job in ("a", "b", "b", "c"):
        await inputs.heard(message(job, b"12345"))
    assert [inputs.take(job).data for job in ("a", "b", "c")] == [b"", b"12345", b"12345"]
    await inputs.heard(message("d", b"12345678901"))  # more than there is room at all
    assert inputs.take("d") is NOTHING


async def test_an_input_whose_job_never_comes_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "HELD_S", 0.01)
    inputs = HandedInputs()
    await inputs.heard(message("a", b"image"))
    await asyncio.sleep(0.05)
    assert inputs.take("a") is NOTHING
