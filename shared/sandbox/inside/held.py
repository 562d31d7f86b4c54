"""Holding the loaded process: it has the uid of what a job left, and could change it while pid 1 looks at it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator

from shared.sandbox.inside.evidence import kernel_text, state_of
from shared.sandbox.inside.frames import MEDDLED_STATUS

HOLD_S = 10.0
"""How long a signal may take on a host without a moment to spare."""
STOPPED, GONE = "Tt", "ZX?"
HALTING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


@contextlib.contextmanager
def held(pid: int) -> Iterator[None]:
    """Hold a loaded process with all its threads; it goes on when the block is left."""
    os.kill(pid, signal.SIGSTOP)
    try:
        if not until_held(pid):
            raise SystemExit(MEDDLED_STATUS)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def was_stopped(pid: int) -> bool:
    """Whether somebody has sent a process a signal to stand still, even if it has not come to a halt yet (proc(5))."""
    try:
        lines = kernel_text(f"/proc/{pid}/status").splitlines()
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    sent = int(fields.get("SigPnd", "0"), 16) | int(fields.get("ShdPnd", "0"), 16)
    return fields.get("State", "?").strip()[0] in STOPPED or any(sent & 1 << number - 1 for number in HALTING)


def until_held(pid: int) -> bool:
    """Wait until a process that was sent SIGSTOP stands still or is dead; False when it does not in time."""
    until = time.monotonic() + HOLD_S
    while state_of(pid) not in STOPPED + GONE:
        if time.monotonic() > until:
            return False
        select.select([], [], [], 0.0001)
    return True
