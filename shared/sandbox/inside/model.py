"""The model's process: loads predict.py, calls run(), reports on a pipe. Run as `python -c <this file> <options>`.

Runs in the model's own interpreter as the model's uid; whatever it reports is the model's word and judged as such.
Isolation `container`: one job, in this process. `fork`: each job in a process forked from this one, ahead of time when
pid 1 says so. `warm`: one job after the other in this process. Once the result is reported the job's process is killed:
threads left running and atexit handlers do not delay a job.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import gc
import json
import os
import resource
import stat
import struct
import sys
from types import CodeType, TracebackType
from typing import Any, NoReturn

APP = "/app"
COMMANDS_FD, REPORTS_FD = 3, 4
LOADED, BEGUN, RETURNED, FAULT, EXITED, SYNC, THREADS = b"L", b"B", b"V", b"X", b"E", b"Y", b"T"
"""As in frames.py, which this process cannot import."""
DEPTH_MAX = 100
SHARED_BYTES_MAX = 64 * 1024 * 1024
"""Shared memory that is compared after each job; a model with more is loaded anew each time."""
FRAMES_SHOWN = 20


class NotJson(Exception):
    """The result holds something that JSON cannot say."""


def main() -> None:
    """Load, then take one job or several; never returns."""
    options = json.loads(sys.argv[1])
    isolation = options["isolation"]
    for fd in (COMMANDS_FD, REPORTS_FD):
        os.set_inheritable(fd, False)
    _offer_for_oom(1000 if isolation == "container" else 500)
    if isolation == "fork":
        _set_dumpable(0)  # closes this process's memory and descriptors to those forked from it
    sys.argv = [f"{APP}/predict.py"]
    sys.path[0] = APP
    os.chdir(APP)
    phase = "load"
    try:
        import predict  # type: ignore[import-not-found]

        if callable(getattr(predict, "setup", None)):
            phase = "setup"
            predict.setup()
        _report(LOADED, str(_threads()).encode())
    except BaseException as error:
        _fail(error, phase, options)
    shared: Shared | None = None
    while True:
        command = _read_command()
        if "sync" in command:
            if shared is not None and not shared.is_whole():
                os._exit(1)  # a job touched what it shares with this process: pid 1 loads the model anew
            _report(SYNC, command["sync"].encode())
        elif "leave" in command:
            continue  # nobody waits who could leave
        elif "fork" in command:
            shared = shared or _share()
            _fork(predict.run, None, options)
        elif isolation == "fork" and not command["inside"]:
            shared = shared or _share()
            _fork(predict.run, command, options)
        else:
            shared = None
            _run(predict.run, command, options)
            if isolation == "container":
                os._exit(0)


def _run(run: Any, job: dict[str, Any], options: dict[str, Any]) -> None:
    """Run one job in this process and report its result; ends the process when it raises."""
    pid = os.getpid()
    try:
        result = _call(run, job)
        _flush()
        if os.getpid() != pid:
            os._exit(0)  # a child that the model forked and that came back out of run(): not the one that answers
        kind, payload = _answer(result, options["result_bytes"])
    except BaseException as error:
        if os.getpid() != pid:
            _flush()
            os._exit(1)
        _fail(error, "run", options)
    if job["inside"]:
        _report(THREADS, str(_threads()).encode())
    _report(kind, payload)


def _fail(error: BaseException, phase: str, options: dict[str, Any]) -> NoReturn:
    _flush()
    _report(FAULT, json.dumps(_explain(error, phase, options["message_bytes"])).encode())
    os._exit(0)


def _fork(run: Any, job: dict[str, Any] | None, options: dict[str, Any]) -> None:
    """Run one job in a process of its own that has everything loaded, and report how that ended.

    Without a job the process waits for it: nobody else reads commands meanwhile. It is as closed as this one until it
    has its order; no job lives beside it that could reach it, since pid 1 asks for it when all of them are dead.
    """
    try:
        pid = os.fork()
    except OSError as error:
        if job is not None:
            _report(FAULT, json.dumps(_explain(error, "run", options["message_bytes"])).encode())
        return
    if pid == 0:
        _set_dumpable(1)
        _offer_for_oom(1000)
        if job is None:
            _set_dumpable(0)
            _rehearse(run, options)
            job = _read_command()
            if "leave" in job:
                os._exit(0)
            _set_dumpable(1)
        os.close(COMMANDS_FD)
        _report(BEGUN, str(os.getpid()).encode())
        _run(run, job, options)
        os._exit(0)
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:  # the model ignores SIGCHLD
        status = 0
    _report(EXITED, str(status).encode())


def _rehearse(run: Any, options: dict[str, Any]) -> None:
    """Go through what surrounds a job: the pages that it writes to become this process's own while nobody waits."""
    try:
        job = json.loads(json.dumps({"input_path": APP, "output_dir": APP, "params": {}, "inside": False}))
        _wants_params(run)
        _flush()
        _answer({"job": job, "numbers": [0, 0.5], "nothing": None}, options["result_bytes"])
    except BaseException:
        return  # the model's doing, as it will be in the job


def _share() -> Shared:
    """Make this process ready to be forked: a collection in a forked process must not copy every page."""
    gc.collect()
    gc.freeze()
    return Shared()


class Shared:
    """What a forked process has in common with this one or may change: open files, memory mapped as shared, limits."""

    def __init__(self) -> None:
        self._files = self._look()
        self._memory = _shared_memory()
        self._limits = _limits()

    def is_whole(self) -> bool:
        """Put positions and flags of open files back; False when something else is not as it was."""
        for fd, (flags, position, *_) in self._files.items():
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
            if position is not None:
                os.lseek(fd, position, os.SEEK_SET)
        return self._look() == self._files and _shared_memory() == self._memory and _limits() == self._limits

    def _look(self) -> dict[int, tuple[Any, ...]]:
        found: dict[int, tuple[Any, ...]] = {}
        for name in os.listdir("/proc/self/fd"):
            fd = int(name)
            try:
                status, flags = os.fstat(fd), fcntl.fcntl(fd, fcntl.F_GETFL)
            except OSError:
                continue  # the listing itself
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFREG:
                about = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                found[fd] = (flags, os.lseek(fd, 0, os.SEEK_CUR), *about, _locks(fd))
            elif fd <= REPORTS_FD or kind in (stat.S_IFDIR, stat.S_IFCHR):
                found[fd] = (flags, None, _locks(fd))
            else:
                # whether a pipe or socket holds something, or what an eventfd counts, cannot be looked at
                found[fd] = (flags, None, os.urandom(8))
        return found


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(number) for name, number in sorted(vars(resource).items()) if name.startswith("RLIMIT_")]


def _locks(fd: int) -> list[str]:
    """Locks that belong to an open file, not to who took them: they outlive a process that shares it (flock(2))."""
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return [line for line in file if line.startswith("lock:")]


def _shared_memory() -> list[bytes]:
    """Each writable mapping that forked processes share, as a hash; files that nobody can write are left out."""
    found = []
    with open("/proc/self/maps") as file:
        lines = file.read().splitlines()
    for line in lines:
        if line[line.index(" ") + 4] != "s":
            continue
        words = line.split(maxsplit=5)
        path = words[5] if len(words) > 5 else ""
        if path.startswith(("/app/", "/opt/", "/usr/", "/lib")):
            continue
        start, end = (int(part, 16) for part in words[0].split("-"))
        if words[1][0] != "r" or end - start > SHARED_BYTES_MAX:
            found.append(os.urandom(8))
            continue
        import ctypes
        import hashlib

        digest = hashlib.blake2b(f"{words[0]} {words[1]}".encode())
        for at in range(start, end, 1 << 20):
            digest.update(ctypes.string_at(at, min(1 << 20, end - at)))
        found.append(digest.digest())
    return found


def _threads() -> int:
    """Number of threads of this process: more than one do not survive a fork."""
    return len(os.listdir("/proc/self/task"))


def _set_dumpable(value: int) -> None:
    _libc().prctl(4, value, 0, 0, 0)  # PR_SET_DUMPABLE


@functools.cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None)


def _offer_for_oom(score: int) -> None:
    """Be among the first that the kernel kills for memory: before pid 1, and a job's process before a loaded one."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(score).encode())
        finally:
            os.close(fd)
    except OSError:
        pass


def _read_command() -> dict[str, Any]:
    """Read one command and not a byte of the next, which may be for another process."""
    command: dict[str, Any] = json.loads(_read_exactly(struct.unpack(">I", _read_exactly(4))[0]))
    return command


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = os.read(COMMANDS_FD, size - len(data))
        if not chunk:
            os._exit(1)
        data += chunk
    return data


def _report(kind: bytes, payload: bytes) -> None:
    view = memoryview(struct.pack(">cI", kind, len(payload)) + payload)
    try:
        while view:
            view = view[os.write(REPORTS_FD, view) :]
    except OSError:
        os._exit(1)  # the model closed the pipe: it ends without having returned


def _call(run: Any, job: dict[str, Any]) -> Any:
    if _wants_params(run):
        return run(job["input_path"], job["output_dir"], job["params"])
    return run(job["input_path"], job["output_dir"])


def _wants_params(run: Any) -> bool:
    """Whether run() has a third parameter: one named params, or any without a default."""
    inner = run
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    code = getattr(inner, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    names = code.co_varnames[: code.co_argcount]
    required = code.co_argcount - len(inner.__defaults__ or ())
    return len(names) >= 3 and (names[2] == "params" or required >= 3)


def _flush() -> None:
    """Bring out what was printed, also by C libraries, before this process is killed."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except BaseException:  # noqa: S112 - the model may have put anything there
            continue
    if "ctypes" in sys.modules:
        try:
            _libc().fflush(None)
        except BaseException:
            return


def _answer(result: Any, limit: int) -> tuple[bytes, bytes]:
    if not isinstance(result, dict):
        return _fault("not_dict", f"run() returned {_type(result)}; return a dict, for instance {{'label': 'cat'}}")
    try:
        plain = _plain(result, "result", 0, set())
        payload = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except NotJson as error:
        return _fault("not_json", str(error))
    except ValueError as error:  # an int with more digits than Python prints
        return _fault("not_json", f"the result is not JSON: {error}")
    if len(payload) > limit:
        return _fault(
            "too_large",
            f"the result has {len(payload)} bytes as JSON and the limit is {limit}; write large data to output_dir",
        )
    return RETURNED, payload


def _fault(kind: str, text: str) -> tuple[bytes, bytes]:
    return FAULT, json.dumps({"kind": kind, "phase": "run", "text": text}).encode()


def _plain(value: Any, path: str, depth: int, above: set[int]) -> Any:
    """Return `value` made of plain JSON types only; raises NotJson that names the place."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise NotJson(f"{path} is {number}, which JSON cannot hold; return None or a finite number")
        return number
    if not isinstance(value, (dict, list, tuple)):
        raise NotJson(f"{path} is {_type(value)}, which JSON cannot hold; {_advice(value)}")
    if id(value) in above:
        raise NotJson(f"{path} contains itself; return a tree without cycles")
    if depth >= DEPTH_MAX:
        raise NotJson(f"{path[:200]}… is nested deeper than {DEPTH_MAX} levels; return a flatter dict")
    above.add(id(value))
    plain: Any
    if isinstance(value, dict):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotJson(f"{path} has the key {_shown(key)} of type {_type(key)}; use str(...) for keys")
            plain[_text(key, f"a key of {path}")] = _plain(item, f"{path}[{_shown(key)}]", depth + 1, above)
    else:
        plain = [_plain(item, f"{path}[{index}]", depth + 1, above) for index, item in enumerate(value)]
    above.discard(id(value))
    return plain


def _text(value: str, path: str) -> str:
    text = str.__str__(value)
    if "\0" in text:
        raise NotJson(f"{path} contains a NUL character, which the database cannot hold; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotJson(
            f"{path} contains half of a surrogate pair, which is not valid text; decode it properly"
        ) from None
    return text


def _advice(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "write it to a file in output_dir, or decode it to str"
    if isinstance(value, (set, frozenset)):
        return "use sorted(...) or list(...)"
    if hasattr(value, "tolist"):
        return (
            "use .tolist() (numbers: .item())" if getattr(value, "ndim", 1) else "use .item(), int(...) or float(...)"
        )
    if hasattr(value, "__fspath__"):
        return "use str(...)"
    return "use dict, list, str, int, float, bool or None"


def _shown(key: Any) -> str:
    try:
        return ascii(key)[:60]
    except BaseException:
        return "?"


def _type(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _explain(error: BaseException, phase: str, clip: int) -> dict[str, Any]:
    """Say what was raised and where, and print a short traceback into the log."""
    chain = _chain(error)
    where = next((place for link in chain if (place := _where(link))), "")
    _print_traceback(error)
    if isinstance(error, SystemExit):
        return {"kind": "exit", "phase": phase, "text": _str(error, clip), "where": where}
    return {
        "kind": "raised",
        "phase": phase,
        "type": _type(error),
        "text": _str(error, clip),
        "where": where,
        "memory": any(isinstance(link, MemoryError) or _errno(link) == errno.ENOMEM for link in chain),
        "disk": any(_errno(link) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) for link in chain),
        "fork": any(_is_fork_failure(link) for link in chain),
        "full": _full(),
    }


def _full() -> list[str]:
    """Folders that are full now: a file without a name is gone, and its room free, once this process ends."""
    full = []
    for folder in ("/tmp", "/workspace/out", "/dev/shm"):  # noqa: S108
        try:
            stat = os.statvfs(folder)
        except OSError:
            continue
        if (stat.f_blocks and stat.f_bavail * stat.f_frsize < 65536) or (stat.f_files and not stat.f_ffree):
            full.append(folder)
    return full


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 10 and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _is_fork_failure(error: BaseException) -> bool:
    if isinstance(error, BlockingIOError):
        return error.errno == errno.EAGAIN
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def _where(error: BaseException) -> str:
    """`predict.py:12` of the innermost frame in the model's own code."""
    place = ""
    if isinstance(error, SyntaxError) and str(error.filename).startswith(APP + "/"):
        return f"{str(error.filename)[len(APP) + 1 :]}:{error.lineno}"
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(APP + "/"):
            place = f"{name[len(APP) + 1 :]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _print_traceback(error: BaseException) -> None:
    """Write to the log directly: the model may have replaced sys.stderr. Our own frames come first and are left out."""
    try:
        import traceback

        trace = error.__traceback__
        while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(APP + "/"):
            trace = trace.tb_next
        lines = traceback.format_exception(type(error), error, trace or error.__traceback__, limit=-FRAMES_SHOWN)
        text = "".join(lines)
        os.write(2, text[-16384:].encode("utf-8", "backslashreplace"))
    except BaseException:
        return


def _str(error: BaseException, clip: int) -> str:
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be printed)"
    return text[:clip].encode("utf-8", "backslashreplace").decode()


if __name__ == "__main__":
    main()
