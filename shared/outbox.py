"""The outbox: events leave for the bus after their transaction has committed (design, section 4).

Order per object holds because a publisher locks the object's unpublished rows and sends them by `rev`.
A failed publish loses nothing: the rows stay and the relay sends them.
"""

import asyncio
from uuid import UUID

import msgspec
import structlog

from shared.bus import BusConnection
from shared.crashpoints import crashpoint
from shared.db import Pool, load_queries
from shared.events import EVENTS, headers

log = structlog.get_logger()
_queries = load_queries("outbox")
_encode = msgspec.json.Encoder().encode

PUBLISH_TIMEOUT_S = 5.0


class Outbox:
    """Publishes the events that transactions have left behind."""

    def __init__(self, pool: Pool, bus: BusConnection) -> None:
        self._pool = pool
        self._bus = bus

    async def publish(self, object_id: UUID) -> None:
        """Send the object's unpublished events, oldest first. Never raises: the relay is the backstop."""
        crashpoint("outbox.publish")
        try:
            await self._publish(object_id)
        except Exception as error:
            log.warning("event left to the relay", object=str(object_id), error=repr(error))

    async def _publish(self, object_id: UUID) -> int:
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
        """Send what stayed unpublished for that long (0: everything due); return how many events went out."""
        objects = [row["object_id"] async for row in _queries.objects_to_relay(self._pool, older_than_s=older_than_s)]
        sent = 0
        for object_id in objects:
            sent += await self._publish(object_id)
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
