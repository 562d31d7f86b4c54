"""What a sandbox costs: from the first byte of a job sent to its outputs here, less the model's own time inside."""

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiodocker
import msgspec
import structlog

from shared import settings
from shared.engine import open_engine
from shared.sandbox import JobRequest, Outcome, SandboxSpec, Session, open_session, run_once
from shared.settings import MIB, Engine, Limits
from shared.statuses import Isolation
from tests.bench.group import Bench, say
from tests.bench.numbers import Number, percentile
from tests.bench.pictures import photo
from tests.bench.sides import PACKAGE
from tests.client import Client
from tests.conftest import make_zip

TIMED = """
import time
import gray
def run(input_path, output_dir):
    began = time.perf_counter()
    gray.run(input_path, output_dir)
    return {"ms": (time.perf_counter() - began) * 1000}
"""
WARM_UP = 5
REST_S, GVISOR_REST_S = 0.02, 0.5
"""Between two jobs of a sandbox, so that the next one finds it prepared; under gVisor each fork takes long."""


class Sample(msgspec.Struct, frozen=True):
    """One job, in milliseconds."""

    whole: float
    model: float

    @property
    def overhead(self) -> float:
        """What is not the model's own time."""
        return self.whole - self.model


class Sandbox:
    """Runs the timed gray model again and again, as one isolation says, under one runtime."""

    def __init__(self, docker: aiodocker.Docker, spec: SandboxSpec, session: Session | None, folder: Path) -> None:
        self._docker = docker
        self._spec = spec
        self._session = session
        self._folder = folder
        self._picture = folder / "picture.png"
        self._picture.write_bytes(photo())

    async def sample(self, *, inside: bool = False) -> Sample:
        """Run one job; the clock stands as soon as its outputs are on this host."""
        job = JobRequest(input_path=self._picture, input_name="image.png", inside=inside)
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            began = time.perf_counter()
            outcome = await self._run(job, Path(name))
            whole = (time.perf_counter() - began) * 1000
        if outcome.code is not None or outcome.result is None or len(outcome.outputs) != 1:
            raise RuntimeError(f"the gray model ended with {outcome}")
        if self._session is not None:
            await self._session.settled()
            await asyncio.sleep(GVISOR_REST_S if self._spec.runtime else REST_S)
        return Sample(whole, float(outcome.result["ms"]))

    async def _run(self, job: JobRequest, outputs: Path) -> Outcome:
        if self._session is None:
            return await run_once(self._docker, self._spec, job, outputs_dir=outputs, on_log=say)
        return await self._session.answer(job, outputs_dir=outputs, on_log=say)


@asynccontextmanager
async def sandbox(docker: aiodocker.Docker, image: str, isolation: Isolation, runtime: str) -> AsyncIterator[Sandbox]:
    """A sandbox that is warmed up, as the runner's are."""
    spec = SandboxSpec.within(
        Limits(),
        image=image,
        memory_bytes=None,
        timeout_s=None,
        input_bytes=MIB,
        isolation=isolation,
        runtime=runtime,
        labels={"clinai.instance": "bench"},
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clinai-bench-")))
        session = None
        if isolation is not Isolation.CONTAINER:
            session = await stack.enter_async_context(open_session(docker, spec))
            await session.load()
        found = Sandbox(docker, spec, session, folder)
        if session is not None:
            await found.sample(inside=True)
            for _ in range(WARM_UP):
                await found.sample()
        yield found


async def measure_sandbox(bench: Bench) -> list[Number]:
    """Each isolation in turn, and `fork` and `warm` under gVisor beside runc where the engine has it."""
    # a line for each job would bury the progress
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    package: dict[str, str | bytes] = {**PACKAGE, "gray.py": PACKAGE["predict.py"], "predict.py": TIMED}
    async with Client(bench.platform.url) as client:
        version = await client.build(make_zip(package))
    engine = msgspec.structs.replace(settings.load(Engine), docker_host=bench.platform.env["CLINAI_DOCKER_HOST"])
    async with open_engine(engine) as docker, AsyncExitStack() as stack:
        image = version["docker_image"]
        ways = {
            isolation: await stack.enter_async_context(sandbox(docker, image, isolation, "")) for isolation in Isolation
        }
        taken: dict[Isolation, list[Sample]] = {isolation: [] for isolation in ways}
        for turn in range(bench.times(200)):
            for isolation, way in ways.items():
                if isolation is not Isolation.CONTAINER or turn % 20 == 0:
                    taken[isolation].append(await way.sample())
        found = [number for isolation, samples in taken.items() for number in _numbers(isolation, samples)]
        return found + await _under_gvisor(bench, docker, image, ways)


def _numbers(isolation: Isolation, samples: list[Sample]) -> list[Number]:
    overhead = [sample.overhead for sample in samples]
    beside = f"the model itself {statistics.median(sample.model for sample in samples):.1f} ms"
    name = f"sandbox overhead of a job, isolation {isolation}"
    if isolation is Isolation.CONTAINER:
        return [Number(name, "ms", overhead, beside=beside)]
    beside += f"; p10 {percentile(overhead, 10):.1f} ms"
    return [
        Number(name, "ms", overhead, goal=5.0, beside=beside),
        Number(name, "ms", overhead, goal=15.0, percent=99),
    ]


async def _under_gvisor(
    bench: Bench, docker: aiodocker.Docker, image: str, ways: dict[Isolation, Sandbox]
) -> list[Number]:
    runtime = next((name for name in (await docker.system.info())["Runtimes"] if "runsc" in name), "")
    if not runtime:
        say("this engine has no runtime runsc: gVisor is not measured (docs/operations.md says how to add it)")
        return []
    found = []
    for isolation in (Isolation.FORK, Isolation.WARM):
        async with sandbox(docker, image, isolation, runtime) as way:
            plain, ours = [], []
            for _ in range(bench.times(20)):
                plain.append(await ways[isolation].sample())
                ours.append(await way.sample())
        ratios = [a.whole / b.whole for a, b in zip(ours, plain, strict=True)]
        model = statistics.median(a.model / b.model for a, b in zip(ours, plain, strict=True))
        there, here = (statistics.median(sample.whole for sample in side) for side in (ours, plain))
        beside = f"{there:.0f} ms beside {here:.0f} ms; the model itself {model:.1f} x"
        name = f"a warm job under gVisor over runc's, isolation {isolation}"
        found.append(Number(name, "x", ratios, goal=2.0, beside=beside))
    return found
