"""What a caller asks of the sandbox and what it gets back."""

from pathlib import Path
from typing import Any

import msgspec

from shared.codes import JobCode
from shared.settings import Limits
from shared.statuses import Isolation


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox and its limits."""

    image: str
    """By digest or image id."""
    memory_bytes: int
    """The model's; the room of the tmpfs folders comes on top, since the kernel counts both together."""
    cpus: float
    tmp_bytes: int
    processes: int
    timeout_s: float
    """The model's time for load, setup() and run() of one job."""
    input_bytes: int
    """Capacity of /workspace/in."""
    output_bytes: int
    output_files: int
    result_bytes: int
    log_bytes: int
    message_bytes: int
    isolation: Isolation = Isolation.CONTAINER
    """Where the jobs of one sandbox run: a container takes one job, `fork` and `warm` one after the other."""
    runtime: str = ""
    """Engine runtime, e.g. `runsc`; empty: the engine's default."""
    labels: dict[str, str]

    @classmethod
    def within(
        cls,
        limits: Limits,
        *,
        image: str,
        memory_bytes: int | None,
        timeout_s: float | None,
        input_bytes: int,
        isolation: Isolation,
        runtime: str,
        labels: dict[str, str],
    ) -> "SandboxSpec":
        """Describe a sandbox by the platform's limits; memory and time are the version's own where it has any."""
        return cls(
            image=image,
            memory_bytes=memory_bytes or limits.memory_bytes,
            cpus=limits.cpus,
            tmp_bytes=limits.tmp_bytes,
            processes=limits.processes,
            timeout_s=timeout_s or limits.job_s,
            input_bytes=input_bytes,
            output_bytes=limits.output_bytes,
            output_files=limits.output_files,
            result_bytes=limits.result_bytes,
            log_bytes=limits.job_log_bytes,
            message_bytes=limits.message_bytes,
            isolation=isolation,
            runtime=runtime,
            labels=labels,
        )


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One input for the model."""

    input_path: Path
    input_name: str
    """Name in /workspace/in, e.g. `image.png`."""
    params: dict[str, Any] = {}
    inside: bool = False
    """Run in the loaded process itself, to have it pay for what a model does only once. For images of ours."""


class OutputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file the model wrote, now on this host under a name of ours."""

    name: str
    """Relative to output_dir, e.g. `extra/mask.png`."""
    path: Path
    size: int
    sha256: str


class Outcome(msgspec.Struct, kw_only=True):
    """How a job ended; `code` is None when it succeeded."""

    result: dict[str, Any] | None = None
    outputs: list[OutputFile] = []
    timings: dict[str, float] = {}
    """Milliseconds, not overlapping: container, load, run, collect, close."""
    code: JobCode | None = None
    message: str = ""
    log_truncated: bool = False
    peak_memory_bytes: int = 0
