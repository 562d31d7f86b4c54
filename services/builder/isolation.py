"""Which isolation a version is fit for, found by trying (design, section 9): `fork`, else `warm`, else `container`."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiodocker
import msgspec

from shared.errors import JobError
from shared.sandbox import JobRequest, Outcome, SandboxSpec, Session, open_session
from shared.statuses import Isolation


class Fitness(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's jobs may use; kept as `package_info.sandbox`."""

    isolation: Isolation
    warm_up: bool = False
    """The loaded process may run our picture once, before jobs are forked from it."""
    reason: str
    """Why, for the build's log."""

    @property
    def about(self) -> dict[str, Any]:
        """Plain JSON for the version's row."""
        return {"isolation": self.isolation, "warm_up": self.warm_up}


class Trial:
    """Tries one image with one picture; what the model prints and writes here is dropped."""

    def __init__(self, docker: aiodocker.Docker, spec: SandboxSpec, job: JobRequest, folder: Path) -> None:
        self._docker = docker
        self._spec = spec
        self._job = job
        self._folder = folder

    async def fitness(self, asked: Isolation | None) -> Fitness:
        """Find the best isolation that works, at most what was asked for. The model is known to run in a container.

        Raises PlatformFault.
        """
        if asked is Isolation.CONTAINER:
            return Fitness(isolation=asked, reason="clinai.toml asks for a container a job")
        why = "clinai.toml asks for warm"
        if asked is not Isolation.WARM:
            found = await self._try(Isolation.FORK, self._fork)
            if isinstance(found, Fitness):
                return found
            why = found
        found = await self._try(Isolation.WARM, self._warm)
        if isinstance(found, Fitness):
            return msgspec.structs.replace(found, reason=f"{why}; one process takes one job after the other")
        return Fitness(
            isolation=Isolation.CONTAINER, reason=f"{why}, and {found}; each job gets a container of its own"
        )

    async def _try(self, isolation: Isolation, how: "Callable[[Session], Any]") -> Fitness | str:
        try:
            async with open_session(self._docker, msgspec.structs.replace(self._spec, isolation=isolation)) as session:
                await session.load()
                found: Fitness | str = await how(session)
                return found
        except JobError as error:
            return f"a loaded process ends with {error.code}"

    async def _fork(self, session: Session) -> Fitness | str:
        first = await self._run(session)
        if session.threads > 1:
            return f"predict.py starts {session.threads - 1} threads when it is loaded, which do not survive a fork"
        if first.code is not None:
            return f"a process forked from the loaded one ends with {first.code}"
        if not session.loaded:
            return "a job changes what setup() left in /tmp"
        warmed = await self._run(session, inside=True)
        again = await self._run(session) if warmed.code is None and session.threads == 1 and session.loaded else None
        return Fitness(
            isolation=Isolation.FORK,
            warm_up=again is not None and again.code is None,
            reason="the model is loaded once, and each job is a process forked from it",
        )

    async def _warm(self, session: Session) -> Fitness | str:
        for what in ("a first", "a second"):
            ended = await self._run(session)
            if ended.code is not None:
                return f"{what} job in one process ends with {ended.code}"
            if not session.loaded:
                return f"{what} job in one process changes what setup() left in /tmp"
        return Fitness(isolation=Isolation.WARM, reason="")

    async def _run(self, session: Session, *, inside: bool = False) -> Outcome:
        self._folder.mkdir()
        try:
            job = msgspec.structs.replace(self._job, inside=inside)
            return await session.run(job, outputs_dir=self._folder, on_log=lambda _: None)
        finally:
            shutil.rmtree(self._folder)
