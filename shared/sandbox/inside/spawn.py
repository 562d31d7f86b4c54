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
from collections.abc import Callable, Collection
from typing import Any

from shared.sandbox.inside.evidence import state_of, tasks, threads_of
from shared.sandbox.inside.identity import become_model

BASE_PYTHON, MODEL_PYTHON = "/usr/local/bin/python", "/opt/venv/bin/python"
PIPE_BYTES = 1 << 20
KILL_S = 10.0
QUIET_S = 2.0
DEATH_MS, BLIND_MS = 20, 1
"""How long a look waits for a death that the kernel announces, and for one that it does not."""
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


def alone_without(pidfd: int, pid: int, keep: Collection[int]) -> bool:
    """Kill one process; True when nobody lives then but this process and those to `keep`, by the kernel's count.

    It is the usual end of a job, and takes half as long as a look at every process. The kept process that is its parent
    stands still, so that it stays in the count until somebody waits for it.
    """
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    if not select.select([pidfd], [], [], QUIET_S)[0] or state_of(pid) != "Z":
        return False
    own = [threads_of(kept) for kept in keep]
    return 0 not in own and tasks() == sum(own) + 2


def kill_others(keep: Collection[int], wake: int, reap: Callable[[], None]) -> bool:
    """Kill every process but this one and those to `keep`; False when one of these is gone, or after 2 s of others.

    A process that forks faster than /proc is read could slip past a look at it, so the count of the kernel decides.
    Dead children that a kept process has not waited for are its own affair, as long as they are few.
    """
    kept = {1, *keep}
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        own = [threads_of(pid) for pid in keep]
        if 0 in own:
            return False
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in kept]
        alive = [pid for pid in others if state_of(pid) not in "ZX"]
        counted, dead = tasks(), len(others) - len(alive)
        if not alive and dead <= DEAD_MAX and (counted == 0 or counted <= sum(own) + 1 + dead):
            return True
        _kill(alive)
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        reap()
    return False


def _kill(pids: list[int]) -> None:
    """Kill, and wait until the first of them is dead, or for a moment where the kernel does not say so."""
    poll, fds = select.poll(), []
    for pid in pids:
        with contextlib.suppress(OSError):  # gone meanwhile, or a kernel without them (gVisor)
            fds.append(os.pidfd_open(pid))
            poll.register(fds[-1], select.POLLIN)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    poll.poll(DEATH_MS if fds else BLIND_MS)
    for fd in fds:
        os.close(fd)
