"""Processes of a sandbox: how the model's is started, and how everything of a job is ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from shared.sandbox.inside.evidence import tasks
from shared.sandbox.inside.identity import become_model

BASE_PYTHON, MODEL_PYTHON = "/usr/local/bin/python", "/opt/venv/bin/python"
PIPE_BYTES = 1 << 20
KILL_S = 10.0
QUIET_S = 2.0
HOLD_S = 2.0
DEAD_MAX = 8


def spawn(options: dict[str, Any], source: str) -> tuple[int, int, int, int]:
    """Start the model's process; return its pid and our ends: commands, reports, output."""
    python = MODEL_PYTHON if os.access(MODEL_PYTHON, os.X_OK) else BASE_PYTHON
    given = json.dumps({key: options[key] for key in ("isolation", "result_bytes", "message_bytes")})
    argv = [python, "-s", "-c", source, given]
    commands_out, commands_in = os.pipe()
    reports_out, reports_in = os.pipe()
    output_out, output_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            # high numbers first, so that no duplicate overwrites a source
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (null, output_in, output_in, commands_out, reports_in)]
            for target, fd in enumerate(high):
                os.dup2(fd, target)
            os.closerange(len(high), 4096)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            if options["nproc"]:
                resource.setrlimit(resource.RLIMIT_NPROC, (options["nproc"], options["nproc"]))
            os.nice(19)  # against pid 1 only: a thousand busy threads must not keep it from its deadline
            os.umask(0o022)
            become_model()
            os.execve(python, argv, options["env"])  # noqa: S606
        except BaseException as error:
            os.write(2, f"the model's process cannot start: {error!r}\n".encode())
        os._exit(127)
    for fd in (commands_out, reports_in, output_in):
        os.close(fd)
    for fd in (reports_out, output_out):
        os.set_blocking(fd, False)
    with contextlib.suppress(OSError):  # it is only faster
        fcntl.fcntl(output_out, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return pid, commands_in, reports_out, output_out


def kill_all(wake: int) -> None:
    """Kill and reap every process but this one.

    The kernel lets no fork slip past a kill(-1), and orphans become our children: once there is no child, none is left.
    """
    until = time.monotonic() + KILL_S
    while time.monotonic() < until:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            return
        select.select([wake], [], [], 0.05)
    raise SystemExit("a process of the model cannot be killed")


def kill_others(keep: int, wake: int, reap: Callable[[], None]) -> bool:
    """Kill every process but this one and `keep`; False when some cannot be caught within 2 s, or `keep` is gone.

    A process that forks faster than /proc is read could slip past a look at it, so the count of the kernel decides.
    Dead children that `keep` has not waited for are its own affair, as long as they are few.
    """
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        own = _threads(keep)
        if own == 0:
            return False
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, keep)]
        alive = [pid for pid in others if not _is_dead(pid)]
        counted, dead = tasks(), len(others) - len(alive)
        if not alive and dead <= DEAD_MAX and (counted == 0 or counted <= own + 1 + dead):
            return True
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        reap()
        select.select([wake], [], [], 0.001)
    return False


def _is_dead(pid: int) -> bool:
    """Whether a process is only waited for; one that is gone meanwhile counts as alive until the next look."""
    return _state(pid) in "ZX"


def _state(pid: int) -> str:
    """The letter of proc(5): R, S, T, Z…; `?` for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return "?"


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


@contextlib.contextmanager
def held(pid: int) -> Iterator[None]:
    """Hold a loaded process with all its threads while a fresh process of the same uid is at work.

    It could otherwise stop or kill that one, and pid 1 would wait for ever or take it for a fault of its own.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + HOLD_S
        while _state(pid) not in "TtZX":
            if time.monotonic() > until:
                raise SystemExit("the model's process cannot be held")
            select.select([], [], [], 0.0002)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def in_fresh_process(work: Callable[[], int | None]) -> int:
    """Do `work` as the model's uid in a child of its own and return what it returned (0 to 9)."""
    pid = os.fork()
    if pid == 0:
        try:
            become_model()
            os._exit(work() or 0)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if not 0 <= code < 10:
        raise SystemExit(f"the collector ended with status {code}")
    return code


def read_from_fresh_process(work: Callable[[], bytes]) -> bytes:
    """Do `work` as the model's uid in a child of its own and return the bytes it returned."""
    out, into = os.pipe()

    def write() -> None:
        os.close(out)
        view = memoryview(work())
        while view:
            view = view[os.write(into, view) :]

    pid = os.fork()
    if pid == 0:
        try:
            become_model()
            write()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(99)
    os.close(into)
    data = b""
    while chunk := os.read(out, 1 << 20):
        data += chunk
    os.close(out)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise SystemExit(f"a look at the model's files ended with status {status}")
    return data
