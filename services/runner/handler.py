"""One job, step by step: input → image → sandbox → outputs → end (design, section 1, path 3)."""

import asyncio
import os
import shutil
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from services.runner.handed import HandedInputs
from services.runner.images import forget, image_to_run
from services.runner.inputs import Input, fetch_input, keep_input
from services.runner.outputs import hand_over_outputs, outputs_prefix, store_outputs
from services.runner.pool import SandboxPool
from services.runner.spec import declared_defaults, isolation, pool_key, single_spec, waiting_spec, warm_up
from shared.codes import JobCode
from shared.crashpoints import crashpoint
from shared.db import Row
from shared.errors import JobError, PlatformFault
from shared.events import log_subject
from shared.livelog import LiveLog
from shared.sandbox import JobRequest, Outcome
from shared.service import Parts
from shared.statuses import Isolation, JobStatus
from shared.worker import Claim, Finish

log = structlog.get_logger()
T = TypeVar("T")
U = TypeVar("U")

FEW_FILES, FEW_BYTES = 16, 16 << 20
"""What is removed faster than a thread takes over."""


class Timings:
    """Milliseconds by phase, in the order they happened."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a block; it counts also when it fails."""
        crashpoint(f"job.{name}")
        started = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] = round((time.perf_counter() - started) * 1000, 2)


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Do two things at once; when one fails the other is stopped before its error goes on."""
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        return await first, await second
    finally:
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)


class JobHandler:
    """Carries out claimed jobs; holds nothing between them."""

    def __init__(self, parts: Parts, sandboxes: SandboxPool, inputs: HandedInputs) -> None:
        self._parts = parts
        self._sandboxes = sandboxes
        self._inputs = inputs

    async def handle(self, claim: Claim) -> Finish:
        """Run one job to its end and return how to finish the row.

        Raises PlatformFault when a part of the platform fails. Nothing of the job is on this host afterwards.
        """
        folder = self._parts.scratch / f"{claim.id}-{claim.epoch}"
        folder.mkdir()
        try:
            return await self._run(claim, folder)
        finally:
            await _remove(folder)

    async def _run(self, claim: Claim, folder: Path) -> Finish:
        timings, row, began = Timings(), claim.row, time.perf_counter()
        timings.ms["queue"] = round((row["started_at"] - row["queued_at"]).total_seconds() * 1000, 2)
        limits = self._parts.limits
        sink = LiveLog(
            self._parts.bus,
            log_subject("job", claim.owner_id, claim.id),
            folder / "job.log",
            limit_bytes=limits.job_log_bytes,
            limits=limits,
        )
        handed = self._inputs.take(str(claim.id))
        got: Input | None = None
        outcome: Outcome | None = None
        code: JobCode | None = None
        message: str | None = None
        outputs: list[dict[str, Any]] = []
        async with sink:
            try:
                fetched, (version, image) = await both(
                    self._input(row, folder, timings, handed.data), self._image(row, timings)
                )
                async with keep_input(self._parts.storage, row, fetched):
                    outcome = await self._sandbox(claim, version, image, fetched, folder, sink)
                got = fetched
                timings.ms.update(outcome.timings)
                code, message = outcome.code, outcome.message or None
            except JobError as error:
                code, message = JobCode(error.code), error.message
        made = outcome.outputs if outcome and code is None else []
        with timings.phase("upload"):
            if handed.reply:
                await hand_over_outputs(self._parts.bus, handed.reply, made)
            outputs, log_path = await both(
                store_outputs(self._parts.storage, claim, made), self._store_log(claim, sink)
            )
        timings.ms["total"] = round(timings.ms["queue"] + (time.perf_counter() - began) * 1000, 2)
        log.info("job ended", code=code, timings=timings.ms)
        failed = code is not None
        return {
            "status": JobStatus.FAILED if failed else JobStatus.SUCCEEDED,
            "input_path": got.key if got else None,
            "input_sha256": got.sha256 if got else None,
            "input_size": got.size if got else None,
            "input_type": got.content_type if got else None,
            "output_paths": [output["key"] for output in outputs],
            "outputs": outputs,
            "result": outcome.result if outcome and not failed else None,
            "timings": timings.ms,
            "log_path": log_path,
            "error_code": code,
            "error_message": message if failed else None,
        }

    async def _input(self, row: Row, folder: Path, timings: Timings, handed: bytes) -> Input:
        with timings.phase("input"):
            return await fetch_input(self._parts.storage, row, folder, self._parts.limits, handed)

    async def _image(self, row: Row, timings: Timings) -> tuple[Row, str]:
        with timings.phase("image"):
            return await image_to_run(self._parts, row["version_id"])

    async def _sandbox(
        self, claim: Claim, version: Row, image: str, got: Input, folder: Path, sink: LiveLog
    ) -> Outcome:
        """Run the model on the input; the model's own prints become the job's log."""
        crashpoint("job.sandbox")
        outputs_dir = folder / "outputs"
        outputs_dir.mkdir()
        params = {**declared_defaults(version), **claim.row["params"]}
        job = JobRequest(input_path=got.path, input_name=f"image.{got.extension}", params=params)
        if isolation(version) is Isolation.CONTAINER or not self._sandboxes.keeps:
            spec = single_spec(self._parts, version, image, claim, got.size)
        else:
            spec = waiting_spec(self._parts, version, image, claim.owner_id)
        try:
            return await self._sandboxes.run(
                pool_key(version, claim.owner_id),
                spec,
                job,
                warm_up=warm_up(version),
                outputs_dir=outputs_dir,
                on_log=sink.write,
            )
        except PlatformFault:
            forget(image)  # it may have been removed
            raise

    async def _store_log(self, claim: Claim, sink: LiveLog) -> str | None:
        """Store the whole log before the end is written, so that who hears of the end can read it; None for no line."""
        crashpoint("job.log")
        if sink.is_empty:
            return None
        key = _log_key(claim)
        await self._parts.storage.put_file(key, sink.path, content_type="text/plain")
        return key

    async def discard(self, claim: Claim) -> None:
        """Remove outputs and log of an epoch that did not write the end."""
        await self._parts.storage.delete_prefix(outputs_prefix(claim))
        await self._parts.storage.delete(_log_key(claim))

    async def settled(self, claim: Claim) -> None:
        """The end is written: the quarantined upload is not needed for a retry any more."""
        if not claim.row["input_path"]:  # a prediction's input was never there
            await self._parts.storage.delete(claim.row["upload_key"])

    def failure(self, claim: Claim, reason: str) -> Finish:
        """The end of a job that the platform could not finish before its deadline."""
        message = (
            f"the platform could not finish this job before its deadline: {PlatformFault(reason).message}. "
            "This is not the model's fault: run it again, and tell the operator when it persists."
        )
        return {
            "status": JobStatus.FAILED,
            **dict.fromkeys(("input_path", "input_sha256", "input_size", "input_type", "result", "log_path")),
            "output_paths": [],
            "outputs": [],
            "timings": {},
            "error_code": JobCode.PLATFORM_ERROR,
            "error_message": message,
        }


async def _remove(folder: Path) -> None:
    """Remove a job's folder: at once what a job commonly leaves, in a thread what takes time."""
    outputs = folder / "outputs"
    files = [*_entries(outputs), *(entry for entry in _entries(folder) if entry.name != outputs.name)]
    if (
        len(files) <= FEW_FILES
        and all(entry.is_file(follow_symlinks=False) for entry in files)
        and sum(entry.stat(follow_symlinks=False).st_size for entry in files) <= FEW_BYTES
    ):
        _remove_flat(folder, outputs, files)
    else:
        await asyncio.to_thread(shutil.rmtree, folder, True)


def _remove_flat(folder: Path, outputs: Path, files: list[os.DirEntry[str]]) -> None:
    """Half of what rmtree takes, which looks at each folder through a descriptor."""
    try:
        for entry in files:
            os.unlink(entry)  # noqa: PTH108 - it has its path already
        for emptied in (outputs, folder):
            if emptied.is_dir():
                emptied.rmdir()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _log_key(claim: Claim) -> str:
    return f"logs/jobs/{claim.id}/{claim.epoch}.log"
