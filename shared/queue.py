"""A durable JetStream consumer from which many take one message at a time (design, sections 4 and 13)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import structlog
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import FetchTimeoutError, NotFoundError

from shared.bus import BusConnection
from shared.events import EVENTS, Noun
from shared.settings import Work

log = structlog.get_logger()

FETCH_S, FETCH_HEARTBEAT_S = 5.0, 2.0
SILENT_FETCHES = 2
"""So many fetches without any answer: the consumer may be gone."""
MAX_DELIVER = 20


class Line(NamedTuple):
    """Where the queued objects of a noun wait: messages of `filter_subject`, shared by all who name the `durable`."""

    durable: str
    filter_subject: str


LINES: dict[Noun, Line] = {
    "version": Line("builder", "version.uploaded.>"),
    "job": Line("runner", "job.submitted.>"),
}


async def head_of(bus: BusConnection, line: Line) -> datetime | None:
    """When the oldest message was stored that no worker has been given yet; None where none waits.

    A line that nobody has ever taken from waits from its first message on.
    """
    try:
        given = (await bus.js.consumer_info(EVENTS, line.durable)).delivered
        last = given.stream_seq if given else 0
    except NotFoundError:
        last = 0
    try:
        return (await bus.js.get_msg(EVENTS, seq=last + 1, subject=line.filter_subject, next=True)).time
    except NotFoundError:
        return None


class Queue:
    """The messages of a line that nobody has acknowledged."""

    def __init__(self, bus: BusConnection, work: Work, line: Line) -> None:
        self._bus = bus
        self._work = work
        self._line = line
        self._fetching: set[asyncio.Task[None]] = set()
        self._stopping = False

    def stop(self) -> None:
        """Fetch no more; what is being processed goes on, and every `deliver` returns after it."""
        self._stopping = True
        for task in self._fetching:
            task.cancel()

    async def deliver(self, process: Callable[[Msg], Awaitable[None]]) -> None:
        """Process one message after the other until `stop()`; `process` acknowledges.

        A bus that is away or a consumer that is gone is set right and tried again.
        """
        while not self._stopping:
            try:
                subscription = await self._subscribe()
            except Exception as error:
                log.warning("cannot reach the queue; trying again", error=repr(error))
                await asyncio.sleep(1)
                continue
            try:
                await self._pull(subscription, process)
            except Exception as error:
                log.warning("the queue fell silent; subscribing again", error=repr(error))
                await asyncio.sleep(1)
            finally:
                await self._leave(subscription)

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        await self._bus.js.add_consumer(
            EVENTS,
            ConsumerConfig(
                durable_name=self._line.durable,
                filter_subject=self._line.filter_subject,
                ack_policy=AckPolicy.EXPLICIT,
                deliver_policy=DeliverPolicy.ALL,
                ack_wait=self._work.ack_wait_s,
                max_deliver=MAX_DELIVER,
                max_ack_pending=10_000,
            ),
        )
        return await self._bus.js.pull_subscribe_bind(self._line.durable, stream=EVENTS)

    async def _leave(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Give back at once what was delivered but not taken; otherwise it would wait for its ack_wait."""
        with suppress(Exception):
            while subscription.pending_msgs:
                [message] = await subscription.fetch(1, timeout=0.1)
                await message.nak()
            await subscription.unsubscribe()

    async def _pull(
        self, subscription: JetStreamContext.PullSubscription, process: Callable[[Msg], Awaitable[None]]
    ) -> None:
        """Fetch one message at a time: `fetch(n)` would wait for all n. Raises when the consumer seems gone."""
        silent = 0
        while not self._stopping:
            task = asyncio.current_task()
            assert task is not None
            self._fetching.add(task)
            try:
                [message] = await subscription.fetch(1, timeout=FETCH_S, heartbeat=FETCH_HEARTBEAT_S)
            except FetchTimeoutError:
                silent = 0
                continue
            except NatsTimeoutError:
                silent += 1
                if silent >= SILENT_FETCHES:
                    await subscription.consumer_info()
                    raise
                continue
            except asyncio.CancelledError:
                return
            finally:
                self._fetching.discard(task)
            silent = 0
            await process(message)
