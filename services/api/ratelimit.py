"""Rate limits: a moving window a key, in this process's memory.

Each replica counts for itself, so N replicas allow up to N times as much; the edge in front keeps a client's
connection on one replica for its life. Keys that have fallen silent are forgotten.
"""

import math
import time
from collections import deque
from collections.abc import Callable

from shared.errors import RateLimited

FORGET_EVERY = 4096
"""So many hits between two rounds that forget silent keys."""


class MovingWindow:
    """At most `amount` hits of one key in any `window_s` seconds. `amount` 0 means no limit."""

    def __init__(self, what: str, amount: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._amount = amount
        self._window_s = window_s
        self._clock = clock
        self._hits: dict[str, deque[float]] = {}
        self._since_forget = 0

    def check(self, key: str) -> None:
        """Raise RateLimited with Retry-After when the key has no hit left; counts nothing."""
        if self._amount <= 0 or (hits := self._hits.get(key)) is None:
            return
        self._drop_old(hits)
        if len(hits) >= self._amount:
            wait_s = max(1, math.ceil(hits[0] + self._window_s - self._clock()))
            raise RateLimited(
                f"Too many {self._what}: at most {self._amount} in {self._window_s:g} s; try again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )

    def count(self, key: str) -> None:
        """Count a hit, whatever `check` would say."""
        if self._amount <= 0:
            return
        self._forget()
        hits = self._hits.setdefault(key, deque(maxlen=self._amount))
        hits.append(self._clock())

    def hit(self, key: str) -> None:
        """Count a hit; raises RateLimited, and counts nothing, when there is none left."""
        self.check(key)
        self.count(key)

    def clear(self, key: str) -> None:
        """Forget a key's hits."""
        self._hits.pop(key, None)

    def _drop_old(self, hits: deque[float]) -> None:
        start = self._clock() - self._window_s
        while hits and hits[0] <= start:
            hits.popleft()

    def _forget(self) -> None:
        self._since_forget += 1
        if self._since_forget < FORGET_EVERY:
            return
        self._since_forget = 0
        start = self._clock() - self._window_s
        for key in [key for key, hits in self._hits.items() if not hits or hits[-1] <= start]:
            del self._hits[key]
