"""The smoke test: a 256x256 RGB image through the sandbox, as a job would go (design, section 8)."""

import struct
import zlib
from functools import cache
from typing import Any

from services.builder.build import Build
from shared.codes import BuildCode, JobCode
from shared.errors import BuildError, PlatformFault
from shared.sandbox import JobRequest, SandboxSpec, run_once
from shared.settings import MIB

SIDE = 256


async def smoke_test(
    build: Build, *, timeout_s: float | None, memory_bytes: int | None, params: dict[str, Any]
) -> None:
    """Run the picture through the model as a job would; `params` are the declared defaults.

    Raises BuildError (SMOKE_TEST_FAILED) whose message begins with the code of the job's end.
    """
    limits = build.parts.limits
    picture, outputs = build.folder / "smoke.png", build.folder / "smoke-outputs"
    picture.write_bytes(smoke_png())
    outputs.mkdir()
    spec = SandboxSpec(
        image=build.reference,
        memory_bytes=memory_bytes or limits.memory_bytes,
        cpus=limits.cpus,
        tmp_bytes=limits.tmp_bytes,
        processes=limits.processes,
        timeout_s=timeout_s or limits.job_s,
        input_bytes=MIB,
        output_bytes=limits.output_bytes,
        output_files=limits.output_files,
        result_bytes=limits.result_bytes,
        log_bytes=limits.job_log_bytes,
        message_bytes=limits.message_bytes,
        runtime=build.parts.engine.sandbox_runtime,
        labels={**build.labels, "clinai.kind": "sandbox"},
    )
    job = JobRequest(input_path=picture, input_name="image.png", params=params)
    outcome = await run_once(build.parts.docker, spec, job, outputs_dir=outputs, on_log=build.say)
    if outcome.code is not None:
        if outcome.code is JobCode.PLATFORM_ERROR:
            raise PlatformFault(f"smoke test: {outcome.message}")
        raise BuildError(BuildCode.SMOKE_TEST_FAILED, f"{outcome.code}: {outcome.message}")
    took = ", ".join(f"{name} {ms:.0f} ms" for name, ms in outcome.timings.items())
    build.say(f"The model answered with {_summary(outcome.result, len(outcome.outputs))} ({took})")


def _summary(result: dict[str, Any] | None, files: int) -> str:
    keys = ", ".join(sorted(result)[:8]) if result else "nothing"
    return f"{files} file{'' if files == 1 else 's'} and a result with {keys}"


@cache
def smoke_png() -> bytes:
    """Return a PNG with colour gradients, edges and a disc, so that filters and detectors have something to see."""
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)  # filter: none
        for x in range(SIDE):
            disc = (x - 96) ** 2 + (y - 112) ** 2 < 56**2
            checks = x > 168 and y > 168 and (x // 8 + y // 8) % 2 == 0
            rows += bytes((255, 255 - y, 64) if disc else (16, 16, 16) if checks else (x, y, 255 - (x + y) // 2))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
