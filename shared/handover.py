"""Small inputs and outputs go from hand to hand, beside storage that keeps them (decision 21).

    gateway → runner   the input of a prediction, on `runner.input.<tenant>.<version>.<job>`; runners that have the
                       model loaded listen. The message's reply subject is where outputs are wanted, if they are.
    runner → gateway   each small output, before the end of its job is told

Core NATS, nothing stored, nothing waited for. Nothing depends on it either: bytes that do not arrive, or that are not
what the row's SHA-256 says, are read from storage.
"""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from nats.errors import Error as NatsError

from shared.bus import BusConnection
from shared.settings import KIB

INPUT_BYTES = 512 * KIB
"""A larger input is fetched from storage; half of what one message may have."""
OUTPUTS_BYTES = 256 * KIB
"""How much of a job's outputs is passed on, and how much an answer holds as `data:` URLs."""


def input_subject(tenant: UUID, version: UUID, job: UUID | str) -> str:
    """Where the input of a job goes; `*` for the job stands for all of them."""
    return f"runner.input.{tenant}.{version}.{job}"


def that_fit(sizes: Iterable[int]) -> list[bool]:
    """Which outputs, in their order, are within OUTPUTS_BYTES together; one that is not leaves room for the next."""
    left, fit = OUTPUTS_BYTES, []
    for size in sizes:
        fit.append(size <= left)
        left -= size if size <= left else 0
    return fit


async def hand_over(bus: BusConnection, subject: str, data: bytes, *, reply: str = "") -> None:
    """Send the bytes to whoever listens now; never raises for a bus that is away."""
    if bus.nc.is_connected:  # else they would wait in memory for its return, when nobody needs them
        with suppress(NatsError, OSError):
            await bus.nc.publish(subject, data, reply)
