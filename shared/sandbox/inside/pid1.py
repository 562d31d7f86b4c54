"""pid 1 of a sandbox: takes frames on stdin, keeps the model's process, answers with frames on stdout.

One thread, one poll loop. Every wait has an end: the deadline, the death of the model's process, or the end of stdin
(the host is gone), after which this process ends and the kernel kills whatever is left in the container.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from shared.sandbox.inside import frames
from shared.sandbox.inside.collector import collect, wipe
from shared.sandbox.inside.evidence import counters, full_disks
from shared.sandbox.inside.frames import Decoder, encode
from shared.sandbox.inside.identity import HARNESS_UID, become_harness, become_model

BASE_PYTHON, MODEL_PYTHON = "/usr/local/bin/python", "/opt/venv/bin/python"
IN, OUT = "/workspace/in", "/workspace/out"
WRITABLE = [OUT, "/tmp", "/dev/shm"]  # noqa: S108
READ_BYTES = 256 * 1024
PIPE_BYTES = 1 << 20
LINE_BYTES = 16 * 1024
FRAME_BYTES = 1 << 20
KILL_S = 10.0


class Log:
    """Lines of the model's output on their way to the host; after the limit they are read and dropped."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self._left = limit
        self._buffer = b""
        self._cut = False

    def read(self) -> bool:
        """Read what is there; False at the end."""
        try:
            data = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return True
        if not self._cut and data:
            # progress bars end their lines with a carriage return
            self._buffer += data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            end = self._buffer.rfind(b"\n") + 1
            if len(self._buffer) - end > LINE_BYTES:
                end = len(self._buffer)
            self._send(self._buffer[:end])
            self._buffer = self._buffer[end:]
        return bool(data)

    def finish(self) -> None:
        """Read to the end once every writer is dead."""
        while self.read():
            pass
        self._send(self._buffer)
        os.close(self.fd)

    def _send(self, lines: bytes) -> None:
        if self._cut:
            return
        taken = lines[: self._left]
        self._left -= len(taken)
        for at in range(0, len(taken), frames.CHUNK):
            send(frames.LOG, taken[at : at + frames.CHUNK])
        if len(taken) < len(lines):
            self._cut = True
            self._buffer = b""
            send(frames.LOG_CUT)


class Model:
    """One process of the model and what is known of it."""

    def __init__(self, options: dict[str, Any], source: str) -> None:
        self.options = options
        self.before = counters()
        self.report = Decoder(options["result_bytes"] + FRAME_BYTES)
        self.result: bytes | None = None
        self.fault: dict[str, Any] | None = None
        self.status: int | None = None
        self.late = False
        self.loaded = False
        self.running = False
        self.load_s = self.run_s = 0.0
        self.pid, commands, reports, output = _spawn(options, source)
        self.commands, self.reports = commands, reports
        self.log = Log(output, options["log_bytes"])
        self.phase_began = time.monotonic()
        self.open = {reports, output}

    @property
    def ended(self) -> bool:
        """Whether there is something to judge."""
        return self.result is not None or self.fault is not None or self.status is not None or self.late

    @property
    def deadline(self) -> float | None:
        """When the present phase must be over; None while the model waits for its job."""
        if self.ended or (self.loaded and not self.running):
            return None
        return self.phase_began + float(self.options["timeout_s"]) - (self.load_s if self.running else 0.0)

    def start(self, job: dict[str, Any]) -> None:
        """Tell the loaded model to run."""
        self.running = True
        self.phase_began = time.monotonic()
        command = {"input_path": f"{IN}/{job['input_name']}", "output_dir": OUT, "params": job["params"]}
        data = memoryview(json.dumps(command).encode() + b"\n")
        try:
            while data:
                data = data[os.write(self.commands, data) :]
        except OSError:
            return  # it died or closed the pipe; its exit status will tell

    def read_reports(self) -> bool:
        """Take what the model's process says; False when the pipe is closed or speaks nonsense."""
        try:
            data = os.read(self.reports, READ_BYTES)
        except BlockingIOError:
            return True
        try:
            for kind, payload in self.report.feed(data):
                self._take(kind, payload)
        except (frames.ProtocolError, ValueError, TypeError, RecursionError):
            return False  # the model itself wrote here
        return bool(data)

    def _take(self, kind: bytes, payload: bytes) -> None:
        if self.ended:
            return
        if kind == frames.LOADED and not self.loaded:
            self.loaded = True
            self.load_s = time.monotonic() - self.phase_began
        elif kind == frames.RETURNED and self.running:
            self.result = payload
            self._stop_clock()
        elif kind == frames.FAULT:
            self.fault = dict(json.loads(payload))
            self._stop_clock()

    def died(self, status: int) -> None:
        """Note the exit status, unless a report that is still in the pipe says more."""
        while self.reports in self.open and not self.ended:
            ready, _, _ = select.select([self.reports], [], [], 0)
            if not ready or not self.read_reports():
                break
        if not self.ended:
            self._stop_clock()
            self.status = status

    def expire(self) -> None:
        """The deadline has come."""
        self._stop_clock()
        self.late = True

    def _stop_clock(self) -> None:
        spent = time.monotonic() - self.phase_began
        if self.running:
            self.run_s = spent
        elif not self.loaded:
            self.load_s = spent

    def evidence(self) -> dict[str, Any]:
        """Everything the host needs to judge the end."""
        after = counters()
        return {
            "returned": self.result is not None,
            "fault": self.fault,
            "exit": None if self.status is None else os.waitstatus_to_exitcode(self.status),
            "late": self.late,
            "phase": "run" if self.running else "load",
            "oom": after["oom"] - self.before["oom"],
            "pids": after["pids"] - self.before["pids"],
            "peak": after["peak"],
            "full": full_disks(WRITABLE),
            "load_ms": self.load_s * 1000,
            "run_ms": self.run_s * 1000,
        }


class Harness:
    """The loop and its state: at most one model process and one job."""

    def __init__(self, model_source: str) -> None:
        self._source = model_source
        self._stdin = Decoder(FRAME_BYTES)
        self._model: Model | None = None
        self._job: dict[str, Any] | None = None
        self._input: int | None = None
        self._input_done = False
        self._dirty = False
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve until the host closes stdin."""
        send(frames.HELLO, _json({"protocol": frames.PROTOCOL, "uid": os.getuid()}))
        while self._turn():
            model = self._model
            if model is None or self._job is None or not self._input_done:
                continue
            if model.loaded and not model.running and not model.ended:
                model.start(self._job)
            elif model.ended:
                self._finish(model, self._job)

    def _turn(self) -> bool:
        """Wait for the next event and take it; False when the host is gone."""
        model = self._model
        poll = select.poll()
        for fd in (0, self._wake, *(model.open if model else ())):
            poll.register(fd, select.POLLIN)
        timeout = None
        if model is not None and model.deadline is not None:
            timeout = max(0.0, model.deadline - time.monotonic()) * 1000
        ready = {fd for fd, _ in poll.poll(timeout)}
        if model is not None:
            # the answer is read before the clock is looked at: one that came in time counts
            if model.reports in ready and not model.read_reports():
                model.open.discard(model.reports)
            if model.log.fd in ready and not model.log.read():
                model.open.discard(model.log.fd)
            if self._wake in ready:
                self._reap(model)
            if model.deadline is not None and time.monotonic() >= model.deadline:
                model.expire()
        elif self._wake in ready:
            os.read(self._wake, 4096)
        return 0 not in ready or self._read_host()

    def _reap(self, model: Model) -> None:
        os.read(self._wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == model.pid:
                model.died(status)

    def _read_host(self) -> bool:
        data = os.read(0, READ_BYTES)
        for kind, payload in self._stdin.feed(data):
            if kind == frames.INPUT:
                _write(self._input_file(), payload)
            elif kind == frames.INPUT_END:
                os.close(self._input_file())
                self._input, self._input_done = None, True
            elif kind == frames.JOB and self._job is None:
                self._job = json.loads(payload)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._input = os.open(f"{IN}/{self._job['input_name']}", flags, 0o644)
            elif kind == frames.LOAD and self._model is None:
                self._clear()
                self._model = Model(json.loads(payload), self._source)
            else:
                raise frames.ProtocolError(f"frame {kind!r} at the wrong moment")
        return bool(data)

    def _input_file(self) -> int:
        if self._input is None:
            raise frames.ProtocolError("input without a job")
        return self._input

    def _clear(self) -> None:
        """Before another job: nothing of the last one stays."""
        if self._dirty:
            _in_fresh_process(lambda: wipe(WRITABLE))
            for name in os.listdir(IN):
                os.unlink(f"{IN}/{name}")
            self._dirty = False

    def _finish(self, model: Model, job: dict[str, Any]) -> None:
        """Kill the model, send the end and, when it returned, the outputs."""
        self._dirty = True
        _kill_all(self._wake)
        model.log.finish()
        os.close(model.commands)
        os.close(model.reports)
        if model.result is not None:
            send(frames.RESULT, model.result)
        send(frames.ENDED, _json(model.evidence()))
        if model.result is not None:
            limits = {"files_max": job["output_files"], "bytes_max": job["output_bytes"]}
            _in_fresh_process(lambda: collect(OUT, 1, **limits))
        self._model, self._job, self._input_done = None, None, False
        send(frames.DONE, _json({"peak": counters()["peak"]}))


def _spawn(options: dict[str, Any], source: str) -> tuple[int, int, int, int]:
    """Start the model's process; return its pid and our ends: commands, reports, output."""
    python = MODEL_PYTHON if os.access(MODEL_PYTHON, os.X_OK) else BASE_PYTHON
    given = json.dumps({"result_bytes": options["result_bytes"], "message_bytes": options["message_bytes"]})
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


def _kill_all(wake: int) -> None:
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


def _in_fresh_process(work: Any) -> None:
    """Do `work` as the model's uid in a child of its own and wait for it."""
    pid = os.fork()
    if pid == 0:
        try:
            become_model()
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise SystemExit(f"the collector ended with status {status}")


def send(kind: bytes, payload: bytes = b"") -> None:
    """Write one frame to the host; waits until it is taken."""
    _write(1, encode(kind, payload))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def main(model_source: str) -> None:
    """Become the harness and serve; a fault of ours goes to stderr and ends the container."""
    become_harness()
    if os.getuid() != HARNESS_UID:
        sys.exit("pid 1 could not take its own uid")
    os.umask(0o022)
    Harness(model_source).serve()
