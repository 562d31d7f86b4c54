"""The outbox: events leave for the bus after their transaction has committed (design, section 4).

Order per object holds because a publisher locks the object's unpublished rows and sends them by `rev`. Who knows that
the event before has left needs no lock and no look: it sends its own, and marks it later, many with one statement.
Somebody else who sends the same event meanwhile does no harm: the bus drops the second under its `Nats-Msg-Id`.
A failed publish loses nothing: the rows stay and the relay sends them.
"""

import asyncio
from uuid import UUID

import msgspec
import structlog

from shared.bus import BusConnection
from shared.crashpoints import crashpoint
from shared.db import Pool, load_queries
from shared.events import EVENTS, Event, headers

log = structlog.get_logger()
_queries = load_queries("outbox")
_encode = msgspec.json.Encoder().encode

PUBLISH_TIMEOUT_S = 5.0
MARK_AFTER_S = 0.05
"""How long sent events gather before they are marked; well below the age at which the relay takes one."""


class Outbox:
    """Publishes the events that transactions have left behind."""

    def __init__(self, pool: Pool, bus: BusConnection) -> None:
        self._pool = pool
        self._bus = bus
        self._sent: list[UUID] = []
        self._marking: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[bool]] = set()

    async def publish(self, object_id: UUID) -> bool:
        """Send the object's unpublished events, oldest first; tell whether all have left.

        Never raises: the relay is the backstop.
        """
        crashpoint("outbox.publish")
        try:
            await self._publish(object_id)
        except Exception as error:
            log.warning("event left to the relay", object=str(object_id), error=repr(error))
            return False
        return True

    async def send(self, event: Event) -> bool:
        """Send an event whose predecessor is known to have left (or that is the first); tell whether it has left.

        Never raises: the relay is the backstop.
        """
        crashpoint("outbox.publish")
        try:
            self._require_bus()
            await self._bus.js.publish(
                event.subject,
                event.data,
                timeout=PUBLISH_TIMEOUT_S,
                stream=EVENTS,
                headers=headers(
                    event_id=event.id, type_=event.type, time=event.time, traceparent=event.traceparent, emission=1
                ),
            )
        except Exception as error:
            log.warning("event left to the relay", object=str(event.object_id), error=repr(error))
            return False
        self._sent.append(event.id)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark(), name="outbox-mark")
        return True

    def send_soon(self, event: Event) -> "asyncio.Task[bool]":
        """Begin to send; the caller may await the answer or let it be."""
        task = asyncio.create_task(self.send(event), name="outbox-send")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    async def settle(self) -> None:
        """Finish what `send` has begun; called when a service stops."""
        while self._sending:
            await asyncio.wait(set(self._sending))
        if self._marking is not None:
            await self._marking

    async def _mark(self) -> None:
        while self._sent:
            await asyncio.sleep(MARK_AFTER_S)
            ids, self._sent = self._sent, []
            crashpoint("outbox.mark")
            try:
                await _queries.mark_sent(self._pool, ids=ids)
            except Exception as error:
                log.warning("sent events not marked; the bus drops them when they come again", error=repr(error))

    def _require_bus(self) -> None:
        """Raise at once when the bus is away: waiting for it would hold a connection of the pool for seconds."""
        if not self._bus.nc.is_connected:
            raise ConnectionError("the bus is away")

    async def _publish(self, object_id: UUID) -> int:
        self._require_bus()
        async with self._pool.acquire() as connection, connection.transaction():
            rows = [row async for row in _queries.lock_unpublished(connection, object_id=object_id)]
            for row in rows:
                await self._bus.js.publish(
                    row["subject"],
                    _encode(row["data"]),
                    timeout=PUBLISH_TIMEOUT_S,
                    stream=EVENTS,
                    headers=headers(
                        event_id=row["id"],
                        type_=row["type"],
                        time=row["created_at"],
                        traceparent=row["traceparent"],
                        emission=row["emission"],
                    ),
                )
            if rows:
                crashpoint("outbox.mark")
                await _queries.mark_published(connection, ids=[row["id"] for row in rows])
            return len(rows)

    async def relay_once(self, *, older_than_s: float) -> int:
        """Send what stayed unpublished for that long (0: everything due); return how many events went out.

        An event that cannot be sent holds up its own object alone. Raises ConnectionError when the bus is away.
        """
        self._require_bus()
        objects = [row["object_id"] async for row in _queries.objects_to_relay(self._pool, older_than_s=older_than_s)]
        sent = 0
        for object_id in objects:
            try:
                sent += await self._publish(object_id)
            except ConnectionError:
                raise
            except Exception as error:
                log.warning("relay will try again", object=str(object_id), error=repr(error))
        return sent

    async def relay(self, *, every_s: float) -> None:
        """Relay for ever; a bus or database that is away is tried again."""
        while True:
            try:
                if sent := await self.relay_once(older_than_s=every_s):
                    log.info("relay sent events that nobody had published", events=sent)
            except Exception as error:
                log.warning("relay will try again", error=repr(error))
            await asyncio.sleep(every_s)
