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
from shared.settings import KIB, MIB

INPUT_BYTES = 512 * KIB
"""A larger input is fetched from storage; half of what one message may have."""
OUTPUTS_BYTES = 256 * KIB
"""How much of a job's outputs is passed on, and how much an answer holds as `data:` URLs."""
PENDING_BYTES = MIB
"""With more on its way a publish would wait for the bus, and events behind it as well (nats-py: from 2 MiB on)."""


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
    """Send the bytes to whoever listens now, unless the bus is away or does not keep up; never waits for it."""
    if bus.nc.is_connected and bus.nc.pending_data_size + len(data) <= PENDING_BYTES:
        with suppress(NatsError, OSError):
            await bus.nc.publish(subject, data, reply)
