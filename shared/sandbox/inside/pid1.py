"""pid 1 of a sandbox: takes frames on stdin, keeps the model's process, answers with frames on stdout.

One thread, one poll loop. Every wait has an end: the deadline, the death of the model's process, or the end of stdin
(the host is gone), after which this process ends and the kernel kills whatever is left in the container.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from shared.sandbox.inside import frames
from shared.sandbox.inside.collector import collect, wipe
from shared.sandbox.inside.frames import Decoder
from shared.sandbox.inside.identity import HARNESS_UID, as_model, become_harness
from shared.sandbox.inside.process import FRAME_BYTES, IN, OUT, READ_BYTES, WRITABLE, Model
from shared.sandbox.inside.spawn import PIPE_BYTES, kill_all
from shared.sandbox.inside.traces import empty_out, foreign_memory
from shared.sandbox.inside.wire import Batch, send, to_json, write_all

WARM, COLD, SPENT = "warm", "cold", "spent"


class Harness:
    """The loop and its state: at most one model process and one job."""

    def __init__(self, model_source: str) -> None:
        self._source = model_source
        self._stdin = Decoder(FRAME_BYTES)
        self._options: dict[str, Any] | None = None
        self._model: Model | None = None
        self._job: dict[str, Any] | None = None
        self._input: int | None = None
        self._input_done = False
        self._dirty = self._excused = False
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for fd in (0, 1):
            with suppress(OSError):  # it is only faster
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def serve(self) -> None:
        """Serve until the host closes stdin."""
        send(frames.HELLO, to_json({"protocol": frames.PROTOCOL, "uid": os.getuid()}))
        while self._turn():
            if self._job is None:
                self._prepare()
            if self._job is None or not self._input_done:
                continue
            if self._model is None:
                self._load()
                continue
            model = self._model
            if model.idle:
                model.start(self._job)
            elif model.ended:
                self._finish(model, self._job)
                self._prepare()

    def _prepare(self) -> None:
        """Do beforehand what the next job would have to wait for."""
        if self._model is not None and self._model.idle and not self._model.ready:
            self._model.prepare()

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
        if self._wake in ready:
            os.read(self._wake, 4096)
        if model is not None:
            # the answer is read before the clock is looked at: one that came in time counts
            if model.reports in ready and not model.read_reports():
                model.open.discard(model.reports)
            if model.log.fd in ready and not model.log.read():
                model.open.discard(model.log.fd)
            if self._wake in ready:
                self._reap()
            if model.deadline is not None and time.monotonic() >= model.deadline:
                model.expire()
        return 0 not in ready or self._read_host()

    def _reap(self) -> None:
        model = self._model
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if model is None or pid != model.pid:
                continue
            waited = model.idle
            model.died(status)
            if (waited or model.unbegun) and model.isolation != "container" and not self._excused:
                # it died between two jobs: no fault of the next one, which may be here already; once at the most
                self._excused = self._job is not None
                kill_all(self._wake)
                self._drop(model)
                return

    def _read_host(self) -> bool:
        data = os.read(0, READ_BYTES)
        for kind, payload in self._stdin.feed(data):
            if kind == frames.INPUT:
                write_all(self._input_file(), payload)
            elif kind == frames.INPUT_END:
                os.close(self._input_file())
                self._input, self._input_done = None, True
            elif kind == frames.JOB and self._job is None:
                self._job = json.loads(payload)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._input = os.open(f"{IN}/{self._job['input_name']}", flags, 0o644)
                if self._model is None and self._options is not None:
                    self._load()  # while the input travels
            elif kind == frames.LOAD and self._model is None:
                self._options = json.loads(payload)
                self._load()
            else:
                raise frames.ProtocolError(f"frame {kind!r} at the wrong moment")
        return bool(data)

    def _load(self) -> None:
        if self._options is None:
            raise frames.ProtocolError("a job before LOAD")
        if self._dirty:
            with as_model():
                empty_out()
                wipe(WRITABLE)
                os.chdir("/")
            self._dirty = False
        self._model = Model(self._options, self._source)

    def _input_file(self) -> int:
        if self._input is None:
            raise frames.ProtocolError("input without a job")
        return self._input

    def _finish(self, model: Model, job: dict[str, Any]) -> None:
        """End the job's processes, send its end and, when it returned, the outputs; then leave nothing of it."""
        kept = model.halt(self._wake, self._reap)
        if not kept:
            kill_all(self._wake)
        model.log.drain()
        answer = Batch(1)
        if model.result is not None:
            answer.add(frames.RESULT, model.result)
        answer.add(frames.ENDED, to_json(model.evidence()))
        with as_model():
            if model.result is not None:
                collect(OUT, answer, files_max=job["output_files"], bytes_max=job["output_bytes"])
            answer.flush()
            if kept:
                model.tidy()
        for name in os.listdir(IN):
            os.unlink(f"{IN}/{name}")
        if kept and model.settle():
            model.rest()
        else:
            if kept:
                kill_all(self._wake)
            self._drop(model)
        self._job, self._input_done, self._excused = None, False, False
        state = SPENT if foreign_memory() else WARM if self._model is not None else COLD
        send(frames.DONE, to_json({"state": state, "threads": model.threads}))
        if state == COLD and model.isolation != "container" and model.loaded:
            self._load()  # anew, before the next job comes

    def _drop(self, model: Model) -> None:
        """Forget a model whose process is dead."""
        model.close()
        self._model, self._dirty = None, True


def main(model_source: str) -> None:
    """Become the harness and serve; a fault of ours goes to stderr and ends the container."""
    become_harness()
    if os.getuid() != HARNESS_UID:
        sys.exit("pid 1 could not take its own uid")
    os.umask(0o022)
    Harness(model_source).serve()
