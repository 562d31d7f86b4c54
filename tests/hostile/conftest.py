"""One tiny image whose model does what the job tells it, and a way to run it that checks nothing is left."""

import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiodocker
import msgspec
import pytest

from shared import settings
from shared.engine import open_engine
from shared.sandbox import JobRequest, Outcome, SandboxSpec, run_once
from shared.settings import MIB, load

BASE_IMAGE = "clinai/base:3.11"
INPUT = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4

OBEDIENT = """
def run(input_path, output_dir, params):
    scope = {}
    exec(compile(params["code"], "/app/trick.py", "exec"), scope)
    return scope["run"](input_path, output_dir)
"""


def runtimes() -> list[str]:
    """The engine's default runtime and, where it is configured, gVisor's."""
    info = subprocess.run(["docker", "info", "--format", "{{json .Runtimes}}"], capture_output=True, text=True)
    found = json.loads(info.stdout) if info.returncode == 0 and info.stdout.strip() else {}
    return ["", *(name for name in found or {} if "runsc" in name)]


class Ran(msgspec.Struct):
    """An outcome, with the log and the content of the outputs."""

    outcome: Outcome
    log: list[str]
    files: dict[str, bytes]

    def ended(self, code: str | None, *says: str) -> "Ran":
        """Check code and message."""
        assert (self.outcome.code, self.outcome.message if code is None else "") == (code, ""), (self.outcome, self.log)
        for words in says:
            assert words in self.outcome.message, self.outcome.message
        return self


Run = Callable[..., Awaitable[Ran]]
MakeImage = Callable[[dict[str, str]], Awaitable[str]]


@pytest.fixture(scope="session")
def instance() -> str:
    """Value of the instance label of this session's objects."""
    return f"hostile-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
async def docker() -> AsyncIterator[aiodocker.Docker]:
    async with open_engine(load(settings.Engine)) as client:
        yield client


@pytest.fixture(scope="session")
async def make_image(docker: aiodocker.Docker, instance: str) -> AsyncIterator[MakeImage]:
    """Make an image of the base and files in /app; return its id. They are removed at the end."""
    made: dict[str, str] = {}

    async def make(files: dict[str, str]) -> str:
        key = json.dumps(files)
        if key not in made:
            labels = {"clinai.instance": instance, "clinai.kind": "image"}
            config = {"Image": load(settings.Engine).base_image or BASE_IMAGE, "Cmd": ["/bin/true"], "Labels": labels}
            container = await docker.containers.create(config)
            try:
                await container.put_archive("/app", _tar(files))
                made[key] = (await container.commit())["Id"]
            finally:
                await container.delete(force=True)
        return made[key]

    yield make
    for image in made.values():
        await docker.images.delete(image, force=True)


@pytest.fixture(scope="session")
async def image(make_image: MakeImage) -> str:
    """The obedient model."""
    return await make_image({"predict.py": OBEDIENT})


@pytest.fixture
def spec(image: str, instance: str) -> SandboxSpec:
    """Small limits, so that each is quick to reach; a label of this test's own."""
    return SandboxSpec(
        image=image,
        memory_bytes=64 * MIB,
        cpus=1.0,
        tmp_bytes=8 * MIB,
        processes=24,
        timeout_s=4.0,
        input_bytes=MIB,
        output_bytes=4 * MIB,
        output_files=20,
        result_bytes=64 * 1024,
        log_bytes=64 * 1024,
        message_bytes=2048,
        labels={"clinai.instance": instance, "clinai.job": secrets.token_hex(8)},
    )


async def sandboxes(docker: aiodocker.Docker, spec: SandboxSpec) -> list[str]:
    """Containers of this test, in whatever state."""
    label = f"clinai.job={spec.labels['clinai.job']}"
    return [c.id for c in await docker.containers.list(all=1, filters=json.dumps({"label": [label]}))]


@pytest.fixture
def run(docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path) -> Run:
    """Run code (with a `run(input_path, output_dir)`) once and check that no container stays."""

    async def run(code: str = "", **changes: Any) -> Ran:
        data = changes.pop("data", INPUT)
        params = changes.pop("params", {"code": dedent(code)})
        this = msgspec.structs.replace(spec, **changes)
        folder = tmp_path / secrets.token_hex(4)
        (folder / "outputs").mkdir(parents=True)
        (folder / "input").write_bytes(data)
        log: list[str] = []
        job = JobRequest(input_path=folder / "input", input_name="image.png", params=params)
        outcome = await run_once(docker, this, job, outputs_dir=folder / "outputs", on_log=log.append)
        assert await sandboxes(docker, spec) == []
        assert all(output.path.parent == folder / "outputs" for output in outcome.outputs)
        return Ran(outcome, log, {o.name: o.path.read_bytes() for o in outcome.outputs if o.size < MIB})

    return run


def _tar(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()
