"""A loaded model that does what each job tells it, and a way to run several jobs in its sandbox."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import aiodocker

from shared.sandbox import JobRequest, SandboxSpec, Session, open_session
from tests.hostile.conftest import INPUT, Ran

MODEL = """
import os, pathlib, time
pathlib.Path("/tmp/made-by-setup").write_text("mine")
LOADED_AT = time.monotonic()
def run(input_path, output_dir, params):
    scope = {"LOADED_AT": LOADED_AT}
    exec(compile(params["code"], "/app/trick.py", "exec"), scope)
    return scope["run"](input_path, output_dir)
"""
OK = "def run(i, o):\n    return {'loaded_at': LOADED_AT}"


class Warm:
    """A session and a way to run code in it."""

    def __init__(self, session: Session, folder: Path, runtime: str = "") -> None:
        self.session = session
        self.runtime = runtime
        self._folder = folder

    async def run(self, code: str, *, inside: bool = False, settle: bool = True) -> Ran:
        folder = self._folder / secrets.token_hex(4)
        (folder / "outputs").mkdir(parents=True)
        (folder / "input").write_bytes(INPUT)
        log: list[str] = []
        job = JobRequest(
            input_path=folder / "input", input_name="image.png", params={"code": dedent(code)}, inside=inside
        )
        run = self.session.run if settle else self.session.answer
        outcome = await run(job, outputs_dir=folder / "outputs", on_log=log.append)
        return Ran(outcome, log, {o.name: o.path.read_bytes() for o in outcome.outputs})


@asynccontextmanager
async def opened(docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path) -> AsyncIterator[Warm]:
    async with open_session(docker, spec) as session:
        await session.load()
        yield Warm(session, tmp_path, spec.runtime)


async def loaded_at(warm: Warm) -> float:
    ran = await warm.run(OK)
    ran.ended(None)
    assert ran.outcome.result
    found: float = ran.outcome.result["loaded_at"]
    return found
