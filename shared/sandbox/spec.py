"""What a caller asks of the sandbox and what it gets back."""

from pathlib import Path
from typing import Any

import msgspec

from shared.codes import JobCode
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
