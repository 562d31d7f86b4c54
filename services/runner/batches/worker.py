"""The life of a chunk on this runner: claim the row, keep the lease, run, finish under the epoch, tell.

Chunks are taken from the database itself: it alone can say whose turn it is among many tenants (decision 12). The bus
wakes this worker up; when it is away, a look every second finds the work.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog
from nats.aio.msg import Msg

from services.runner.batches.chunk import ChunkHandler
from shared.batches import states
from shared.batches.states import ChunkClaim, ChunkEnd
from shared.crashpoints import crashpoint
from shared.service import Parts
from shared.tracing import follow
from shared.worker import RETRY_DELAY_MAX_S, throw_away, write_end

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
STOP_S = 2.0
"""How long a chunk may take to end once the service stops, beyond what the jobs took."""
WAKING = ("batch.submitted.>", "batch.progressed.>")

Held = tuple[UUID, int, int]


class BatchWorker:
    """Runs chunks, one more at once than the runner has slots: while those run, one gets its inputs."""

    def __init__(self, parts: Parts, handler: ChunkHandler, *, slots: int) -> None:
        self._parts = parts
        self._handler = handler
        self._slots = slots
        self._wake = asyncio.Event()
        self._handling: dict[Held, asyncio.Task[ChunkEnd]] = {}
        """What a cancel may interrupt: never the commit that follows."""
        self._attempts: set[asyncio.Task[None]] = set()
        self._behind: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends; what is not finished then goes back to the queue."""
        if requeued := await states.requeue_own(self._parts.pool, worker=self._parts.worker):
            log.info("chunks requeued after a restart", chunks=requeued)
        nc = self._parts.bus.nc
        heard = [await nc.subscribe(subject, cb=self._on_work) for subject in WAKING]
        heard.append(await nc.subscribe("batch.canceled.>", cb=self._on_canceled))
        loops = [asyncio.create_task(self._loop(), name=f"chunks-{n}") for n in range(self._slots + 1)]
        try:
            yield
        finally:
            if self._attempts:
                await asyncio.wait(set(self._attempts), timeout=STOP_S)
            for task in self._handling.values():
                task.cancel()
            if self._attempts:
                await asyncio.wait(set(self._attempts), timeout=self._parts.work.stop_grace_s)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            if self._behind:
                await asyncio.wait(set(self._behind), timeout=STOP_S)
            for subscription in heard:
                with suppress(Exception):
                    await subscription.unsubscribe()

    async def _on_work(self, message: Msg) -> None:
        self._wake.set()

    async def _on_canceled(self, message: Msg) -> None:
        with suppress(ValueError):
            canceled = UUID(message.subject.rsplit(".", 1)[-1])
            for (batch_id, _, _), task in list(self._handling.items()):
                if batch_id == canceled:
                    task.cancel()

    # -- taking chunks --------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while not self._parts.stop.is_set():
            self._wake.clear()
            try:
                claimed = await states.claim(
                    self._parts.pool, worker=self._parts.worker, lease_s=self._parts.work.lease_s
                )
            except Exception as error:
                log.warning("no chunk could be claimed; trying again", error=repr(error))
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            if claimed is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
                continue
            self._wake.set()  # there may be more
            chunk, event = claimed
            if event is not None:
                self._behind_it(self._parts.outbox.publish(chunk.batch_id))
            task = asyncio.create_task(self._attempt(chunk), name=f"chunk-{chunk.batch_id}-{chunk.first}")
            self._attempts.add(task)
            task.add_done_callback(self._attempts.discard)
            await asyncio.wait([task])
            if not task.cancelled() and (failed := task.exception()):
                log.error("worker failed outside the handler; the lease will run out", exc_info=failed)

    def _behind_it(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    # -- one claimed chunk ----------------------------------------------------------------------------------------

    async def _attempt(self, chunk: ChunkClaim) -> None:
        follow(chunk.row["traceparent"])
        structlog.contextvars.bind_contextvars(batch=str(chunk.batch_id), chunk=chunk.first, epoch=chunk.epoch)
        crashpoint("chunk.claimed")
        held = (chunk.batch_id, chunk.first, chunk.epoch)
        handling = self._handling[held] = asyncio.create_task(self._handler.handle(chunk))
        keeper = asyncio.create_task(self._keep(chunk, handling), name="lease")
        try:
            try:
                end = await handling
            finally:
                del self._handling[held]
            crashpoint("chunk.handled")
            await self._commit(chunk, end)
        except asyncio.CancelledError:
            if not self._parts.stop.is_set() or not await states.hand_back(self._parts.pool, chunk, delay_s=0.0):
                log.info("stopped: canceled, or owned by somebody newer")
            await throw_away(self._handler.discard(chunk))
        except Exception as error:
            await self._retry_later(chunk, error)
            await throw_away(self._handler.discard(chunk))
        finally:
            keeper.cancel()

    async def _keep(self, chunk: ChunkClaim, handling: "asyncio.Task[ChunkEnd]") -> None:
        while True:
            await asyncio.sleep(self._parts.work.heartbeat_s)
            try:
                held = await states.renew(self._parts.pool, chunk, lease_s=self._parts.work.lease_s)
            except Exception as error:
                log.warning("lease not renewed; trying again", error=repr(error))
                continue
            if not held and not handling.done():
                handling.cancel()
                return

    async def _commit(self, chunk: ChunkClaim, end: ChunkEnd) -> None:
        """Write the end. After a lost answer the retry finds the row already moved, and by whom."""
        event = await write_end(lambda: states.finish(self._parts.pool, chunk, end))
        if event is None and not await states.finished_by(self._parts.pool, chunk):
            log.info("result discarded: somebody newer owns this, or it was canceled")
            await throw_away(self._handler.discard(chunk))
            return
        crashpoint("chunk.committed")
        self._behind_it(self._parts.outbox.publish(chunk.batch_id))

    async def _retry_later(self, chunk: ChunkClaim, error: Exception) -> None:
        delay_s = min(RETRY_DELAY_MAX_S, 0.5 * 2.0 ** min(chunk.epoch, 10))
        log.error("platform fault; the chunk is tried again", delay_s=delay_s, exc_info=error)
        try:
            await states.hand_back(self._parts.pool, chunk, delay_s=delay_s)
        except Exception as away:
            log.warning("not handed back; the lease will run out", error=repr(away))
        self._behind_it(self._parts.outbox.publish(chunk.batch_id))
