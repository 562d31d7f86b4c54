"""NATS JetStream: connection, streams, publishing (design, sections 4 and 13)."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, PersistMode, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

from shared.events import ADVISORIES, EVENTS, LOGS
from shared.settings import MIB, Bus

log = structlog.get_logger()

DEDUP_WINDOW_S = 120.0
DAY_S = 86_400.0


def _streams(replicas: int) -> list[StreamConfig]:
    common: dict[str, Any] = {
        "retention": RetentionPolicy.LIMITS,
        "discard": DiscardPolicy.OLD,
        "num_replicas": replicas,
    }
    return [
        StreamConfig(
            name=EVENTS,
            subjects=["version.>", "job.>", "batch.>"],
            storage=StorageType.FILE,
            max_age=7 * DAY_S,
            duplicate_window=DEDUP_WINDOW_S,
            allow_direct=True,
            **common,
        ),
        # Lines need no fsync each: the whole log goes to storage. `async` is for a single replica only.
        StreamConfig(
            name=LOGS,
            subjects=["log.>"],
            storage=StorageType.FILE,
            max_age=3600.0,
            max_bytes=512 * MIB,
            persist_mode=PersistMode.ASYNC if replicas == 1 else None,
            **common,
        ),
        StreamConfig(
            name=ADVISORIES,
            subjects=[
                "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
                "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
            ],
            storage=StorageType.FILE,
            max_age=7 * DAY_S,
            **common,
        ),
    ]


async def ensure_streams(js: JetStreamContext, replicas: int) -> None:
    """Create the streams that are missing and bring the others up to date. May be called twice, by many."""
    for config in _streams(replicas):
        assert config.name is not None
        try:
            await js.stream_info(config.name)
            await js.update_stream(config)
        except NotFoundError:
            try:
                await js.add_stream(config)
            except BadRequestError:
                await js.stream_info(config.name)  # somebody else was quicker


@dataclass(frozen=True)
class BusConnection:
    """An open connection: `nc` for core NATS, `js` for JetStream."""

    nc: Client
    js: JetStreamContext
    replicas: int = 1

    async def ensure_streams(self) -> None:
        """Make the streams that are missing: a server that lost its disk comes back without any."""
        await ensure_streams(self.js, self.replicas)


async def _connect(settings: Bus, name: str) -> Client:
    async def on_error(error: Exception) -> None:
        log.warning("bus error", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        if not stopping.is_set():
            log.warning("bus disconnected")

    async def on_reconnect() -> None:
        log.info("bus reconnected")

    async def on_closed() -> None:
        # With endless reconnects only a refused login or our own close ends here.
        if not stopping.is_set():
            log.error("bus closed the connection for good; this process ends")
            os._exit(70)

    stopping = asyncio.Event()
    client = await nats.connect(
        settings.url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.5,
        connect_timeout=5,
        ping_interval=10,
        max_outstanding_pings=2,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
        closed_cb=on_closed,
    )
    client.clinai_stopping = stopping  # type: ignore[attr-defined]
    return client


@asynccontextmanager
async def open_bus(settings: Bus, name: str) -> AsyncIterator[BusConnection]:
    """Connect, make sure of the streams, and close at the end. The server may restart in between."""
    client = await _connect(settings, name)
    try:
        js = client.jetstream(timeout=5, publish_async_max_pending=2000)
        await ensure_streams(js, settings.replicas)
        yield BusConnection(client, js, settings.replicas)
    finally:
        client.clinai_stopping.set()  # type: ignore[attr-defined]
        await client.close()
