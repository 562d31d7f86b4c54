"""Reading a stream in order, each message once, across restarts of the bus (design, section 13).

Our own reader and not nats-py's ordered consumer: that one pushes without regard for a slow reader, and its
re-creation after a restart of the server runs as a task whose failure nobody sees.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import NamedTuple

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.bus import BusConnection

log = structlog.get_logger()

BATCH = 256
"""Messages on their way to a reader at most; a reader that is slow leaves the rest in the stream."""
EXPIRES_S, IDLE_HEARTBEAT_S = 30.0, 5.0
SILENT_S = 2 * IDLE_HEARTBEAT_S + 1
POLL_S = 0.5
RETRY_S = 0.25
NANOSECONDS = 1_000_000_000
BUS_FAULTS = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)
"""What a bus that is away, restarting or overloaded raises."""


class Message(NamedTuple):
    """A message of a stream; `pending` is how many that match were still to come when it was sent."""

    seq: int
    subject: str
    headers: dict[str, str]
    data: bytes
    pending: int


class StreamState(NamedTuple):
    """Bounds of a stream; `created` tells it from a later one of the same name."""

    created: datetime | None
    first_seq: int
    last_seq: int

    def can_resume(self, since: int) -> bool:
        """Whether everything after `since` is still there, and `since` is of this stream at all."""
        return self.first_seq - 1 <= since <= self.last_seq


class StreamReplaced(Exception):
    """The stream is gone or was made anew; its numbers mean something else now."""


class _Broken(Exception):
    """The consumer no longer sends, or something was lost on the way: make a new one."""


async def stream_state(bus: BusConnection, stream: str) -> StreamState:
    """Ask for the bounds of a stream; raises one of BUS_FAULTS when the bus is away."""
    info = await bus.js.stream_info(stream)
    return StreamState(info.created, info.state.first_seq, info.state.last_seq)


async def read(
    bus: BusConnection,
    stream: str,
    *,
    after: int,
    created: datetime | None,
    subject: str = "",
    until: int | None = None,
    batch: int = BATCH,
) -> AsyncGenerator[Message, None]:
    """Yield the messages after sequence `after`, for ever, or until none at or below `until` is left.

    Survives restarts of the bus. Raises StreamReplaced when the stream made at `created` is no more. Close it
    (`aclosing`): it holds a consumer.
    """
    last, fresh = after, True
    while until is None or last < until:
        try:
            if not fresh:
                await _same_stream(bus, stream, created, last)
            fresh = False
            async with aclosing(_consume(bus, stream, last, subject, until is not None, batch)) as messages:
                async for message in messages:
                    if until is not None and message.seq > until:
                        return
                    last = message.seq
                    yield message
                    if until is not None and (last == until or message.pending == 0):
                        return
            return
        except (*BUS_FAULTS, _Broken) as error:
            log.info("stream is read anew", stream=stream, after=last, reason=str(error) or type(error).__name__)
            await asyncio.sleep(RETRY_S)


async def _same_stream(bus: BusConnection, stream: str, created: datetime | None, last: int) -> None:
    while not bus.nc.is_connected:  # noqa: ASYNC110 - the client has no event to wait for
        await asyncio.sleep(RETRY_S)
    try:
        state = await stream_state(bus, stream)
    except nats.js.errors.NotFoundError:
        raise StreamReplaced(stream) from None
    if state.created != created or state.last_seq < last:
        raise StreamReplaced(stream)


async def _consume(
    bus: BusConnection, stream: str, after: int, subject: str, ends: bool, batch: int
) -> AsyncGenerator[Message, None]:
    """One consumer's life; with `ends` it yields nothing when nothing was waiting at its making."""
    nc, name = bus.nc, f"notifier-{secrets.token_hex(8)}"
    inbox, arrived, reconnects = nc.new_inbox(), asyncio.Queue[Msg](), nc.stats["reconnects"]

    async def arrive(message: Msg) -> None:
        arrived.put_nowait(message)

    async def next_message() -> Msg:
        for _ in range(int(SILENT_S / POLL_S)):
            with suppress(asyncio.QueueEmpty):
                return arrived.get_nowait()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    return await arrived.get()
            if nc.stats["reconnects"] != reconnects:
                raise _Broken("the bus was away")
        raise _Broken("the bus went silent")

    subscription = await nc.subscribe(inbox, cb=arrive)
    try:
        info = await bus.js.add_consumer(
            stream,
            ConsumerConfig(
                name=name,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=after + 1,
                ack_policy=AckPolicy.NONE,
                filter_subject=subject or None,
                inactive_threshold=2 * EXPIRES_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        if ends and not info.num_pending:
            return
        request = json.dumps(
            {
                "batch": batch,
                "expires": int(EXPIRES_S * NANOSECONDS),
                "idle_heartbeat": int(IDLE_HEARTBEAT_S * NANOSECONDS),
            }
        ).encode()
        expected, credit = 1, 0
        while True:
            if credit == 0:
                await nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", request, reply=inbox)
                credit = batch
            message = await next_message()
            if not message.reply.startswith("$JS.ACK."):
                credit = _on_status(message, credit)
                continue
            meta = message.metadata
            if meta.sequence.consumer != expected:
                raise _Broken(f"messages lost: number {meta.sequence.consumer} came, {expected} was due")
            expected, credit = expected + 1, credit - 1
            yield Message(meta.sequence.stream, message.subject, message.headers or {}, message.data, meta.num_pending)
    finally:
        with suppress(*BUS_FAULTS):
            await subscription.unsubscribe()
        if nc.is_connected and nc.stats["reconnects"] == reconnects:
            with suppress(*BUS_FAULTS):
                await bus.js.delete_consumer(stream, name)


def _on_status(message: Msg, credit: int) -> int:
    """Credit after a status message: unchanged by a heartbeat, none when the request has run out."""
    headers = message.headers or {}
    status = headers.get("Status", "")
    if status == "100":
        return credit
    if status in ("404", "408"):
        return 0
    raise _Broken(f"{status} {headers.get('Description', '')}".strip())
