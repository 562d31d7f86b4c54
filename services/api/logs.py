"""Reading the log of a build or a job: the stored one, else what the bus still has of it."""

from uuid import UUID

import structlog
from nats.errors import Error as BusError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from services.api.uploads import storage_at_hand
from shared.bus import BusConnection
from shared.events import LOGS, Noun, log_subject
from shared.settings import KIB
from shared.storage import ObjectStore

log = structlog.get_logger()

BATCH = 500
FETCH_S = 2.0
CONSUMER_LIFE_S = 10.0
MARKER_BYTES = 64 * KIB
"""Room above the limit for the last line and the marker that says the log was cut."""


async def stored_log(storage: ObjectStore, key: str | None, *, limit_bytes: int) -> str | None:
    """Return the whole stored log; None when there is none under that key."""
    if not key:
        return None
    async with storage_at_hand():
        raw = await storage.read(key, limit_bytes=limit_bytes + MARKER_BYTES)
    return None if raw is None else raw.decode("utf-8", "replace")


async def live_log(bus: BusConnection, noun: Noun, owner_id: UUID, object_id: UUID) -> str:
    """Return the lines sent so far (the stream keeps them for an hour), "" when there are none.

    Never waits for more lines: it reads as many as there were when it began. A bus that is away gives "" as well.
    """
    try:
        return await _read(bus, log_subject(noun, owner_id, object_id))
    except (BusError, TimeoutError, OSError) as error:
        log.warning("live log not read", subject=log_subject(noun, owner_id, object_id), error=repr(error))
        return ""


async def _read(bus: BusConnection, subject: str) -> str:
    consumer = await bus.js.add_consumer(
        LOGS,
        ConsumerConfig(
            filter_subject=subject,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=CONSUMER_LIFE_S,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    lines: list[str] = []
    try:
        if wanted := consumer.num_pending or 0:
            subscription = await bus.js.pull_subscribe_bind(consumer.name, stream=LOGS)
            try:
                while len(lines) < wanted:
                    batch = await subscription.fetch(min(BATCH, wanted - len(lines)), timeout=FETCH_S)
                    lines += [message.data.decode("utf-8", "replace") for message in batch]
            finally:
                await subscription.unsubscribe()
    finally:
        await bus.js.delete_consumer(LOGS, consumer.name)
    return "".join(f"{line}\n" for line in lines)
