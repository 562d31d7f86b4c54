"""What a loaded model had before a job, so that nothing of the job stays with it (design, section 9).

Files: whatever is new is removed; a file of the model's own that was changed cannot be put back, so the model is loaded
anew. The process: limits and priorities, which processes of the same uid may change, are compared.
"""

from __future__ import annotations

import ctypes
import os
import stat
import zlib

from shared.sandbox.inside.collector import wipe
from shared.sandbox.inside.evidence import kernel_text
from shared.sandbox.inside.held import held
from shared.sandbox.inside.identity import as_model

OUT = "/workspace/out"
FOLDERS = ["/tmp", "/dev/shm"]  # noqa: S108
FILES_MAX = 5_000

Files = dict[str, list[int]]


class Trace:
    """State of a loaded model's process `pid` and of its files before a job."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        with held(pid), as_model():
            self._files = _files()
        self._process = _process(pid)

    def process_is_whole(self) -> bool:
        """Tell whether the job left the process as it was."""
        found = _process(self._pid)
        return bool(found) and found == self._process and self._files is not None

    def tidy(self) -> bool:
        """Remove what the job left behind, as the model's uid; False when it changed what was there before."""
        empty_out()
        known = self._files or {}
        try:
            whole = [_tidy(folder, known) for folder in FOLDERS]  # each of them, whatever the first one says
            return all(whole) and _seen(known) == known
        except OSError:
            return False


def empty_out() -> None:
    """Clear the outputs' folder, and what was written about it, not into it. Changes the working folder."""
    os.chmod(OUT, 0o755)  # noqa: S103 - the container has no other user
    wipe([OUT])
    os.chdir("/")
    for name in os.listxattr(OUT):  # access lists are among them
        os.removexattr(OUT, name)
    os.chmod(OUT, 0o755)  # noqa: S103
    os.utime(OUT, (0, 0))


def foreign_memory() -> bool:
    """Whether System V objects exist: nobody but their owner could remove them, so the sandbox has to go."""
    if not os.path.isdir("/proc/sysvipc"):
        return _counted_by_call()
    return any(kernel_text(f"/proc/sysvipc/{kind}").count("\n") > 1 for kind in ("shm", "sem", "msg"))


def _counted_by_call() -> bool:
    """The same where the kernel has no such files (gVisor): SHM_INFO, SEM_INFO and MSG_INFO, see shmctl(2)."""
    info = (ctypes.c_int * 64)()
    libc = ctypes.CDLL(None)
    found = []
    for call, which, field in (
        (libc.shmctl, (0, 14), 0),  # used_ids
        (libc.semctl, (0, 0, 19), 7),  # semusz: how many sets there are
        (libc.msgctl, (0, 12), 0),  # msgpool: how many queues there are
    ):
        ctypes.memset(info, 0, ctypes.sizeof(info))
        found.append(call(*which, info) >= 0 and info[field] > 0)
    return any(found)


def _files() -> Files | None:
    """Everything below the folders; None when there is too much to keep track of."""
    found: Files = {}
    for folder in FOLDERS:
        for where, folders, files in os.walk(folder):
            for name in (*folders, *files):
                path = os.path.join(where, name)
                found[path] = _mark(path)
            if len(found) > FILES_MAX:
                return None
    return found


def _mark(path: str) -> list[int]:
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        return [status.st_ino, status.st_mode, *_attributes(path)]
    return [status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink]


def _attributes(folder: str) -> list[int]:
    """A number for each attribute of a folder, whose times change with what comes and goes in it."""
    return sorted(zlib.crc32(name.encode() + b"=" + os.getxattr(folder, name)) for name in os.listxattr(folder))


def _seen(known: Files) -> dict[str, list[int]]:
    return {path: _mark(path) for path in known if os.path.lexists(path)}


def _tidy(folder: str, known: Files) -> bool:
    """Remove what is not known; False when something known is another thing now."""
    whole = True
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path not in known:
            _remove(path)
        elif stat.S_ISDIR(known[path][1]):
            whole = _mark(path) == known[path] and _tidy(path, known) and whole
    return whole


def _remove(path: str) -> None:
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    try:
        os.rmdir(path)
    except OSError:
        os.chmod(path, 0o700)
        wipe([path])
        os.chdir("/")
        os.rmdir(path)


def _process(pid: int) -> list[str]:
    """What a process of the same uid could change about the model's process; empty when that is stopped or gone."""
    try:
        fields = kernel_text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
        status = kernel_text(f"/proc/{pid}/status").splitlines()
        cpus = next((line for line in status if line.startswith("Cpus_allowed:")), "")
    except OSError:
        return []
    if fields[0] in "TtZX":
        return []
    try:
        limits = kernel_text(f"/proc/{pid}/limits")
    except OSError:
        limits = ""  # gVisor has no such file; there the loaded process of `fork` looks at its own
    return [limits, cpus, *fields[15:17], *fields[37:39]]  # priority, nice; rt_priority, policy (proc(5))
