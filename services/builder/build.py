"""One build under way: its log, its phases and what the database is told about them once a second."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from shared import transitions
from shared.background import background
from shared.crashpoints import crashpoint
from shared.errors import WorkError
from shared.livelog import LiveLog
from shared.service import Parts
from shared.worker import Claim

log = structlog.get_logger()

NOTE_EVERY_S = 1.0
HEADINGS = {
    "fetch": "Fetching the package",
    "check": "Checking the package",
    "resolve": "Resolving requirements",
    "dependencies": "Installing requirements",
    "weights": "Fetching weights",
    "image": "Making the image",
    "smoke_test": "Smoke test: a 256x256 image through the sandbox",
    "push": "Pushing to the registry",
}


def image_reference(parts: Parts, claim: Claim) -> str:
    """Name of the image that one epoch of a version makes."""
    return f"{parts.engine.registry}/clinai/model-{claim.id}:{claim.epoch}"


def log_key(claim: Claim) -> str:
    """Where the whole log of one epoch is stored."""
    return f"logs/versions/{claim.id}/{claim.epoch}.log"


class Build:
    """What the steps of one build share."""

    def __init__(self, parts: Parts, claim: Claim, folder: Path, sink: LiveLog) -> None:
        self.parts = parts
        self.claim = claim
        self.folder = folder
        self.phases: list[dict[str, Any]] = []
        self.reference = image_reference(parts, claim)
        self.lock: str | None = None
        """Resolved requirements; kept with a version that fails later, too."""
        self.dependencies: str | None = None
        """The dependency image that this build stands on, once its name is known."""
        self.about: dict[str, Any] | None = claim.row["package_info"]
        """What is known of the package: `package_info`."""
        self.keeping: asyncio.Task[None] | None = None
        """The package on its way to where it is kept; awaited before the build ends."""
        self.kept = False
        """The package is where it is kept, and the row may say so."""
        self.writing = asyncio.Lock()
        """Held while the row is told of the package: what is written last is what is known last."""
        self.removals: list[asyncio.Task[None]] = []
        """Containers on their way out; awaited before the build ends."""
        self._sink = sink
        self._noted: tuple[str, str] | None = None
        self._closed = False

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything this build makes in the engine."""
        return {
            "clinai.instance": self.parts.instance.instance,
            "clinai.kind": "build",
            "clinai.version": str(self.claim.id),
            "clinai.epoch": str(self.claim.epoch),
            "clinai.worker": self.parts.worker,
        }

    @property
    def tail(self) -> str:
        """The last lines of the log."""
        return self._sink.tail

    @property
    def phase_name(self) -> str:
        """The phase under way, or the last one."""
        return self.phases[-1]["name"] if self.phases else "start"

    def say(self, line: str) -> None:
        """Write a line for the owner of the version; once the log is closed, to nobody."""
        if not self._closed:
            self._sink.write(line)

    async def kept_if_it_can_be(self) -> None:
        """Wait for the package to be kept, whatever else has failed. Raises what a part of the platform raised."""
        if self.keeping is not None:
            await asyncio.wait([self.keeping])
            error = None if self.keeping.cancelled() else self.keeping.exception()
            if error is not None and not isinstance(error, WorkError):
                raise error

    async def settle(self) -> None:
        """Wait until nothing of the build goes on beside it; what is still being kept is not waited for."""
        beside = [*self.removals, *([self.keeping] if self.keeping else [])]
        if self.keeping is not None:
            self.keeping.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    async def finish_log(self) -> Path:
        """Close the log and return its file; nothing can be said after that. May be called twice."""
        self._closed = True
        await self._sink.flush()
        return self._sink.path

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Head the log with the phase and measure it; it counts also when it fails."""
        crashpoint(f"version.{name}")
        started = time.perf_counter()
        entry: dict[str, Any] = {
            "name": name,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "ms": None,
        }
        self.phases.append(entry)
        self.say(f"== {HEADINGS[name]}")
        try:
            yield
        finally:
            entry["ms"] = round((time.perf_counter() - started) * 1000, 1)

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[None]:
        """Keep the row's log tail and phases fresh while the block runs."""
        async with background(self._note_forever(), "note"):
            yield

    async def _note_forever(self) -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            state = (self.tail, repr(self.phases))
            if state == self._noted:
                continue
            try:
                await transitions.note(
                    self.parts.pool,
                    "note_version",
                    id=self.claim.id,
                    epoch=self.claim.epoch,
                    build_logs=self.tail,
                    phases=self.phases,
                )
                self._noted = state
            except Exception as error:
                log.warning("progress not noted", error=repr(error))
