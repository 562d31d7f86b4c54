"""How tasks are ended."""

import asyncio

import pytest

from shared import background
from shared.background import stop


async def loses(cancels: int) -> int:
    """Work that loses so many cancels, as a `wait_for` does whose answer comes in the same moment."""
    lost = 0
    while lost < cancels:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lost += 1
    await asyncio.sleep(60)
    return lost


@pytest.mark.parametrize("cancels", [0, 1, 3])
async def test_a_cancel_that_is_lost_is_sent_again(cancels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN_S", 0.02)
    task = asyncio.create_task(loses(cancels))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await stop(task)
    assert task.cancelled()


async def test_what_has_ended_is_left_as_it_is() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    await stop(task)
    assert task.result() == "done"
