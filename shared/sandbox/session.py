"""A container with a harness inside, seen from the host: open, load, run one job or several, close."""

import asyncio
import json
import math
import os
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import aiodocker
import aiohttp
import msgspec
import structlog
from aiodocker.containers import DockerContainer
from aiodocker.stream import Stream

from shared.codes import JobCode
from shared.errors import JobError, PlatformFault, clip_message
from shared.sandbox import ends
from shared.sandbox.engine import engine_faults, is_gvisor, sandbox_container
from shared.sandbox.inside import frames
from shared.sandbox.inside.frames import Decoder, ProtocolError, encode
from shared.sandbox.logs import LogLines
from shared.sandbox.outputs import OutputSink, refusal
from shared.sandbox.result import read_result
from shared.sandbox.spec import JobRequest, Outcome, SandboxSpec
from shared.statuses import Isolation

log = structlog.get_logger()

OPEN_TIMEOUT_S = 60.0
MARGIN_S = 10.0
"""How much later than pid 1 this side gives up."""
QUIET_TIMEOUT_S = 60.0
"""Between two frames once the model is dead."""
SEND_BYTES_PER_S = 1 << 20
"""The slowest way to an engine that is waited for."""
STDERR_BYTES = 4096
READ_BYTES = 256 * 1024
INLINE_BYTES = 1 << 20
"""Inputs up to this size are read without a thread."""
FRAME_BYTES = 4 << 20
_INPUT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

OnLog = Callable[[str], None]


class Done(msgspec.Struct, frozen=True):
    """How pid 1 stands after a job."""

    state: Literal["warm", "cold", "spent"]
    threads: int


class Session:
    """One sandbox; made by `open_session`.

    Isolation `container`: `load()` and `run()`. `fork` and `warm`: `load()` once, then `run()` as often as wanted,
    never two at once, until `spent`. Who is in a hurry takes `answer()` instead of `run()`, and `settled()` before the
    next one.
    """

    def __init__(self, container: DockerContainer, stream: Stream, spec: SandboxSpec) -> None:
        self._container = container
        self._stream = stream
        self._spec = spec
        self._decoder = Decoder(spec.result_bytes + FRAME_BYTES)
        self._ready: deque[tuple[bytes, bytes]] = deque()
        self._stderr = b""
        self._owes_done = False
        self.spent = False
        """It is broken, or something of a job stays that cannot be removed: take another sandbox."""
        self.loaded = False
        """A loaded model waits for the next job."""
        self.threads = 1
        """Threads of the loaded process; more than one do not survive a fork."""

    @property
    def isolation(self) -> Isolation:
        """Where this sandbox runs its jobs."""
        return self._spec.isolation

    async def hello(self) -> None:
        """Await the harness; raises PlatformFault when it does not come or speaks another protocol."""
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            kind, payload = await self._next()
        if kind != frames.HELLO or json.loads(payload)["protocol"] != frames.PROTOCOL:
            raise PlatformFault(f"the sandbox began with {kind!r} {payload[:100]!r}")

    async def load(self) -> None:
        """Have the model's process started; its import and setup() go on while the input travels."""
        spec = self._spec
        options = {
            "isolation": spec.isolation,
            "timeout_s": spec.timeout_s,
            "log_bytes": spec.log_bytes,
            "result_bytes": spec.result_bytes,
            "message_bytes": spec.message_bytes,
            "nproc": spec.processes if is_gvisor(spec) else 0,
            "env": model_environment(spec.cpus),
        }
        with engine_faults("talking to the sandbox"):
            await self._stream.write_in(encode(frames.LOAD, json.dumps(options).encode()))

    async def run(self, job: JobRequest, *, outputs_dir: Path, on_log: OnLog) -> Outcome:
        """Run one job to its end; never raises for the model's fault. Raises PlatformFault."""
        outcome = await self.answer(job, outputs_dir=outputs_dir, on_log=on_log)
        await self.settled()
        return outcome

    async def settled(self) -> None:
        """Await that nothing of the last job is left; `spent`, `loaded` and `threads` hold then. May be called twice.

        The job has its answer: a sandbox that dies now is only spent.
        """
        try:
            while self._owes_done:
                kind, payload = await self._next_soon()
                if kind == frames.DONE:
                    done = msgspec.json.decode(payload, type=Done)
                    self._owes_done = False
                    self.spent, self.loaded, self.threads = done.state == "spent", done.state == "warm", done.threads
        except (JobError, PlatformFault, ProtocolError, msgspec.MsgspecError) as error:
            self._owes_done = False
            log.warning("sandbox broke after its job", container=self._container.id[:12], reason=str(error))

    async def answer(self, job: JobRequest, *, outputs_dir: Path, on_log: OnLog) -> Outcome:
        """Run one job until its result and outputs are here; as `run()`, but something of it may still live inside."""
        size = job.input_path.stat().st_size
        if size > self._spec.input_bytes:
            return Outcome(
                code=JobCode.INPUT_TOO_LARGE,
                message=f"the input has {size} bytes and the limit is {self._spec.input_bytes}; send a smaller image",
            )
        if not _INPUT_NAME.fullmatch(job.input_name):
            raise ValueError(f"input_name {job.input_name!r} is not a plain file name")
        # the last step of the way from a request to the container that answers it
        log.info("sandbox takes it", container=self._container.id[:12], isolation=self._spec.isolation)
        outcome = Outcome()
        self._owes_done = self.spent = True  # whoever is cut short leaves a sandbox of no use
        sending = asyncio.create_task(self._send(job), name="sandbox-input")
        try:
            await self._receive(outcome, size, outputs_dir, on_log)
        except JobError as error:
            outcome.code, outcome.message = JobCode(error.code), error.message
        except (ProtocolError, msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            raise PlatformFault(f"the sandbox does not speak as agreed: {error!r}") from error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if outcome.code is not None:
            outcome.result, outcome.outputs = None, []
            outcome.message = clip_message(outcome.message, self._spec.message_bytes)
        return outcome

    async def _receive(self, outcome: Outcome, size: int, outputs_dir: Path, on_log: OnLog) -> None:
        """Take frames until the job is over; raises JobError for a bad end."""
        log = LogLines(on_log, self._spec.log_bytes)
        result = b""
        patience = self._spec.timeout_s + MARGIN_S + size / SEND_BYTES_PER_S
        try:
            async with asyncio.timeout(patience):
                while (frame := await self._next())[0] != frames.ENDED:
                    kind, payload = frame
                    if kind == frames.LOG:
                        log.feed(payload)
                    elif kind == frames.LOG_CUT:
                        log.cut()
                    elif kind == frames.RESULT:
                        result = payload
                    else:
                        raise ProtocolError(f"frame {kind!r} while the model runs")
        except TimeoutError:
            raise await self._why_silent() from None
        finally:
            log.finish()
            outcome.log_truncated = log.truncated
        # json's own reader: the model's words may hold halves of surrogate pairs, which msgspec's refuses
        seen = msgspec.convert(json.loads(frame[1]), ends.Evidence)
        outcome.timings.update(load=round(seen.load_ms, 2), run=round(seen.run_ms, 2))
        outcome.peak_memory_bytes = seen.peak
        code, message = ends.judge(seen, self._spec)
        if code is not None:
            raise JobError(code, message)
        outcome.result = read_result(result, self._spec.result_bytes)
        began = time.perf_counter()
        await self._collect(outcome, outputs_dir)
        outcome.timings["collect"] = round((time.perf_counter() - began) * 1000, 2)
        if not outcome.outputs and not outcome.result:
            raise JobError(
                JobCode.NO_OUTPUT,
                "run() returned an empty dict and wrote no file; return values, or write files into output_dir",
            )

    async def _collect(self, outcome: Outcome, outputs_dir: Path) -> None:
        sink = OutputSink(outputs_dir, self._spec)
        refused: JobError | None = None
        try:
            while (frame := await self._next_soon())[0] != frames.OUTPUTS_END:
                kind, payload = frame
                if kind == frames.FILE:
                    await sink.begin(payload)
                elif kind == frames.DATA:
                    await sink.write(payload)
                elif kind == frames.REFUSED:
                    refused = refusal(payload)
                else:
                    raise ProtocolError(f"frame {kind!r} among the outputs")
            outcome.outputs = await sink.finish()
        except OSError as error:
            raise PlatformFault(f"outputs cannot be written on this host: {error}") from error
        finally:
            sink.close()
        if refused is not None:
            raise refused

    async def _send(self, job: JobRequest) -> None:
        """Send the job and its input; a broken pipe is the reader's to explain."""
        limits = {"output_files": self._spec.output_files, "output_bytes": self._spec.output_bytes}
        about = {"input_name": job.input_name, "params": job.params, "inside": job.inside, **limits}
        # each write wakes every process on the way, so what is small travels with its neighbour
        waiting = encode(frames.JOB, json.dumps(about).encode())
        with job.input_path.open("rb") as file:
            # the usual picture was written a moment ago: reading it takes less time than asking a thread to
            small = os.fstat(file.fileno()).st_size <= INLINE_BYTES
            while chunk := file.read(frames.CHUNK) if small else await asyncio.to_thread(file.read, READ_BYTES):
                waiting += encode(frames.INPUT, chunk)
                if len(waiting) >= frames.CHUNK:
                    await self._stream.write_in(waiting)
                    waiting = b""
        await self._stream.write_in(waiting + encode(frames.INPUT_END))

    async def _next_soon(self) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(QUIET_TIMEOUT_S):
                return await self._next()
        except TimeoutError:
            raise PlatformFault(f"the sandbox was silent for {QUIET_TIMEOUT_S:g} s after the model's end") from None

    async def _next(self) -> tuple[bytes, bytes]:
        while not self._ready:
            with engine_faults("talking to the sandbox"):
                message = await self._stream.read_out()
            if message is None:
                raise await self._why_gone()
            if message.stream == 2:
                self._stderr = (self._stderr + message.data)[-STDERR_BYTES:]
            else:
                self._ready.extend(self._decoder.feed(message.data))
        return self._ready.popleft()

    async def _why_silent(self) -> Exception:
        """Pid 1 let its own deadline pass: the model's doing, unless the engine holds the container."""
        self._owes_done = False
        with engine_faults("asking the engine why a sandbox is silent"):
            async with asyncio.timeout(MARGIN_S):
                state = (await self._container.show())["State"]
        if state.get("Status") != "running":
            return PlatformFault(f"the sandbox is {state.get('Status')} and did not answer")
        return JobError(JobCode.TIMEOUT, ends.wedged(self._spec))

    async def _why_gone(self) -> Exception:
        """The container ended before its job: say why, by the engine's word."""
        self._owes_done = False
        with engine_faults("asking the engine why a sandbox ended"):
            async with asyncio.timeout(MARGIN_S):
                await self._container.wait()
                state = (await self._container.show())["State"]
        if state.get("OOMKilled"):
            return JobError(JobCode.OUT_OF_MEMORY, ends.out_of_memory(self._spec))
        if state.get("ExitCode") == frames.MEDDLED_STATUS:
            return JobError(JobCode.MODEL_ERROR, ends.MEDDLED)
        said = self._stderr.decode("utf-8", "replace").strip()
        return PlatformFault(
            f"the sandbox ended before its job (exit code {state.get('ExitCode')}, {state.get('Error') or 'no error'})"
            f"{': ' + said[-1000:] if said else ''}"
        )


def model_environment(cpus: float) -> dict[str, str]:
    """Environment of the model's process: nothing of ours, threads that match the CPU limit, caches in /tmp."""
    threads = str(max(1, math.ceil(cpus)))
    pools = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "VECLIB_MAXIMUM", "NUMBA")
    return {
        "PATH": "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
        "XDG_CACHE_HOME": "/tmp/.cache",  # noqa: S108
        "XDG_CONFIG_HOME": "/tmp/.config",  # noqa: S108
        "NUMBA_CACHE_DIR": "/tmp/numba",  # noqa: S108
        "TORCH_HOME": "/tmp/torch",  # noqa: S108
        "HF_HOME": "/tmp/huggingface",  # noqa: S108
        "YOLO_CONFIG_DIR": "/tmp",  # noqa: S108
        **{f"{pool}_NUM_THREADS": threads for pool in pools},
    }


@asynccontextmanager
async def open_session(docker: aiodocker.Docker, spec: SandboxSpec) -> AsyncIterator[Session]:
    """Start a sandbox and await its harness; the container is gone when the block is left, on every path."""
    async with sandbox_container(docker, spec) as container:
        stream = container.attach(stdin=True, stdout=True, stderr=True)
        try:
            with engine_faults("starting a sandbox"):
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await stream.__aenter__()  # attached before it starts: nothing it says is lost
                    await container.start()
            session = Session(container, stream, spec)
            try:
                await session.hello()
            except TimeoutError:
                raise PlatformFault(f"the sandbox did not start within {OPEN_TIMEOUT_S:g} s") from None
            yield session
        finally:
            await _close(stream)


async def _close(stream: Stream) -> None:
    """Close the attached stream in both directions; one whose container is gone already may complain."""
    with suppress(OSError, aiohttp.ClientError, AssertionError):
        await stream.close()


async def run_once(
    docker: aiodocker.Docker, spec: SandboxSpec, job: JobRequest, *, outputs_dir: Path, on_log: OnLog
) -> Outcome:
    """Run one job in a fresh container and remove it.

    A fault of the model is an Outcome with a code. Raises PlatformFault when the engine fails; a cancellation passes
    through once the container is gone. Outputs lie in `outputs_dir`, under names of ours.
    """
    began = time.perf_counter()
    opened = ended = began
    try:
        async with open_session(docker, spec) as session:
            opened = time.perf_counter()
            await session.load()
            outcome = await session.run(job, outputs_dir=outputs_dir, on_log=on_log)
            ended = time.perf_counter()
    except JobError as error:  # the kernel killed pid 1 for memory before it could say hello
        outcome = Outcome(code=JobCode(error.code), message=error.message)
    outcome.timings = {
        "container": round((opened - began) * 1000, 2),
        **outcome.timings,
        "close": round((time.perf_counter() - ended) * 1000, 2),
    }
    return outcome
