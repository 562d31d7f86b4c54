"""What health looks like outside."""

from enum import StrEnum

import msgspec


class PlatformStatus(StrEnum):
    """The platform as a whole."""

    OK = "ok"
    STARTING = "starting"
    DEGRADED = "degraded"
    DOWN = "down"


class Health(msgspec.Struct, frozen=True):
    """The whole, and each part: `ok`, `starting` or `down: why`."""

    status: PlatformStatus
    components: dict[str, str]
