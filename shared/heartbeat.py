"""Heartbeats: every service says in the `workers` table that it lives and how busy it is."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import structlog

from shared.background import background
from shared.db import Pool, load_queries

log = structlog.get_logger()
_queries = load_queries("workers")

EVERY_S = 5.0
SILENT_AFTER_S = 15.0
"""A service that has not beaten for that long counts as down."""


class Pulse(msgspec.Struct, kw_only=True):
    """What a heartbeat tells; the service changes it, the next beat sends it."""

    state: str = "starting"
    slots: int = 0
    busy: int = 0
    info: dict[str, Any] = {}


@asynccontextmanager
async def beating(
    pool: Pool, *, worker: str, service: str, pulse: Pulse, refresh: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """Beat every 5 s until the block ends, then leave the table; `refresh` may update `pulse` before each beat."""
    identity = {"id": worker, "service": service, "host": socket.gethostname(), "pid": os.getpid()}

    async def beat() -> None:
        refresh()
        await _queries.beat(pool, **identity, state=pulse.state, slots=pulse.slots, busy=pulse.busy, info=pulse.info)

    async def loop() -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await beat()
            except Exception as error:
                log.warning("heartbeat failed", error=repr(error))

    await beat()
    pulse.state = "ready" if pulse.state == "starting" else pulse.state
    try:
        async with background(loop(), "heartbeat"):
            await beat()
            yield
    finally:
        with suppress(Exception):
            await _queries.leave(pool, id=identity["id"], pid=identity["pid"])
