"""What the kernel counted: the only ground for saying that memory, processes or disk ran out."""

from __future__ import annotations

import os
import resource

_ROOT = "/sys/fs/cgroup"
FULL_BELOW_BYTES = 64 * 1024


def counters() -> dict[str, int]:
    """Return `oom` (processes killed for memory), `pids` (refused forks) and `peak` (bytes); 0 where not told.

    Under gVisor there are no cgroup files; there the engine's state and the exceptions speak.
    """
    if os.path.exists(f"{_ROOT}/cgroup.controllers"):
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
    return _number(f"{_ROOT}/pids.current") or _number(f"{_ROOT}/pids/pids.current")


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


def _field(path: str, name: str) -> int:
    try:
        with open(path) as file:
            words = file.read().split()
        return int(words[words.index(name) + 1])
    except (OSError, ValueError, IndexError):
        return 0


def _number(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
