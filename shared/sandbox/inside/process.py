"""The model's process as pid 1 knows it: what it was told, what it said, and whether it can take another job."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

from shared.sandbox.inside import frames
from shared.sandbox.inside.evidence import counters, full_disks
from shared.sandbox.inside.frames import Decoder, encode
from shared.sandbox.inside.log import Log
from shared.sandbox.inside.spawn import kill_others, spawn
from shared.sandbox.inside.traces import Trace
from shared.sandbox.inside.wire import to_json

IN, OUT = "/workspace/in", "/workspace/out"
WRITABLE = [OUT, "/tmp", "/dev/shm"]  # noqa: S108
READ_BYTES = 256 * 1024
FRAME_BYTES = 1 << 20
SYNC_S = 1.0
"""How long the loaded process may take to be back at its post after a job."""


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
        self.threads = 1
        self.load_s = self.run_s = 0.0
        self._trace: Trace | None = None
        self._forked = False
        self.pid, self.commands, self.reports, output = spawn(options, source)
        self.log = Log(output, options["log_bytes"])
        self.phase_began = time.monotonic()
        self.open = {self.reports, output}

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
        """Tell the loaded model to run; `inside` has it run in the loaded process itself, to warm it up."""
        inside = bool(job.get("inside"))
        self._forked = self.isolation == "fork" and not inside
        if inside:
            self._trace = None
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
        elif kind == frames.RETURNED and self.running:
            self.result = payload
            self._stop_clock()
        elif kind == frames.FAULT:
            self.fault = _plain(dict(json.loads(payload)))
            self._stop_clock()
        elif kind == frames.EXITED and self._forked:
            self.status = int(json.loads(payload))
            self._stop_clock()

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

    def settle(self, wake: int, reap: Callable[[], None]) -> bool:
        """End everything of the job but the loaded process; False when that cannot or must not take another job."""
        if self.isolation == "container" or self.gone or not self.loaded or not self.running:
            return False
        if not self._forked and self.result is None:
            return False  # an error or a timeout ends a process that ran the job itself
        if not kill_others(self.pid, wake, reap) or self.gone or not self._answers():
            return False
        return self._trace is None or self._trace.process_is_whole()

    def _answers(self) -> bool:
        """Tell whether the loaded process is back at its post; whatever dead processes wrote is read away.

        The word it has to give back is made when nobody else lives: no process of the job can have known it.
        """
        word = os.urandom(8).hex()
        expected, heard = encode(frames.SYNC, word.encode()), b""
        until = time.monotonic() + SYNC_S
        try:
            os.write(self.commands, to_json({"sync": word}) + b"\n")
            while not heard.endswith(expected):
                ready, _, _ = select.select([self.reports], [], [], max(0.0, until - time.monotonic()))
                data = os.read(self.reports, READ_BYTES) if ready else b""
                if not data:
                    return False
                heard = heard[-len(expected) :] + data
        except OSError:
            return False
        return True

    def tidy(self) -> int:
        """Remove the job's files; for a fresh process. Not 0 when the loaded process must not take another job."""
        return self._trace.tidy() if self._trace is not None else 0

    def rest(self) -> None:
        """Forget the job; the loaded process waits for the next."""
        self.report = Decoder(self.options["result_bytes"] + FRAME_BYTES)
        self.result = self.fault = self.status = None
        self.late = self.running = False
        self.load_s = self.run_s = 0.0
        self.before = counters()
        self.log.restart()
        self.open = {self.reports, self.log.fd}

    def close(self) -> None:
        """Close our ends of its pipes."""
        os.close(self.commands)
        os.close(self.reports)
        self.log.close()

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
