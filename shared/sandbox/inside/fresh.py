"""Fresh processes of the model's uid, for what pid 1 may not or should not do itself with the model's files.

No process of a job may live meanwhile, and the loaded one is held: it has the same uid and could stop or kill them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from shared.sandbox.inside.evidence import state_of
from shared.sandbox.inside.frames import MEDDLED_STATUS
from shared.sandbox.inside.identity import become_model
from shared.sandbox.inside.wire import to_json, write_all

HOLD_S = 10.0
"""How long a signal may take on a host without a moment to spare."""
STOPPED, GONE = "Tt", "ZX?"


class Standby:
    """A process that is there before it is needed: it waits for one order, and works on it as the model's uid.

    While it waits it has pid 1's uid and is undumpable like pid 1: a job can neither signal nor trace it, nor open its
    pipe. It is forked from pid 1 while no job is there, so it has seen nothing of the one that it will clear away.
    """

    def __init__(self, work: Callable[[dict[str, Any], int], int]) -> None:
        """`work` takes the order and a descriptor: at its end pid 1 has said all it has to say to the host."""
        order, self._order = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._order)
            if not (data := os.read(order, select.PIPE_BUF)):
                os._exit(0)
            _work(lambda: work(json.loads(data), order))
        os.close(order)

    def begin(self, order: dict[str, Any]) -> None:
        """Have it work, but say nothing yet. The order is small: it travels in one piece."""
        with contextlib.suppress(BrokenPipeError):  # its status says more
            write_all(self._order, to_json(order))

    def finish(self) -> int:
        """Let it speak, and return what it returned (0 to 9); ends pid 1 when it did not come to its end."""
        self.close()
        return _result(self.pid, alone=False)

    def close(self) -> None:
        """Close our end: without an order it ends."""
        os.close(self._order)


def in_fresh_process(work: Callable[[], int | None], *, alone: bool) -> int:
    """Do `work` as the model's uid in a child of its own and return what it returned (0 to 9).

    `alone`: no process of the model lives, so whatever befalls it is a fault of ours.
    """
    pid = os.fork()
    if pid == 0:
        _work(work)
    return _result(pid, alone=alone)


def read_from_fresh_process(work: Callable[[], bytes]) -> bytes:
    """Do `work` as the model's uid in a child of its own, beside a held model, and return the bytes it returned."""
    out, into = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(out)
        _work(lambda: write_all(into, work()))
    os.close(into)
    data = _read_all(out, pid)
    os.close(out)
    _result(pid, alone=False)
    return data


def _work(work: Callable[[], int | None]) -> None:
    """Become the model's uid, work, and end this process."""
    try:
        become_model()
        os._exit(work() or 0)
    except BaseException as error:
        os.write(2, f"{error!r}\n".encode())
        os._exit(99)


def _result(pid: int, *, alone: bool) -> int:
    """Await a fresh process; ends pid 1 when it did not come to its end."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) < 10:
        return os.WEXITSTATUS(status)
    if not os.WIFEXITED(status) and not alone:
        # stopped or killed, and a held model that wakes itself up was there to do it: half a frame may be on its way
        raise SystemExit(MEDDLED_STATUS)
    raise SystemExit(f"a fresh process ended with wait status {status}")


def _read_all(fd: int, writer: int | None = None) -> bytes:
    """Read to the end; gives up when the process that should write stands still."""
    data = b""
    while True:
        while writer is not None and not select.select([fd], [], [], 1.0)[0]:
            if state_of(writer) in STOPPED:
                os.kill(writer, signal.SIGKILL)
                return data
        chunk = os.read(fd, 1 << 20)
        if not chunk:
            return data
        data += chunk


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


def until_held(pid: int) -> bool:
    """Wait until a process that was sent SIGSTOP stands still or is dead; False when it does not in time."""
    until = time.monotonic() + HOLD_S
    while state_of(pid) not in STOPPED + GONE:
        if time.monotonic() > until:
            return False
        select.select([], [], [], 0.0001)
    return True
