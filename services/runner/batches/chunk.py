"""One chunk of a batch, step by step: input → image → sandbox, input by input → archive → end (decision 12)."""

import asyncio
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from prometheus_client import Counter

from services.runner.batches.archive import write_archive
from services.runner.batches.inputs import Prepared, fetch_slice, unpack
from services.runner.batches.turns import Turn, Turns
from services.runner.images import forget, image_to_run
from services.runner.pool import SandboxPool
from services.runner.spec import declared_defaults, isolation, pool_key, waiting_spec, warm_up
from shared.batches import archive_key
from shared.batches.outcomes import LOG_BYTES, InputOutcome
from shared.batches.states import ChunkClaim, ChunkEnd
from shared.crashpoints import crashpoint
from shared.db import Row
from shared.errors import JobError, PlatformFault
from shared.sandbox import JobRequest, Outcome, OutputFile
from shared.service import Parts
from shared.statuses import Isolation

log = structlog.get_logger()

RETRY_S = 1.0
"""How long the rest of a chunk waits when a part of the platform fails in its middle."""
OWN_IDLE_S = 600.0

inputs_ended = Counter("clinai_batch_inputs_total", "Inputs of batches that came to an end here", ["code"])

Ended = list[tuple[InputOutcome, list[OutputFile]]]


class ChunkHandler:
    """Carries out claimed chunks; holds nothing between them."""

    def __init__(self, parts: Parts, sandboxes: SandboxPool, turns: Turns) -> None:
        self._parts = parts
        self._sandboxes = sandboxes
        self._turns = turns

    async def handle(self, chunk: ChunkClaim) -> ChunkEnd:
        """Run the chunk's inputs, as many as its time allows, and return what came of them.

        A fault of the model ends its input alone. Raises PlatformFault when a part of the platform fails before any
        input has ended. Nothing of the chunk is on this host afterwards.
        """
        folder = self._parts.scratch / f"{chunk.batch_id}-{chunk.first}-{chunk.epoch}"
        (folder / "in").mkdir(parents=True)
        try:
            return await self._handle(chunk, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _handle(self, chunk: ChunkClaim, folder: Path) -> ChunkEnd:
        began = time.perf_counter()
        crashpoint("chunk.input")
        prepared = await self._inputs(chunk, folder)
        ended: Ended = []
        delay_s = 0.0
        try:
            version, image = await image_to_run(self._parts, chunk.row["version_id"])
            async with self._turns.chunk() as turn, self._sandboxes_for(version, folder) as sandboxes:
                delay_s = await self._run(chunk, version, image, prepared, folder, ended, turn, sandboxes)
        except JobError as error:  # there is nothing to run them with
            ended += [_faulty(chunk, n, error) for n in range(len(ended), len(chunk.inputs))]
        crashpoint("chunk.upload")
        path, key = folder / "archive.zip", archive_key(chunk.batch_id, chunk.first, chunk.epoch)
        archive = await asyncio.to_thread(write_archive, path, key, ended)
        await self._parts.storage.put_file(key, path, content_type="application/zip")
        for outcome, _ in ended:
            inputs_ended.labels(outcome.error_code or "").inc()
        succeeded = sum(outcome.status == "SUCCEEDED" for outcome, _ in ended)
        log.info(
            "chunk ended",
            inputs=len(ended),
            succeeded=succeeded,
            left=len(chunk.inputs) - len(ended),
            ms=round((time.perf_counter() - began) * 1000, 1),
        )
        return ChunkEnd(
            done=len(ended),
            succeeded=succeeded,
            archive=archive,
            output_bytes=sum(output.size for outcome, _ in ended for output in outcome.outputs),
            delay_s=delay_s,
        )

    async def _inputs(self, chunk: ChunkClaim, folder: Path) -> list[Prepared]:
        source = folder / "inputs.zip"
        await fetch_slice(self._parts.storage, chunk, source)
        try:
            return await asyncio.to_thread(unpack, chunk, source, folder / "in", self._parts.limits)
        finally:
            source.unlink()

    @asynccontextmanager
    async def _sandboxes_for(self, version: Row, folder: Path) -> AsyncIterator[SandboxPool]:
        """The runner's sandboxes; where it keeps none waiting, one of the chunk's own, loaded once for all inputs."""
        if self._sandboxes.keeps or isolation(version) is Isolation.CONTAINER:
            yield self._sandboxes
            return
        own = SandboxPool(self._parts.docker, folder, size=1, idle_s=OWN_IDLE_S)
        try:
            yield own
        finally:
            await own.close()

    async def _run(
        self,
        chunk: ChunkClaim,
        version: Row,
        image: str,
        prepared: list[Prepared],
        folder: Path,
        ended: Ended,
        turn: Turn,
        sandboxes: SandboxPool,
    ) -> float:
        """Run inputs, one after the other, until the chunk's time is over; return how long the rest has to wait."""
        key, warm = pool_key(version, chunk.user_id), warm_up(version)
        spec = waiting_spec(self._parts, version, image, chunk.user_id)
        params = {**declared_defaults(version), **chunk.row["params"]}
        began = time.monotonic()
        for n, each in enumerate(prepared):
            if ended and (time.monotonic() - began > self._parts.work.chunk_s or self._parts.stop.is_set()):
                break
            crashpoint("chunk.sandbox" if n else "chunk.first")
            await turn.between_inputs()
            if each.fault is not None:
                ended.append(_faulty(chunk, n, each.fault))
                continue
            outputs_dir, tail = folder / f"out-{n}", Tail()
            outputs_dir.mkdir()
            job = JobRequest(input_path=each.path, input_name=f"image.{each.extension}", params=params)
            try:
                outcome = await sandboxes.run(key, spec, job, warm_up=warm, outputs_dir=outputs_dir, on_log=tail.write)
            except PlatformFault as fault:
                forget(image)  # it may have been removed
                if not ended:
                    raise
                log.warning("platform fault in the middle of a chunk; the rest is tried again", reason=fault.message)
                return RETRY_S
            each.path.unlink()
            ended.append((_outcome(chunk, n, outcome, tail.text), outcome.outputs))
        return 0.0

    async def discard(self, chunk: ChunkClaim) -> None:
        """Remove the archive of an epoch that did not write the end."""
        await self._parts.storage.delete(archive_key(chunk.batch_id, chunk.first, chunk.epoch))


class Tail:
    """The end of what the model printed for one input."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    def write(self, line: str) -> None:
        """Add a line."""
        line = line[-LOG_BYTES:]
        self._lines.append(line)
        self._size += len(line) + 1
        while self._size > LOG_BYTES and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1

    @property
    def text(self) -> str:
        """What is kept."""
        return "".join(f"{line}\n" for line in self._lines)


def _outcome(chunk: ChunkClaim, n: int, outcome: Outcome, tail: str) -> InputOutcome:
    failed = outcome.code is not None
    return InputOutcome(
        index=chunk.first + n,
        name=chunk.inputs[n].name,
        status="FAILED" if failed else "SUCCEEDED",
        error_code=outcome.code,
        error_message=outcome.message if failed else None,
        result=outcome.result,
        ms=outcome.timings.get("run"),
        log=tail,
    )


def _faulty(chunk: ChunkClaim, n: int, error: JobError) -> tuple[InputOutcome, list[OutputFile]]:
    name = chunk.inputs[n].name
    outcome = InputOutcome(
        index=chunk.first + n,
        name=name,
        status="FAILED",
        error_code=str(error.code),
        error_message=error.message,
    )
    return outcome, []
