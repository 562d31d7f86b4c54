"""Receives a job's outputs on this host: names of ours, limits of ours, hashed on the way."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

from shared.codes import JobCode
from shared.errors import JobError, PlatformFault
from shared.sandbox.inside.names import name_fault
from shared.sandbox.spec import OutputFile, SandboxSpec

BATCH_BYTES = 1 << 20
"""The first so many bytes of a file are stored as they come; what follows goes to a thread in batches as large."""
_REFUSALS = (JobCode.OUTPUT_LIMIT, JobCode.OUTPUT_NAME_INVALID, JobCode.OUTPUT_TYPE_FORBIDDEN)


class OutputSink:
    """Takes FILE and DATA frames one after the other; `finish()` gives the files. Memory stays at one batch."""

    def __init__(self, folder: Path, spec: SandboxSpec) -> None:
        self._folder = folder
        self._spec = spec
        self._files: list[OutputFile] = []
        self._names: set[str] = set()
        self._total = 0
        self._name: str | None = None
        self._path = folder
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._size = 0
        self._batch = bytearray()

    async def begin(self, payload: bytes) -> None:
        """Start the next file; raises JobError (OUTPUT_LIMIT) and PlatformFault for a name that cannot be."""
        await self._end_file()
        name = json.loads(payload)["name"]
        if not isinstance(name, str) or name_fault(name.encode("utf-8", "surrogatepass")) or name in self._names:
            raise PlatformFault("the sandbox sent an output under a name that it should have refused")
        if len(self._files) >= self._spec.output_files:
            raise JobError(
                JobCode.OUTPUT_LIMIT, f"the model wrote more than {self._spec.output_files} output files; write fewer"
            )
        self._names.add(name)
        self._name, self._path = name, self._folder / f"{len(self._files):06d}"
        self._file, self._hash, self._size = self._path.open("xb"), hashlib.sha256(), 0

    async def write(self, data: bytes) -> None:
        """Add bytes to the file begun; raises JobError (OUTPUT_LIMIT)."""
        self._total += len(data)
        if self._total > self._spec.output_bytes:
            raise JobError(
                JobCode.OUTPUT_LIMIT,
                f"the outputs have more than {self._spec.output_bytes} bytes together; write less or compress them",
            )
        if not self._batch and self._size + len(data) <= BATCH_BYTES:
            self._store(data)
            return
        self._batch += data
        if len(self._batch) >= BATCH_BYTES:
            batch, self._batch = self._batch, bytearray()
            await asyncio.to_thread(self._store, batch)

    async def finish(self) -> list[OutputFile]:
        """Close the last file and return all of them."""
        await self._end_file()
        return self._files

    def close(self) -> None:
        """Let go of the open file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _end_file(self) -> None:
        if self._name is None:
            return
        self._store(self._batch)  # less than a batch: not worth a thread
        self._batch = bytearray()
        self.close()
        file = OutputFile(name=self._name, path=self._path, size=self._size, sha256=self._hash.hexdigest())
        self._files.append(file)
        self._name = None

    def _store(self, data: bytes | bytearray) -> None:
        if self._file is None:
            raise PlatformFault("the sandbox sent bytes of no output")
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)


def refusal(payload: bytes) -> JobError:
    """The error that a REFUSED frame stands for; raises PlatformFault when it is none of those it may be."""
    body: dict[str, Any] = json.loads(payload)
    code, message = body.get("code"), body.get("message")
    if code not in _REFUSALS or not isinstance(message, str):
        raise PlatformFault(f"the sandbox refused an output in an unknown way: {payload[:200]!r}")
    return JobError(JobCode(code), message)
