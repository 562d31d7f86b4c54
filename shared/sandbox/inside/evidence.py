"""What the kernel counted: the only ground for saying that memory, processes or disk ran out."""

from __future__ import annotations

import os
import resource

_ROOT = "/sys/fs/cgroup"
_UNIFIED = os.path.exists(f"{_ROOT}/cgroup.controllers")
READ_BYTES = 64 * 1024
FULL_BELOW_BYTES = 64 * 1024


def counters() -> dict[str, int]:
    """Return `oom` (processes killed for memory), `pids` (refused forks) and `peak` (bytes); 0 where not told.

    Under gVisor there are no cgroup files; there the engine's state and the exceptions speak.
    """
    if _UNIFIED:
        return {
            "oom": _field(f"{_ROOT}/memory.events", "oom_kill"),
            "pids": _field(f"{_ROOT}/pids.events", "max"),
            "peak": _number(f"{_ROOT}/memory.peak") or _number(f"{_ROOT}/memory.current"),
        }
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "oom": _field(f"{_ROOT}/memory/memory.oom_control", "oom_kill"),
        "pids": _field(f"{_ROOT}/pids/pids.events", "max"),
        "peak": _number(f"{_ROOT}/memory/memory.max_usage_in_bytes") or largest,
    }


def tasks() -> int:
    """How many processes and threads the container has, this one included; 0 where the kernel does not tell."""
    return _number(f"{_ROOT}/pids.current" if _UNIFIED else f"{_ROOT}/pids/pids.current")


def full_disks(folders: list[str]) -> list[str]:
    """Which of the folders have no room left, in bytes or in files."""
    full = []
    for folder in folders:
        try:
            stat = os.statvfs(folder)
        except OSError:
            continue
        no_bytes = stat.f_blocks > 0 and stat.f_bavail * stat.f_frsize < FULL_BELOW_BYTES
        no_files = stat.f_files > 0 and stat.f_ffree == 0
        if no_bytes or no_files:
            full.append(folder)
    return full


def state_of(pid: int) -> str:
    """The letter of proc(5): R, S, T, Z…; `?` for a process that is gone."""
    try:
        return kernel_text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split(None, 1)[0]
    except (OSError, IndexError):
        return "?"


def threads_of(pid: int) -> int:
    """How many threads a process has; 0 for one that is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def kernel_text(path: str) -> str:
    """Read a small file that the kernel makes up; `open()` takes four times as long. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, READ_BYTES).decode("utf-8", "replace")
    finally:
        os.close(fd)


def _field(path: str, name: str) -> int:
    try:
        words = kernel_text(path).split()
        return int(words[words.index(name) + 1])
    except (OSError, ValueError, IndexError):
        return 0


def _number(path: str) -> int:
    try:
        return int(kernel_text(path))
    except (OSError, ValueError):
        return 0
