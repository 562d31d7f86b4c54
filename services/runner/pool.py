"""Sandboxes that wait with a loaded model: one set for each version and tenant, never shared between two tenants.

A job takes a waiting sandbox, or one that is just becoming ready, or opens one. Idle sandboxes go after a while, and
the least recently used ones earlier when there are too many or the host runs low on memory.
"""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import aiodocker
import msgspec
import psutil
import structlog
from prometheus_client import Counter as Count
from prometheus_client import Gauge

from shared.codes import JobCode
from shared.errors import JobError, PlatformFault
from shared.sandbox import JobRequest, Outcome, SandboxSpec, Session, open_session, run_once, smoke_png
from shared.sandbox.engine import to_the_end
from shared.settings import MIB
from shared.statuses import Isolation

log = structlog.get_logger()

TEND_EVERY_S = 2.0
MEMORY_RESERVE = 0.10
"""Share of the host's memory that stays free: below it idle sandboxes go."""
JOBS_MAX = 5_000
"""Jobs that one sandbox takes at the most: whatever its model leaks goes with it."""

waiting = Gauge("clinai_sandboxes_waiting", "Loaded sandboxes without a job")
taken = Count("clinai_sandboxes_taken_total", "Jobs by how they got their sandbox", ["how"])


class Whose(NamedTuple):
    """One tenant's use of one version."""

    tenant: UUID
    version: UUID


class Key(msgspec.Struct, frozen=True):
    """Who may use a sandbox: one tenant, for one image."""

    tenant: UUID
    version: UUID
    digest: str

    @property
    def whose(self) -> Whose:
        """The key without the image."""
        return Whose(self.tenant, self.version)


class _Sandbox:
    """An open container with its session."""

    def __init__(self, key: Key, session: Session, stack: AsyncExitStack, gone: Callable[[], None]) -> None:
        self.key = key
        self.session = session
        self.jobs = 0
        self.warmed = False
        self.used_at = time.monotonic()
        self._stack = stack
        self._gone = gone

    async def close(self) -> None:
        """Remove the container; what the engine does not do now is done by its labels at the next start."""
        gone, self._gone = self._gone, lambda: None
        gone()
        with suppress(Exception):
            await self._stack.aclose()


class SandboxPool:
    """Runs jobs in waiting sandboxes; `tend()` runs beside it, `close()` removes them all."""

    def __init__(self, docker: aiodocker.Docker, folder: Path, *, size: int, idle_s: float) -> None:
        self._docker = docker
        self._size = size
        self._idle_s = idle_s
        self._idle: dict[Key, list[_Sandbox]] = {}
        self._coming: dict[Key, list[asyncio.Future[_Sandbox | None]]] = {}
        """Sandboxes that will be free soon and are promised to nobody."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.held: Counter[Whose] = Counter()
        """Sandboxes that are open or opening: idle, at work, or promised."""
        self.changed = asyncio.Event()
        """Set when a first sandbox of somebody's comes or a last one goes."""
        self._folder = folder / "warm-up"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._picture = self._folder / "picture.png"
        self._picture.write_bytes(smoke_png())

    @property
    def keeps(self) -> bool:
        """Whether sandboxes wait at all; without, each job gets one of its own."""
        return self._size > 0

    async def run(
        self,
        key: Key,
        spec: SandboxSpec,
        job: JobRequest,
        *,
        warm_up: dict[str, Any] | None,
        outputs_dir: Path,
        on_log: Callable[[str], None],
    ) -> Outcome:
        """Run one job as its isolation says; never raises for the model's fault. Raises PlatformFault.

        `warm_up` are the parameters of a run that the model may do once beforehand; None where that is not wanted.
        """
        if spec.isolation is Isolation.CONTAINER:
            taken.labels("container").inc()
            return await run_once(self._docker, spec, job, outputs_dir=outputs_dir, on_log=on_log)
        began = time.perf_counter()
        try:
            sandbox = await self._take(key, spec)
        except JobError as error:  # the kernel killed it for memory before it could say hello
            return Outcome(code=JobCode(error.code), message=error.message)
        took_ms = round((time.perf_counter() - began) * 1000, 2)
        try:
            outcome = await sandbox.session.answer(job, outputs_dir=outputs_dir, on_log=on_log)
        except BaseException:
            await to_the_end(sandbox.close())
            raise
        self._spawn(self._settle(sandbox, self._announce(key), warm_up))
        outcome.timings = {"container": took_ms, **outcome.timings}
        return outcome

    def is_free(self, whose: Whose) -> bool:
        """Whether a loaded sandbox of theirs waits for a job, or will in a moment."""
        return any(key.whose == whose for key in (*self._idle, *self._coming))

    def prewarm(self, key: Key, spec: SandboxSpec, warm_up: dict[str, Any] | None) -> None:
        """Open a sandbox before the first job comes, unless there is one or no room for one."""
        if spec.isolation is Isolation.CONTAINER or self._count() >= self._size or self._scarce():
            return
        if self._idle.get(key) or self._coming.get(key):
            return
        coming = self._announce(key)

        async def open_one() -> None:
            sandbox: _Sandbox | None = None
            try:
                sandbox = await self._open(key, spec)
                if warm_up is not None and not await self._warm_up(sandbox, warm_up):
                    await sandbox.close()
                    sandbox = None
            except (PlatformFault, JobError) as error:
                log.info("not prewarmed", version=str(key.version), reason=error.message)
            finally:
                self._arrive(key, coming, sandbox)

        self._spawn(open_one())

    async def tend(self) -> None:
        """Retire sandboxes that nobody uses; runs for ever."""
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            now = time.monotonic()
            for sandbox in [s for group in self._idle.values() for s in group]:
                if now - sandbox.used_at > self._idle_s:
                    self._retire(sandbox)
            while self._scarce() and (oldest := self._oldest()) is not None:
                log.info("memory is scarce; an idle sandbox goes", version=str(oldest.key.version))
                self._remove(oldest)
                await oldest.close()

    async def close(self) -> None:
        """Remove every waiting sandbox; those at work are removed when their job ends."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        sandboxes = [s for group in self._idle.values() for s in group]
        self._idle.clear()
        waiting.set(0)
        await asyncio.gather(*[s.close() for s in sandboxes])
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- taking and giving back -----------------------------------------------------------------------------------

    async def _take(self, key: Key, spec: SandboxSpec) -> _Sandbox:
        while True:
            if group := self._idle.get(key):
                sandbox = group[-1]
                self._remove(sandbox)
                taken.labels("warm").inc()
                return sandbox
            if not (coming := self._coming.get(key)):
                break
            promised = coming.pop(0)
            if (arriving := await promised) is not None:
                taken.labels("awaited").inc()
                return arriving
        while self._count() >= self._size and (oldest := self._oldest()) is not None:
            self._retire(oldest)
        taken.labels("cold").inc()
        return await self._open(key, spec)

    async def _open(self, key: Key, spec: SandboxSpec) -> _Sandbox:
        stack = AsyncExitStack()
        self._hold(key.whose, 1)
        try:
            session = await stack.enter_async_context(open_session(self._docker, spec))
            await session.load()
        except BaseException:
            self._hold(key.whose, -1)
            await stack.aclose()
            raise
        return _Sandbox(key, session, stack, lambda: self._hold(key.whose, -1))

    def _hold(self, whose: Whose, more: int) -> None:
        before = self.held[whose]
        self.held[whose] += more
        if not self.held[whose]:
            del self.held[whose]
        if not before or whose not in self.held:
            self.changed.set()

    async def _settle(
        self, sandbox: _Sandbox, coming: "asyncio.Future[_Sandbox | None]", warm_up: dict[str, Any] | None
    ) -> None:
        """Await that nothing of the job is left, which has its answer already, and give the sandbox to the next."""
        session, fit = sandbox.session, False
        try:
            await session.settled()
            sandbox.jobs += 1
            fit = not session.spent and sandbox.jobs < JOBS_MAX
            if fit and warm_up is not None and not sandbox.warmed and session.loaded:
                fit = await self._warm_up(sandbox, warm_up)
        except BaseException:
            fit = False
            raise
        finally:
            self._arrive(sandbox.key, coming, sandbox if fit else None)
            if not fit:
                await to_the_end(sandbox.close())

    async def _warm_up(self, sandbox: _Sandbox, params: dict[str, Any]) -> bool:
        """Have the loaded process run our picture; False when the sandbox is of no use afterwards."""
        job = JobRequest(input_path=self._picture, input_name="image.png", params=params, inside=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as outputs:
            try:
                await sandbox.session.run(job, outputs_dir=Path(outputs), on_log=lambda _: None)
            except PlatformFault as fault:
                log.info("not warmed up", version=str(sandbox.key.version), reason=fault.message)
                return False
        sandbox.warmed = True
        # threads that the picture started would not survive a fork
        forks = sandbox.session.threads == 1 or sandbox.session.isolation is not Isolation.FORK
        return forks and not sandbox.session.spent

    def _announce(self, key: Key) -> "asyncio.Future[_Sandbox | None]":
        coming: asyncio.Future[_Sandbox | None] = asyncio.get_running_loop().create_future()
        self._coming.setdefault(key, []).append(coming)
        return coming

    def _arrive(self, key: Key, coming: "asyncio.Future[_Sandbox | None]", sandbox: _Sandbox | None) -> None:
        unclaimed = coming in self._coming.get(key, [])
        if unclaimed:
            self._coming[key].remove(coming)
        if not self._coming.get(key):
            self._coming.pop(key, None)
        if unclaimed or coming.cancelled():
            if sandbox is not None:
                self._put(sandbox)
        else:
            coming.set_result(sandbox)

    def _put(self, sandbox: _Sandbox) -> None:
        if self._closed:
            self._spawn(sandbox.close())
            return
        sandbox.used_at = time.monotonic()
        self._idle.setdefault(sandbox.key, []).append(sandbox)
        waiting.inc()

    def _remove(self, sandbox: _Sandbox) -> None:
        group = self._idle[sandbox.key]
        group.remove(sandbox)
        if not group:
            del self._idle[sandbox.key]
        waiting.dec()

    def _retire(self, sandbox: _Sandbox) -> None:
        self._remove(sandbox)
        self._spawn(sandbox.close())

    def _oldest(self) -> _Sandbox | None:
        return min((s for group in self._idle.values() for s in group), key=lambda s: s.used_at, default=None)

    def _count(self) -> int:
        return sum(map(len, self._idle.values())) + sum(map(len, self._coming.values()))

    def _scarce(self) -> bool:
        memory = psutil.virtual_memory()
        return bool(memory.available < memory.total * MEMORY_RESERVE)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def pool_size(configured: int, memory_bytes: int = 512 * MIB) -> int:
    """How many waiting sandboxes this host keeps: half of its memory at what a loaded CV model commonly takes."""
    return configured if configured >= 0 else max(1, int(psutil.virtual_memory().total * 0.5 / memory_bytes))
