"""A group: measurements that share a platform, chosen by name (`make bench A="--only builds,frames"`)."""

import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bench.numbers import Number
from tests.platforms import TestPlatform

LOADED: Mapping[str, str] = {
    "CLINAI_WARM_SANDBOXES": "-1",
    "CLINAI_REQUESTS_PER_SECOND": "100000",
    "CLINAI_REGISTER_PER_MINUTE": "10000",
}
"""A platform that is to be loaded by one user: sandboxes wait, and the limits of one user are out of the way."""


def say(text: str) -> None:
    """Progress, beside the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass
class Bench:
    """What a group measures with."""

    platform: TestPlatform
    scale: float = 1.0
    kept: dict[str, Any] = field(default_factory=dict)
    """What groups on the same platform leave for each other, such as a version that is built."""

    def times(self, count: int) -> int:
        """How often to do what is done `count` times by default; `--scale` stretches it."""
        return max(1, round(count * self.scale))

    @property
    def docker(self) -> list[str]:
        """The `docker` that talks to the platform's engine."""
        return ["docker", "--host", self.platform.env["CLINAI_DOCKER_HOST"]]


@dataclass(frozen=True)
class Group:
    """One row of `--list`. `measure` gets a started platform; when it raises, only its own numbers are missing."""

    name: str
    about: str
    measure: Callable[[Bench], Coroutine[Any, Any, list[Number]]]
    settings: Mapping[str, str] = field(default_factory=lambda: LOADED)
    alone: bool = False
    """On a platform that nothing has used before and nothing uses after; else groups with equal settings share one."""
    asked: bool = False
    """Runs only when it is named."""
