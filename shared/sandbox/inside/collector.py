"""Takes the outputs once every process of the job is dead, and clears the folders before the next one.

Pid 1 does it with the model's rights to files (`as_model`): with its own it could not read what the model made
unreadable.
"""

from __future__ import annotations

import os
import stat

from shared.sandbox.inside.frames import CHUNK, DATA, FILE, OUTPUTS_END, REFUSED
from shared.sandbox.inside.names import DEPTH_MAX, name_fault
from shared.sandbox.inside.wire import Batch, to_json

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class Refused(Exception):
    """An output that cannot be taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def collect(folder: str, out: Batch, *, files_max: int, bytes_max: int) -> None:
    """Send every regular file below `folder` as FILE and DATA frames, or one REFUSED frame; then OUTPUTS_END.

    Names and sizes are looked at before the first byte is sent, so that a sparse terabyte costs nothing.
    """
    try:
        for name in sorted(_walk(folder, files_max=files_max, bytes_max=bytes_max)):
            _send(folder, name, out)
    except Refused as refused:
        out.add(REFUSED, to_json({"code": refused.code, "message": str(refused)}))
    out.add(OUTPUTS_END)
    out.flush()


def _walk(folder: str, *, files_max: int, bytes_max: int) -> list[bytes]:
    found: list[bytes] = []
    total = 0
    stack = [(b"", 1)]
    while stack:
        prefix, depth = stack.pop()
        fd = _open_folder(os.path.join(os.fsencode(folder), prefix))
        try:
            for entry in os.listdir(fd):
                name = prefix + os.fsencode(entry)
                status = os.stat(entry, dir_fd=fd, follow_symlinks=False)
                kind = stat.S_IFMT(status.st_mode)
                fault = name_fault(name)
                if fault or (kind == stat.S_IFDIR and depth >= DEPTH_MAX):
                    fault = fault or f"lies deeper than {DEPTH_MAX} folders"
                    shown = ascii(name.decode("utf-8", "surrogateescape"))[1:-1][:300]
                    raise Refused("OUTPUT_NAME_INVALID", f"the output name '{shown}' {fault}; use a plain name")
                if kind == stat.S_IFDIR:
                    stack.append((name + b"/", depth + 1))
                elif kind == stat.S_IFREG:
                    found.append(name)
                    total += status.st_size
                else:
                    what = _KINDS.get(kind, "neither a file nor a folder")
                    raise Refused(
                        "OUTPUT_TYPE_FORBIDDEN",
                        f"the output '{name.decode()}' is {what}; write regular files and folders only",
                    )
        finally:
            os.close(fd)
        if len(found) > files_max:
            raise Refused(
                "OUTPUT_LIMIT",
                f"the model wrote more than {files_max} output files; write fewer, or put them into one archive",
            )
    if total > bytes_max:
        raise Refused(
            "OUTPUT_LIMIT",
            f"the outputs have {total} bytes together and the limit is {bytes_max}; write less or compress them",
        )
    return found


def _open_folder(path: bytes) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    # every model process is dead: nobody can swap the folder for a link between the two calls
    os.chmod(path, 0o700)
    return os.open(path, flags)


def _send(folder: str, name: bytes, out: Batch) -> None:
    path = os.path.join(os.fsencode(folder), name)
    os.chmod(path, 0o600)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        out.add(FILE, to_json({"name": name.decode(), "size": size}))
        left = size
        while left > 0 and (chunk := os.read(fd, min(CHUNK, left))):
            left -= len(chunk)
            out.add(DATA, chunk)
    finally:
        os.close(fd)


def wipe(folders: list[str]) -> None:
    """Remove everything below the folders, however deep, without following a link. Changes the working folder."""
    for folder in folders:
        os.chdir(folder)
        depth = 0
        while True:
            deeper = _clear_here()
            if deeper is not None:
                os.chdir(deeper)
                depth += 1
            elif depth > 0:
                os.chdir("..")
                depth -= 1
            else:
                break


def _clear_here() -> bytes | None:
    """Remove what can be removed here; return a folder that must be emptied first."""
    for entry in os.listdir(b"."):
        if not stat.S_ISDIR(os.lstat(entry).st_mode):
            os.unlink(entry)
            continue
        try:
            os.rmdir(entry)
        except OSError:
            os.chmod(entry, 0o700)
            return entry
    return None
