"""Passwords: argon2id in threads, a few at a time.

The parameters are the ones OWASP's Password Storage Cheat Sheet recommends (19 MiB, 2 passes, 1 lane): a sixth of the
CPU time of the library's default, which two cores that also build and run models would feel at every login. No more
run at once than there are cores, and the queue before them is bounded: a flood is refused instead of filling memory.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TypeVar

import argon2

from shared.errors import RateLimited

MIN_CHARACTERS, MAX_CHARACTERS = 8, 1024
AT_ONCE = max(1, os.cpu_count() or 1)
QUEUE = 64
T = TypeVar("T")


class Passwords:
    """Hashes and checks; one for the process."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash to keep."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Tell whether the password is right; no hash (an unknown user) takes the same time and is never right."""
        right = await self._run(lambda: self._verify(hashed or self._nobody, password))
        return right and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hashed)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password has: of random bytes that are thrown away."""
        return self._hasher.hash(os.urandom(32))

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._slot():
            return await asyncio.to_thread(work)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= QUEUE:
            raise RateLimited("Too many people sign in right now; try again.", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()
