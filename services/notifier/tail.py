"""The one reader of EVENTS of this process: every event passes once, in order, and goes to the sockets of its owner."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

import nats.js.errors
import structlog
from prometheus_client import Counter, Histogram

from services.notifier import frames
from services.notifier.feed import BUS_FAULTS, RETRY_S, Message, StreamReplaced, StreamState, read, stream_state
from services.notifier.hub import RESTART, Hub
from shared.bus import BusConnection
from shared.events import EVENTS

log = structlog.get_logger()

repeated = Counter("clinai_live_repeated_total", "Events not shown because their ce-id had been in the stream before")
malformed = Counter("clinai_live_malformed_total", "Messages in EVENTS that are no events of ours")
delay = Histogram(
    "clinai_live_delay_seconds",
    "From the event's record in the database to its hand-over to the sockets, in seconds",
    buckets=(0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.5, 1, 5, 30),
)


class Tail:
    """Feeds the hub. `open` once, then `run` for ever."""

    def __init__(self, bus: BusConnection, hub: Hub, ensure: Callable[[], Awaitable[None]]) -> None:
        self._bus = bus
        self._hub = hub
        self._ensure = ensure
        self._created: datetime | None = None

    async def open(self) -> None:
        """Find the end of the stream, making the stream where there is none; tries until the bus answers."""
        while True:
            try:
                state = await stream_state(self._bus, EVENTS)
                break
            except nats.js.errors.NotFoundError:
                try:
                    await self._ensure()
                except BUS_FAULTS as error:
                    log.warning("stream not made yet", error=repr(error))
            except BUS_FAULTS as error:
                log.warning("waiting for the bus", error=repr(error))
            await asyncio.sleep(RETRY_S)
        self._created, self._hub.last_seq = state.created, state.last_seq

    async def run(self) -> None:
        """Feed the hub for ever."""
        while True:
            try:
                async with aclosing(
                    read(self._bus, EVENTS, after=self._hub.last_seq, created=self._created)
                ) as messages:
                    async for message in messages:
                        await self._pass_on(message)
            except StreamReplaced:
                log.error("the stream EVENTS was made anew; every client starts afresh")
                await self.open()
                # sequence numbers that clients hold belong to the old stream: they come back and are told `reset`
                self._hub.close_all(RESTART, "the event stream was made anew")

    async def _pass_on(self, message: Message) -> None:
        owner = frames.owner(message.subject)
        if owner is not None and self._hub.listens(owner):
            frame = await shown(self._bus, message)
            if frame is not None:
                self._hub.deliver(owner, message.seq, frame)
                _observe(message)
        self._hub.last_seq = message.seq

    async def state(self) -> StreamState:
        """Bounds of the stream that this tail reads; raises StreamReplaced, or what a bus that is away raises."""
        state = await stream_state(self._bus, EVENTS)
        if state.created != self._created:
            raise StreamReplaced(EVENTS)
        return state

    async def missed(self, owner: UUID, *, after: int, until: int, limit: int) -> list[tuple[int, bytes]]:
        """Sequences and frames of at most `limit` events of `owner` in (after, until]; fewer means: no more."""
        found: list[tuple[int, bytes]] = []
        subject = f"*.*.{owner}.*"
        async with aclosing(
            read(self._bus, EVENTS, after=after, created=self._created, subject=subject, until=until, batch=limit)
        ) as messages:
            async for message in messages:
                if (frame := await shown(self._bus, message)) is not None:
                    found.append((message.seq, frame))
                if len(found) == limit:
                    break
        return found


async def shown(bus: BusConnection, message: Message) -> bytes | None:
    """The frame of an event, or None for what is not to be shown: foreign messages and repetitions.

    A repetition carries n > 1 in its `Nats-Msg-Id`. It is shown only when the stream no longer has, or never got,
    an earlier emission: then nobody has seen it.
    """
    frame = frames.event(message)
    if frame is None:
        malformed.inc()
        log.warning("a message in EVENTS is no event", subject=message.subject, seq=message.seq)
        return None
    if frames.emission(message) > 1 and await _came_before(bus, message):
        repeated.inc()
        return None
    return frame


async def _came_before(bus: BusConnection, message: Message) -> bool:
    """Whether the stream has the same ce-id at a lower sequence; asks until the bus answers."""
    event_id, seq = message.headers["ce-id"], 0
    while True:
        try:
            earlier = await bus.js.get_msg(EVENTS, seq=seq + 1, subject=message.subject, next=True)
        except nats.js.errors.NotFoundError:
            return False
        except BUS_FAULTS as error:
            log.info("asking for earlier emissions again", error=repr(error))
            await asyncio.sleep(RETRY_S)
            continue
        if earlier.seq is None or earlier.seq >= message.seq:
            return False
        if (earlier.headers or {}).get("ce-id") == event_id:
            return True
        seq = earlier.seq


def _observe(message: Message) -> None:
    try:
        recorded = datetime.fromisoformat(message.headers["ce-time"])
    except ValueError:
        return
    delay.observe(max(0.0, (datetime.now(UTC) - recorded).total_seconds()))
