"""The smoke test: a 256x256 RGB image through the sandbox, as a job would go (design, section 8)."""

from typing import Any

from services.builder.build import Build
from services.builder.isolation import Fitness, Trial
from shared.codes import BuildCode, JobCode
from shared.errors import BuildError, PlatformFault
from shared.sandbox import JobRequest, SandboxSpec, run_once, smoke_png
from shared.settings import MIB
from shared.statuses import Isolation


async def smoke_test(
    build: Build,
    *,
    timeout_s: float | None,
    memory_bytes: int | None,
    isolation: str | None,
    params: dict[str, Any],
) -> Fitness:
    """Run the picture through the model as a job would, and find out how its jobs can be kept apart.

    `params` are the declared defaults, `isolation` what clinai.toml asks for. Raises BuildError (SMOKE_TEST_FAILED)
    whose message begins with the code of the job's end.
    """
    picture, outputs = build.folder / "smoke.png", build.folder / "smoke-outputs"
    picture.write_bytes(smoke_png())
    outputs.mkdir()
    spec = SandboxSpec.within(
        build.parts.limits,
        image=build.reference,
        memory_bytes=memory_bytes,
        timeout_s=timeout_s,
        input_bytes=MIB,
        isolation=Isolation.CONTAINER,
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
    trial = Trial(build.parts.docker, spec, job, build.folder / "trial-outputs")
    found = await trial.fitness(Isolation(isolation) if isolation else None)
    build.say(f"Isolation {found.isolation}: {found.reason}")
    return found


def _summary(result: dict[str, Any] | None, files: int) -> str:
    keys = ", ".join(sorted(result)[:8]) if result else "nothing"
    return f"{files} file{'' if files == 1 else 's'} and a result with {keys}"
