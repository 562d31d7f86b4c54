"""The notifier's process: parts, tail, hub, and the WebSocket `/ws` and the route `/health`."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import structlog
import uvicorn
from litestar import Litestar, Response, get
from litestar.datastructures import State

from services.notifier.config import Live
from services.notifier.connection import DATABASE_FAULTS, LiveSession, Notifier
from services.notifier.hub import RESTART, SIGNED_OUT, Hub
from services.notifier.tail import Tail
from services.notifier.wire import Wire
from shared import settings
from shared.bus import ensure_streams, open_bus
from shared.db import load_queries, open_pool
from shared.heartbeat import Pulse, beating
from shared.settings import load

log = structlog.get_logger()
_queries = load_queries("live")

BEAT_EVERY_S = 0.5


@get("/health", operation_id="getNotifierHealth", media_type="application/json")
async def health(state: State) -> Response[dict[str, object]]:
    """200 while events can pass; 503 while the bus is away. For the launcher and for probes, not for users."""
    notifier: Notifier = state.notifier
    connected = notifier.bus.nc.is_connected
    body: dict[str, object] = {
        "status": "ok" if connected else "down",
        "components": {"nats": "ok" if connected else "down: not connected"},
        "sockets": len(notifier.hub),
        "last_seq": notifier.hub.last_seq,
    }
    return Response(body, status_code=200 if connected else 503)


async def run(instance: settings.Instance) -> None:
    """Serve until SIGTERM or SIGINT; open sockets are then closed with 1012, and clients come back."""
    live = load(Live)
    app = Litestar(
        route_handlers=[health],
        lifespan=[lambda app: _lifespan(app, instance, live)],
        openapi_config=None,
        logging_config=None,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=live.port,
        http="httptools",
        # an extra for uvicorn: the class that takes over a connection when a request asks for an upgrade
        ws=partial(Wire, lambda wire: LiveSession(app.state.notifier, wire)),  # type: ignore[arg-type]
        backlog=4096,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        lifespan="on",
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has shut down; an orderly stop ends with status 0
        signal.signal(number, lambda *_: None)
    await uvicorn.Server(config).serve()


@asynccontextmanager
async def _lifespan(app: Litestar, instance: settings.Instance, live: Live) -> AsyncIterator[None]:
    name, bus_settings, pulse = instance.worker("notifier"), load(settings.Bus), Pulse()
    pool = await open_pool(load(settings.Database), "notifier")
    try:
        async with open_bus(bus_settings, name) as bus:
            hub = Hub(live)
            tail = Tail(bus, hub, lambda: ensure_streams(bus.js, bus_settings.replicas))
            notifier = Notifier(live, pool, bus, hub, tail, asyncio.Semaphore(live.replays))
            app.state.notifier = notifier
            await tail.open()

            def refresh() -> None:
                pulse.info = {"sockets": len(hub), "bus": "ok" if bus.nc.is_connected else "down: not connected"}

            async with beating(pool, worker=name, service="notifier", pulse=pulse, refresh=refresh):
                tasks = [
                    asyncio.create_task(tail.run(), name="tail"),
                    asyncio.create_task(_beat(hub), name="beat"),
                    asyncio.create_task(_revoke(notifier), name="revoke"),
                ]
                for task in tasks:
                    task.add_done_callback(_die)
                log.info("ready", worker=name, port=live.port, last_seq=hub.last_seq)
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await pool.close()
    log.info("stopped", worker=name)


def _die(task: asyncio.Task[None]) -> None:
    """A notifier without its tail would look alive and tell nothing: end, and be started again."""
    if not task.cancelled() and (error := task.exception()):
        log.critical("a task that runs for ever ended", task=task.get_name(), exc_info=error)
        os._exit(70)


async def _beat(hub: Hub) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(BEAT_EVERY_S)
        hub.beat(loop.time())


async def _revoke(notifier: Notifier) -> None:
    """Close the sockets of accounts that were disabled or deleted, or signed a device out, since they connected.

    A socket does not know its session: all of the user's are closed, and who is still signed in comes back.
    """
    within_s = 10.0 + 3 * notifier.live.revoke_every_s
    ended: set[UUID] = set()
    while True:
        owners = notifier.hub.owners
        try:
            welcome = {row["id"] async for row in _queries.still_welcome(notifier.pool, ids=owners)}
            rows = [row async for row in _queries.signed_out(notifier.pool, ids=owners, within_s=within_s)]
        except DATABASE_FAULTS as error:
            log.warning("accounts not looked up", error=repr(error))
        else:
            for owner in set(owners) - welcome:
                notifier.hub.close_owner(owner, SIGNED_OUT, "this account may not sign in any more")
            for owner in {row["user_id"] for row in rows if row["id"] not in ended}:
                notifier.hub.close_owner(owner, RESTART, "a device was signed out: come back with a new ticket")
            ended = {row["id"] for row in rows}
        await asyncio.sleep(notifier.live.revoke_every_s)
