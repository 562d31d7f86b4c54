"""The model's process as pid 1 knows it: what it was told, what it said, and whether it can take another job."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import time
from collections.abc import Callable
from typing import Any

from shared.sandbox.inside import frames
from shared.sandbox.inside.evidence import counters, full_disks
from shared.sandbox.inside.frames import Decoder, encode
from shared.sandbox.inside.held import until_held, was_stopped
from shared.sandbox.inside.log import Log
from shared.sandbox.inside.spawn import alone_without, kill_others, spawn
from shared.sandbox.inside.traces import Trace
from shared.sandbox.inside.wire import write_all

IN, OUT = "/workspace/in", "/workspace/out"
WRITABLE = [OUT, "/tmp", "/dev/shm"]  # noqa: S108
READ_BYTES = 256 * 1024
FRAME_BYTES = 1 << 20
SYNC_S = 3.0
"""How long the loaded process may take to be back at its post after a job."""

Reap = Callable[[], None]


class Model:
    """One process of the model and what is known of it and of its present job."""

    def __init__(self, options: dict[str, Any], source: str) -> None:
        self.options = options
        self.isolation: str = options["isolation"]
        self.before = counters()
        self.report = Decoder(options["result_bytes"] + FRAME_BYTES)
        self.result: bytes | None = None
        self.fault: dict[str, Any] | None = None
        self.status: int | None = None
        self.late = self.gone = self.loaded = self.running = False
        self.ready = False
        """Whether the next job was prepared for."""
        self.threads = 1
        self.load_s = self.run_s = 0.0
        self._trace: Trace | None = None
        self._forked = self._begun = self._touched = False
        self._job_pid, self._job_pidfd = 0, -1
        """The process that was forked for the job, where the kernel gives a handle of it (gVisor does not)."""
        self._waiting = False
        """Whether a forked process may be waiting for the next job."""
        self.pid, self.commands, self.reports, output = spawn(options, source)
        self.log = Log(output, options["log_bytes"])
        self.phase_began = time.monotonic()
        self.open = {self.reports, output}

    @property
    def ended(self) -> bool:
        """Whether there is something to judge."""
        return self.result is not None or self.fault is not None or self.status is not None or self.late

    @property
    def idle(self) -> bool:
        """Whether it is loaded and has nothing to do."""
        return self.loaded and not self.running and not self.ended

    @property
    def unbegun(self) -> bool:
        """Whether a job was ordered whose process has not had its order yet."""
        return self.running and self._forked and not self._begun

    @property
    def deadline(self) -> float | None:
        """When the present phase must be over; None while the model waits for its job."""
        if self.ended or (self.loaded and not self.running):
            return None
        return self.phase_began + float(self.options["timeout_s"]) - (self.load_s if self.running else 0.0)

    def prepare(self) -> None:
        """Do what the next job would have to wait for, while nothing of a job lives."""
        self.ready = True
        if self.isolation == "container":
            return
        if self._trace is None:
            self._trace = Trace(self.pid)
        if self.isolation == "fork" and not self._waiting:
            self._waiting = self._tell({"fork": True})

    def _unprepare(self) -> None:
        """Send away who waits: the loaded process is about to change."""
        if self._waiting:
            self._tell({"leave": True})
            self._waiting = False
        self._trace = None

    def start(self, job: dict[str, Any]) -> None:
        """Tell the loaded model to run; `inside` has it run in the loaded process itself, to warm it up."""
        inside = bool(job.get("inside"))
        self._forked = self.isolation == "fork" and not inside
        if inside:
            self._unprepare()
        elif self.isolation != "container" and self._trace is None:
            self._trace = Trace(self.pid)
        self.running = True
        self.phase_began = time.monotonic()
        command = {
            "input_path": f"{IN}/{job['input_name']}",
            "output_dir": OUT,
            "params": job["params"],
            "inside": inside,
        }
        self._tell(command)

    def _tell(self, command: dict[str, Any]) -> bool:
        """Give the loaded process, or the one that waits, a command; False when it died or closed the pipe."""
        data = json.dumps(command).encode()
        try:
            write_all(self.commands, struct.pack(">I", len(data)) + data)
        except OSError:
            return False  # its exit status will tell
        return True

    def read_reports(self) -> bool:
        """Take what the model's process says; False when the pipe is closed or speaks nonsense."""
        try:
            data = os.read(self.reports, READ_BYTES)
        except BlockingIOError:
            return True
        try:
            for kind, payload in self.report.feed(data):
                self._take(kind, payload)
        except (frames.ProtocolError, ValueError, TypeError, OverflowError, RecursionError):
            return False  # the model itself wrote here
        return bool(data)

    def _take(self, kind: bytes, payload: bytes) -> None:
        if kind in (frames.LOADED, frames.THREADS):
            self.threads = int(json.loads(payload))
        if self.ended:
            return
        if kind == frames.LOADED and not self.loaded:
            self.loaded = True
            self.load_s = time.monotonic() - self.phase_began
        elif kind == frames.BEGUN and self.running:
            self._begin(int(json.loads(payload)))
        elif kind == frames.RETURNED and self.running:
            self.result = payload
            self._stop_clock()
        elif kind == frames.FAULT:
            self.fault = _plain(dict(json.loads(payload)))
            self._stop_clock()
        elif kind == frames.EXITED and self._forked and self._begun:
            self.status = int(json.loads(payload))
            self._stop_clock()
        elif kind == frames.EXITED:
            self._waiting = False  # it died before it had an order, which the loaded process takes then

    def _begin(self, pid: int) -> None:
        if self._begun:
            return  # the job itself wrote here
        self._begun, self._waiting = True, False
        if pid not in (1, self.pid):
            with contextlib.suppress(OSError):
                self._job_pid, self._job_pidfd = pid, os.pidfd_open(pid)

    def died(self, status: int) -> None:
        """Note the exit status, unless a report that is still in the pipe says more."""
        self.gone = True
        while self.reports in self.open and not self.ended and self._take_report(0):
            pass
        if not self.ended:
            self._stop_clock()
            self.status = status

    def _take_report(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self.reports], [], [], timeout_s)
        return bool(ready) and self.read_reports()

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

    def halt(self, wake: int, reap: Reap) -> bool:
        """Hold the loaded process and end everything else of the job; False when all of it has to go.

        It is held from here to `settle()`: what takes the outputs has its uid.
        """
        if self.isolation == "container" or self.gone or not self.loaded or not self.running:
            return False
        if self.unbegun:
            return False  # the order lies in the pipe and would be taken when nobody expects it
        if not self._forked and self.result is None:
            return False  # an error or a timeout ends a process that ran the job itself
        self._touched = was_stopped(self.pid)
        os.kill(self.pid, signal.SIGSTOP)
        reap()
        alone = self._job_pidfd >= 0 and alone_without(self._job_pidfd, self._job_pid, [self.pid])
        return (alone or kill_others([self.pid], wake, reap)) and not self.gone and until_held(self.pid)

    def tidy(self) -> None:
        """Remove the job's files, as the model's uid; one that it changed costs the loaded process its post."""
        if self._trace is not None and not self._trace.tidy():
            self._touched = True

    def settle(self) -> bool:
        """Let the loaded process go on; False when it must not take another job."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        if self._touched or not self._answers():
            return False
        return self._trace is None or self._trace.process_is_whole()

    def _answers(self) -> bool:
        """Tell whether the loaded process is back at its post; whatever dead processes wrote is read away.

        The word it has to give back is made when nobody else lives: no process of the job can have known it.
        """
        word = os.urandom(8).hex()
        expected, heard = encode(frames.SYNC, word.encode()), b""
        until = time.monotonic() + SYNC_S
        if not self._tell({"sync": word}):
            return False
        with contextlib.suppress(OSError):
            while not heard.endswith(expected):
                ready, _, _ = select.select([self.reports], [], [], max(0.0, until - time.monotonic()))
                data = os.read(self.reports, READ_BYTES) if ready else b""
                if not data:
                    return False
                heard = heard[-len(expected) :] + data
            return True
        return False

    def rest(self) -> None:
        """Forget the job; the loaded process waits for the next."""
        self.report = Decoder(self.options["result_bytes"] + FRAME_BYTES)
        self.result = self.fault = self.status = None
        self.late = self.running = self.ready = False
        self._forked = self._begun = self._touched = False
        self._forget_job()
        self.load_s = self.run_s = 0.0
        self.before = counters()
        self.log.restart()
        self.open = {self.reports, self.log.fd}

    def close(self) -> None:
        """Close our ends of its pipes."""
        os.close(self.commands)
        os.close(self.reports)
        self.log.close()
        self._forget_job()

    def _forget_job(self) -> None:
        if self._job_pidfd >= 0:
            os.close(self._job_pidfd)
        self._job_pidfd = -1

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


def _plain(fault: dict[str, Any]) -> dict[str, Any]:
    """Texts, booleans and lists of texts alone: anything else is no word of ours and could not be passed on."""
    plain = {name: value for name, value in fault.items() if isinstance(value, str | bool)}
    lists = {name: value for name, value in fault.items() if isinstance(value, list)}
    return plain | {name: [item for item in value if isinstance(item, str)] for name, value in lists.items()}
