"""What keeps every object moving to an end: the sweeper and the dead-letter collector (design, sections 4 and 5).

Every service that has the database runs these; guarded updates make it harmless that several do.
"""

import asyncio
import re
from contextlib import suppress
from uuid import UUID

import msgspec
import structlog
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import FetchTimeoutError, NotFoundError

from shared import transitions
from shared.batches import states as batches
from shared.bus import BusConnection
from shared.db import Pool, load_queries
from shared.events import ADVISORIES, EVENTS, Noun
from shared.ids import new_id
from shared.outbox import Outbox
from shared.queue import LINES, head_of
from shared.settings import Work
from shared.storage import ObjectStore

log = structlog.get_logger()
_outbox = load_queries("outbox")
_transitions = load_queries("transitions")
_workers = load_queries("workers")

STREAM_DAYS = 7
ADVISORY_WAIT_S = 20.0
TRIM_EVERY = 500
"""Sweeps between two trims of the outbox."""

EXPIRED = (
    "The platform could not finish this in time ({what}); it was tried until its deadline. "
    "This is not the model's fault: try again, and tell the operator when it persists."
)


async def sweep_once(pool: Pool, bus: BusConnection, outbox: Outbox, storage: ObjectStore, work: Work) -> int:
    """One round: expire, requeue, emit again, drop rows never uploaded. Returns how many objects were touched."""
    moved: list[UUID] = []
    for row in await transitions.move_many(pool, "version", "expire_versions", message=EXPIRED.format(what="build")):
        moved.append(row["id"])
    for row in await transitions.move_many(pool, "job", "expire_jobs", message=EXPIRED.format(what="job")):
        moved.append(row["id"])
    for row in await transitions.move_many(pool, "version", "requeue_expired_versions"):
        moved.append(row["id"])
    for row in await transitions.move_many(pool, "job", "requeue_expired_jobs"):
        moved.append(row["id"])
    moved += await _emit_again(pool, bus, "version", work.reemit_after_s)
    moved += await _emit_again(pool, bus, "job", work.reemit_after_s)
    for object_id in moved:
        await outbox.publish(object_id)
    touched = await batches.sweep(pool, outbox, storage, upload_hours=work.upload_expires_h)
    return len(moved) + touched + await _expire_uploads(pool, storage, work)


async def _emit_again(pool: Pool, bus: BusConnection, noun: Noun, after_s: float) -> list[UUID]:
    """Emit what its line has passed and nobody took; what merely waits for its turn is left alone."""
    if not bus.nc.is_connected:
        return []
    try:
        head_at = await head_of(bus, LINES[noun])
    except (NatsError, OSError, TimeoutError) as error:
        log.info("nothing emitted again before the bus answers", error=repr(error))
        return []
    query = _outbox.reemit_lost_versions if noun == "version" else _outbox.reemit_lost_jobs
    return [row["object_id"] async for row in query(pool, head_at=head_at, after_s=after_s)]


async def _expire_uploads(pool: Pool, storage: ObjectStore, work: Work) -> int:
    rows = [row async for row in _transitions.expire_version_uploads(pool, hours=work.upload_expires_h)]
    for row in rows:
        if row["upload_id"]:
            await storage.abort_multipart(row["upload_key"], row["upload_id"])
    rows += [row async for row in _transitions.expire_job_uploads(pool, hours=work.upload_expires_h)]
    await storage.delete(*[row["upload_key"] for row in rows])
    return len(rows)


async def sweep(pool: Pool, bus: BusConnection, outbox: Outbox, storage: ObjectStore, work: Work) -> None:
    """Sweep for ever; a part that is away is tried again."""
    rounds = 0
    while True:
        try:
            if touched := await sweep_once(pool, bus, outbox, storage, work):
                log.info("sweeper moved objects", objects=touched)
            if rounds % TRIM_EVERY == 0:
                await _outbox.trim(pool, days=STREAM_DAYS)
            rounds += 1
        except Exception as error:
            log.warning("sweeper will try again", error=repr(error))
        await asyncio.sleep(work.sweep_every_s)


class _Advisory(msgspec.Struct):
    """Fields of JetStream's MAX_DELIVERIES and TERMINATED advisories that we use."""

    type: str
    stream: str
    consumer: str
    stream_seq: int
    deliveries: int = 0
    reason: str = ""


_OBJECT = re.compile(r"^(?:version|job)\.\w+\.[0-9a-f-]{36}\.([0-9a-f-]{36})$")


async def collect_dead_letters(pool: Pool, bus: BusConnection) -> None:
    """Turn JetStream's advisories into rows that an operator can read and redrive; runs for ever.

    Whoever looks for the consumer finds out that the bus has lost its streams, and makes them anew.
    """
    config = ConsumerConfig(
        durable_name="dead-letters",
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=30.0,
    )
    while True:
        try:
            await bus.js.add_consumer(ADVISORIES, config)
            subscription = await bus.js.pull_subscribe_bind("dead-letters", stream=ADVISORIES)
            try:
                while True:
                    try:
                        [message] = await subscription.fetch(1, timeout=ADVISORY_WAIT_S, heartbeat=ADVISORY_WAIT_S / 4)
                    except FetchTimeoutError:
                        continue
                    except TimeoutError:  # no heartbeat: the bus is away, or the consumer is gone
                        await subscription.consumer_info()
                        continue
                    await _store_dead_letter(pool, bus, msgspec.json.decode(message.data, type=_Advisory))
                    await message.ack_sync()
            finally:
                await subscription.unsubscribe()
        except NotFoundError:
            log.error("the bus has lost its streams; making them anew")
            with suppress(NatsError, OSError):
                await bus.ensure_streams()
            await asyncio.sleep(1)
        except Exception as error:
            log.warning("dead-letter collector will try again", error=repr(error))
            await asyncio.sleep(5)


async def _store_dead_letter(pool: Pool, bus: BusConnection, advisory: _Advisory) -> None:
    if advisory.stream != EVENTS:
        return
    try:
        subject = (await bus.js.get_msg(EVENTS, advisory.stream_seq)).subject or ""
    except Exception as error:
        log.info("the message of a dead letter is gone", seq=advisory.stream_seq, error=repr(error))
        subject = ""
    match = _OBJECT.match(subject)
    await _workers.add_dead_letter(
        pool,
        id=new_id(),
        kind=advisory.type.rsplit(".", 1)[-1],
        stream=advisory.stream,
        consumer=advisory.consumer,
        stream_seq=advisory.stream_seq,
        deliveries=advisory.deliveries,
        subject=subject,
        object_id=UUID(match.group(1)) if match else None,
        reason=advisory.reason,
    )
    log.error("dead letter", subject=subject, consumer=advisory.consumer, deliveries=advisory.deliveries)


async def run_maintenance(pool: Pool, bus: BusConnection, outbox: Outbox, storage: ObjectStore, work: Work) -> None:
    """Relay, sweeper and dead-letter collector together, for ever; cancel to stop."""
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.relay(every_s=work.relay_every_s), name="relay")
        group.create_task(sweep(pool, bus, outbox, storage, work), name="sweeper")
        group.create_task(collect_dead_letters(pool, bus), name="dead-letters")
