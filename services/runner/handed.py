"""Inputs that gateways have handed over for jobs this runner may be given in a moment (shared/handover.py)."""

import asyncio

import msgspec
from nats.aio.msg import Msg

from shared.settings import KIB, MIB

HELD_S = 60.0
"""How long an input waits for its job; another runner may have taken that."""
HELD_BYTES = 16 * MIB
ENTRY_BYTES = KIB
"""What an input takes beside its bytes, roughly."""


class Handed(msgspec.Struct, frozen=True):
    """An input, and where the small outputs of its job are wanted; either may be empty."""

    data: bytes = b""
    reply: str = ""


NOTHING = Handed()


class HandedInputs:
    """By job id, each for a while. Of one that there is no room for only the reply subject is kept: jobs come about in
    the order of their inputs, so those that are held are wanted first.
    """

    def __init__(self) -> None:
        self._held: dict[str, Handed] = {}
        self._bytes = 0

    async def heard(self, message: Msg) -> None:
        """Keep what a gateway sends."""
        job = message.subject.rsplit(".", 1)[-1]
        self.take(job)
        room = HELD_BYTES - self._bytes - ENTRY_BYTES
        if room < 0:
            return
        self._held[job] = Handed(message.data if len(message.data) <= room else b"", message.reply)
        self._bytes += ENTRY_BYTES + len(self._held[job].data)
        asyncio.get_running_loop().call_later(HELD_S, self.take, job)

    def take(self, job: str) -> Handed:
        """Return what has come for a job, and forget it."""
        if (handed := self._held.pop(job, None)) is None:
            return NOTHING
        self._bytes -= ENTRY_BYTES + len(handed.data)
        return handed
