"""The gateway's life: it listens at once, opens its parts in the background, and serves when they are there.

A part that is away at the start is tried again for ever; until all have answered, `context` is None and every route
but health says 503. Parts that go away later come back by themselves (pool, bus and storage reconnect).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import ClassVar, TypeVar

import aiodocker
import structlog

from services.api.context import Context
from services.api.predict.ends import hearing
from shared import settings
from shared.background import background
from shared.bus import BusConnection, open_bus
from shared.db import Pool, open_pool
from shared.engine import open_engine
from shared.heartbeat import Pulse, beating
from shared.maintenance import run_maintenance
from shared.outbox import Outbox
from shared.settings import load
from shared.storage import ObjectStore, open_storage

log = structlog.get_logger()
T = TypeVar("T")

TRY_TIMEOUT_S = 10.0
TRY_AGAIN_S = 0.5
CLOSE_TIMEOUT_S = 5.0


class Listen(settings.Group, frozen=True, kw_only=True):
    """Where the gateway listens; loopback, because the edge stands before it."""

    prefix: ClassVar[str] = "CLINAI_API_"
    host: str = "127.0.0.1"
    port: int = 8001


class Gateway:
    """Opens the parts and keeps the sweeper, the relay and the heartbeat going while the process serves."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        self.started_at = time.monotonic()
        self.instance = load(settings.Instance, environ)
        self.auth = load(settings.Auth, environ)
        self.engine = load(settings.Engine, environ)
        self.limits = load(settings.Limits, environ)
        self.storage = load(settings.Storage, environ)
        self.work = load(settings.Work, environ)
        self._database = load(settings.Database, environ)
        self._bus = load(settings.Bus, environ)
        self.pool: Pool | None = None
        self.bus: BusConnection | None = None
        self.store: ObjectStore | None = None
        self.docker: aiodocker.Docker | None = None
        self.context: Context | None = None
        """All of them, once every one has answered."""
        self.waiting_for: dict[str, str] = {}
        """Parts that have not answered since the start, with the reason."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open in the background until the block ends, then stop and close."""
        async with background(self._live(), "gateway"):
            yield

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            name = self.instance.worker("api")
            self.docker = docker = await stack.enter_async_context(open_engine(self.engine))
            self.store = storage = await stack.enter_async_context(open_storage(self.storage))
            self.pool = pool = await self._until("postgres", lambda: open_pool(self._database, "api"))
            stack.push_async_callback(_close_pool, pool)
            # no time limit: the client itself tries for ever
            self.bus = bus = await self._until(
                "nats", lambda: stack.enter_async_context(open_bus(self._bus, name)), timeout_s=None
            )
            await self._until("storage", lambda: storage.prepare_bucket())
            outbox = Outbox(pool, bus)
            stack.push_async_callback(outbox.settle)
            ends = await stack.enter_async_context(hearing(pool, bus))
            await self._until("postgres", lambda: stack.enter_async_context(self._beat(pool, name)))
            self.context = Context(
                pool=pool,
                bus=bus,
                outbox=outbox,
                ends=ends,
                storage=storage,
                docker=docker,
                instance=self.instance,
                auth=self.auth,
                engine=self.engine,
                limits=self.limits,
                storage_settings=self.storage,
                work=self.work,
            )
            log.info("ready", worker=name)
            await self._maintain(self.context)

    def _beat(self, pool: Pool, name: str) -> AbstractAsyncContextManager[None]:
        return beating(pool, worker=name, service="api", pulse=Pulse())

    async def _maintain(self, context: Context) -> None:
        while True:
            try:
                await run_maintenance(context.pool, context.bus, context.outbox, context.storage, context.work)
            except Exception as error:
                log.error("maintenance failed; starting it again", exc_info=error)
                await asyncio.sleep(1)

    async def _until(
        self, part: str, attempt: Callable[[], Awaitable[T]], *, timeout_s: float | None = TRY_TIMEOUT_S
    ) -> T:
        """Try until it works; say once what the matter is, and again when it changes."""
        self.waiting_for[part] = "not asked yet"
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    result = await attempt()
            except Exception as error:
                reason = reason_of(error)
                if reason != self.waiting_for[part]:
                    log.warning("waiting for a part", part=part, reason=reason)
                self.waiting_for[part] = reason
                await asyncio.sleep(TRY_AGAIN_S)
            else:
                del self.waiting_for[part]
                return result


def reason_of(error: BaseException) -> str:
    """One line that tells a person what is wrong with a part; no address carries a password here."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()
