"""Locks of the last minutes: the same requirements are resolved once, and once only when two builds ask together.

Only a lock that is wheels of an index is kept: resolving it ran no code of a package, and it follows from the text of
the requirements and the index alone. An index says of its own pages for how long they may be taken as they were (PyPI:
10 minutes); a lock is kept no longer than that.
"""

import asyncio
import hashlib
import time
from typing import ClassVar
from weakref import WeakValueDictionary

from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build
from services.builder.index import IndexAccess
from services.builder.lock import Lock
from services.builder.resolve import Requirements, resolve
from shared.settings import Group

KEPT = 1000
"""Locks in memory at once; each has a few kilobytes."""


class Resolution(Group, frozen=True, kw_only=True):
    """How long what was resolved counts."""

    prefix: ClassVar[str] = "CLINAI_RESOLUTION_"
    max_age_s: float = 600.0
    """The same requirements get the same lock for so long, without asking the index; 0: each build asks."""


class Resolutions:
    """Resolves for the builds of one builder."""

    def __init__(self, bases: Bases, access: IndexAccess, limits: Resolution) -> None:
        self._bases = bases
        self._access = access
        self._max_age_s = limits.max_age_s
        self._locks: dict[str, tuple[float, Lock]] = {}
        self._resolving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def lock(self, build: Build, base: BaseImage, requirements: Requirements) -> Lock:
        """Pin every requirement with its hashes. Raises BuildError (RESOLUTION_FAILED, BUILD_TOO_LARGE)."""
        if requirements.empty or requirements.needs_sources or requirements.installed or not self._max_age_s:
            return await resolve(build, self._bases, base, self._access, requirements)
        key = await asyncio.to_thread(_key, base, requirements)
        resolving = self._resolving.setdefault(key, asyncio.Lock())
        if resolving.locked():
            build.say("Another build is resolving the same requirements; waiting for it")
        async with resolving:
            if (known := self._fresh(key)) is not None:
                build.say(f"Resolved within the last {self._max_age_s:g} s: {len(known.wheels)} packages")
                return known
            lock = await resolve(build, self._bases, base, self._access, requirements)
            if lock.wheels:
                self._keep(key, lock)
        return lock

    def forget(self, lock: Lock) -> None:
        """Resolve anew next time: something that this lock names could not be installed."""
        for key in [key for key, (_, known) in self._locks.items() if known is lock]:
            del self._locks[key]

    def _fresh(self, key: str) -> Lock | None:
        resolved_at, lock = self._locks.get(key, (float("-inf"), None))
        return lock if time.monotonic() - resolved_at < self._max_age_s else None

    def _keep(self, key: str, lock: Lock) -> None:
        if len(self._locks) >= KEPT:
            del self._locks[next(iter(self._locks))]
        self._locks.pop(key, None)
        self._locks[key] = (time.monotonic(), lock)


def _key(base: BaseImage, requirements: Requirements) -> str:
    """Name everything that decides a lock but the index and its settings, which are this process's."""
    digest = hashlib.sha256(f"{base.id}\0{base.python}".encode())
    for name in sorted(requirements.files):
        raw = (requirements.folder / name).read_bytes()
        digest.update(f"\0{len(name)}\0{name}\0{len(raw)}\0".encode() + raw)
    return digest.hexdigest()
