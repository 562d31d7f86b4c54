"""The frame of a worker service: open the parts, beat, maintain, work, and stop as one should.

run_worker("runner", make=lambda parts: Worker(…))
"""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiodocker
import prometheus_client
import structlog
import uvloop
from nats.aio.msg import Msg

from shared import settings
from shared.bus import BusConnection, open_bus
from shared.collector import leave_alone_what_is_loaded
from shared.db import Pool, open_pool
from shared.engine import engine_state, open_engine
from shared.events import Noun
from shared.heartbeat import EVERY_S, Pulse, beating
from shared.logging import configure_logging
from shared.maintenance import run_maintenance
from shared.outbox import Outbox
from shared.settings import load
from shared.storage import ObjectStore, open_storage
from shared.worker import Claim, Finish, Worker

log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What a worker service has at hand."""

    worker: str
    """This worker's name, the same after a restart."""
    instance: settings.Instance
    engine: settings.Engine
    work: settings.Work
    limits: settings.Limits
    pool: Pool
    bus: BusConnection
    outbox: Outbox
    storage: ObjectStore
    docker: aiodocker.Docker
    scratch: Path
    """Folder for temporary files of this worker; emptied at start."""
    stack: AsyncExitStack
    """Closed when the service stops, before its parts."""
    stop: asyncio.Event
    """Set when the service is to stop."""


class Handler(Protocol):
    """What a worker service does with claimed objects; see `Worker`."""

    async def handle(self, claim: Claim) -> Finish: ...
    async def discard(self, claim: Claim) -> None: ...
    async def settled(self, claim: Claim) -> None: ...
    def failure(self, claim: Claim, reason: str) -> Finish: ...


def worker_of(
    parts: Parts,
    noun: Noun,
    *,
    slots: int,
    handler: Handler,
    elsewhere: Callable[[Msg], Awaitable[bool]] | None = None,
) -> Worker:
    """Return the worker that takes queued objects of `noun` and hands what it claims to `handler`."""
    return Worker(
        noun,
        worker=parts.worker,
        slots=slots,
        pool=parts.pool,
        bus=parts.bus,
        outbox=parts.outbox,
        work=parts.work,
        handle=handler.handle,
        discard=handler.discard,
        failure=handler.failure,
        settled=handler.settled,
        elsewhere=elsewhere,
    )


MakeWorker = Callable[[Parts], Awaitable[Worker]]
"""Reconciles what a former process left behind and returns the worker."""


def run_worker(service: str, make: MakeWorker, *, slots: Callable[[Parts], int]) -> None:
    """Run a worker service until SIGTERM or SIGINT."""
    instance = load(settings.Instance)
    configure_logging(service, instance)
    leave_alone_what_is_loaded()
    uvloop.run(_serve(service, instance, make, slots))


async def _serve(service: str, instance: settings.Instance, make: MakeWorker, slots: Callable[[Parts], int]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    name = instance.worker(service)
    work, engine = load(settings.Work), load(settings.Engine)
    if instance.metrics_port:
        prometheus_client.start_http_server(instance.metrics_port, addr="127.0.0.1")
    async with AsyncExitStack() as stack:
        pool = await open_pool(load(settings.Database), name)
        stack.push_async_callback(pool.close)
        bus = await stack.enter_async_context(open_bus(load(settings.Bus), name))
        storage = await stack.enter_async_context(open_storage(load(settings.Storage)))
        docker = await stack.enter_async_context(open_engine(engine))
        outbox = Outbox(pool, bus)
        stack.push_async_callback(outbox.settle)
        parts = Parts(
            worker=name,
            instance=instance,
            engine=engine,
            work=work,
            limits=load(settings.Limits),
            pool=pool,
            bus=bus,
            outbox=outbox,
            storage=storage,
            docker=docker,
            scratch=_empty_scratch(instance, name),
            stack=await stack.enter_async_context(AsyncExitStack()),
            stop=stop,
        )
        pulse = Pulse(slots=slots(parts))
        worker: Worker | None = None

        def refresh() -> None:
            pulse.busy = worker.busy if worker else 0
            pulse.state = "stopping" if stop.is_set() else "ready" if worker else "starting"

        await stack.enter_async_context(beating(pool, worker=name, service=service, pulse=pulse, refresh=refresh))
        background = [
            asyncio.create_task(run_maintenance(pool, bus, outbox, storage, work), name="maintenance"),
            asyncio.create_task(_watch_engine(docker, pulse), name="engine"),
        ]
        try:
            worker = await make(parts)
            await worker.requeue_own()
            log.info("ready", worker=name, slots=pulse.slots)
            await worker.run(stop)
        finally:
            for task in background:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*background, return_exceptions=True)
    log.info("stopped", worker=name)


async def _watch_engine(docker: aiodocker.Docker, pulse: Pulse) -> None:
    while True:
        state = await engine_state(docker)
        if state != pulse.info.get("engine"):
            log.info("engine", state=state)
            pulse.info = {**pulse.info, "engine": state}
        await asyncio.sleep(EVERY_S)


def _empty_scratch(instance: settings.Instance, worker: str) -> Path:
    """Make this worker's temporary folder anew: what a killed process left is nobody's."""
    folder = instance.data.absolute() / "tmp" / worker
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
