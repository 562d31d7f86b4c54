"""The life of a worker: take a message, claim its row, keep the lease, finish, acknowledge (design, sections 4 and 5).

    message → claim (epoch + 1) → handle, with lease and message kept alive → finish (guarded by the epoch) → ack

What others only have to hear of stays off the critical path: the `running` event leaves while the work has begun, the
end's event, the clean-up and the acknowledgement while the slot takes the next message.

The row decides, never the message: a message whose row cannot be claimed is acknowledged and forgotten, because the
sweeper owns queued rows nobody took and leases that ran out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog
from nats.aio.msg import Msg
from prometheus_client import Counter, Gauge, Histogram

from shared import transitions
from shared.bus import BusConnection
from shared.crashpoints import crashpoint
from shared.db import Pool, Row
from shared.errors import LostLease, PlatformFault
from shared.events import Event, Noun
from shared.outbox import Outbox
from shared.queue import LINES, Queue
from shared.settings import Work
from shared.tracing import follow

log = structlog.get_logger()
T = TypeVar("T")

RETRY_DELAY_MAX_S = 30.0
FINISH_TRIES = 8
DISCARD_S = 10.0
DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is shutting down, or starting up again
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock with the sweeper ends one of the two
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of a query
    OSError,
    TimeoutError,
)
"""What a database raises that a second try may find well."""

ended = Counter("clinai_work_ended_total", "Builds and jobs that came to an end here", ["noun", "status", "code"])
running = Gauge("clinai_work_running", "Builds and jobs running here", ["noun"])
duration = Histogram(
    "clinai_work_seconds",
    "From claim to commit, in seconds",
    ["noun"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)


class Claim(msgspec.Struct, frozen=True):
    """An object this worker owns until it finishes it or loses the lease."""

    noun: Noun
    row: Row

    @property
    def id(self) -> UUID:
        """The version's or job's id."""
        return self.row["id"]  # type: ignore[no-any-return]

    @property
    def epoch(self) -> int:
        """The fence: results of an older epoch are discarded."""
        return self.row["epoch"]  # type: ignore[no-any-return]

    @property
    def owner_id(self) -> UUID:
        """Whose it is: a version's owner, a job's user."""
        return self.row["owner_id" if self.noun == "version" else "user_id"]  # type: ignore[no-any-return]


class _Delivered(msgspec.Struct):
    """What of a message's body says where its event stands in the object's order."""

    rev: int


_decode = msgspec.json.Decoder(_Delivered).decode

InProgress = Callable[[], Awaitable[None]]
Finish = dict[str, Any]
"""Parameters of `finish_version` or `finish_job`, `status` among them; id and epoch are added here."""


class Worker:
    """Runs `handle` for each claimed object, `slots` at once.

    `handle(claim)` returns how to finish. It raises PlatformFault (or anything unforeseen) to have the object tried
    again later, and must clean up after itself when it is cancelled. `discard(claim)` removes what an epoch stored that
    did not write the end: it failed, was canceled, or somebody newer owns the object. `settled(claim)` removes what
    only a retry would have needed, once the end is written. `failure` makes the end of an object that ran out of time
    for retries. `elsewhere(message)` tells whether another worker, better placed, has claimed the object: it was
    asked to `take` it.
    """

    def __init__(
        self,
        noun: Noun,
        *,
        worker: str,
        slots: int,
        pool: Pool,
        bus: BusConnection,
        outbox: Outbox,
        work: Work,
        handle: Callable[[Claim], Awaitable[Finish]],
        discard: Callable[[Claim], Awaitable[None]],
        failure: Callable[[Claim, str], Finish],
        settled: Callable[[Claim], Awaitable[None]],
        elsewhere: Callable[[Msg], Awaitable[bool]] | None = None,
    ) -> None:
        self._noun: Noun = noun
        self._queue = Queue(bus, work, LINES[noun])
        self._worker = worker
        self._slots = slots
        self._pool = pool
        self._bus = bus
        self._outbox = outbox
        self._work = work
        self._handle = handle
        self._discard = discard
        self._failure = failure
        self._settled = settled
        self._elsewhere = elsewhere
        self._room = asyncio.Semaphore(slots)
        self._handling: dict[tuple[UUID, int], asyncio.Task[None]] = {}
        """By id and epoch: who lost a lease may meet its own successor here."""
        self._behind: set[asyncio.Task[Any]] = set()
        self._busy = 0
        self._stopping = False

    @property
    def busy(self) -> int:
        """Objects in work now."""
        return self._busy

    async def requeue_own(self) -> None:
        """After a restart under the same name: what the former process held goes back to the queue at once."""
        query = f"requeue_worker_{self._noun}s"
        for row in await transitions.move_many(self._pool, self._noun, query, worker=self._worker):
            log.info("requeued after a restart", id=str(row["id"]))
            await self._outbox.publish(row["id"])

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is held within the grace, and hand back the rest."""
        canceled = await self._bus.nc.subscribe(f"{self._noun}.canceled.>", cb=self._on_canceled)
        slots = [asyncio.create_task(self._queue.deliver(self._taking), name=f"slot-{n}") for n in range(self._slots)]
        try:
            await stop.wait()
        finally:
            self._stopping = True
            self._queue.stop()
            if self._handling:
                log.info("finishing what is held", objects=len(self._handling), grace_s=self._work.stop_grace_s)
                await asyncio.wait(list(self._handling.values()), timeout=self._work.stop_grace_s)
            for task in self._handling.values():
                task.cancel()
            await asyncio.gather(*slots, return_exceptions=True)
            if self._behind:
                await asyncio.wait(set(self._behind), timeout=self._work.stop_grace_s)
            with suppress(Exception):
                await canceled.unsubscribe()

    # -- from a message to a claim ------------------------------------------------------------------------------------

    async def _taking(self, message: Msg) -> None:
        async with self._room:
            await self._process(message)

    async def _process(self, message: Msg) -> None:
        try:
            object_id = UUID(message.subject.rsplit(".", 1)[-1])
        except ValueError:
            await message.term()  # becomes a dead letter: no subject of ours looks like this
            return
        if self._elsewhere is None or not await self._elsewhere(message):
            with self._working(object_id, message.headers):
                try:
                    moved = await self._claim(object_id)
                except Exception as error:
                    log.warning("claim failed; the message comes again", error=repr(error))
                    with suppress(Exception):
                        await message.nak(delay=2)
                    return
                if moved is not None:
                    await self._carry_out(moved, message.data, message.in_progress)
        self._behind_it(_acknowledge(message))

    async def take(self, object_id: UUID, data: bytes, headers: dict[str, str] | None) -> bool:
        """Claim an object that another worker was sent, and work on it; False when there is no free slot or no claim.

        `data` and `headers` are those of the message. The message stays the other's to acknowledge.
        """
        if self._stopping or self._room.locked():
            return False
        await self._room.acquire()
        moved: transitions.Moved | None = None
        try:
            moved = await self._claim(object_id)
        finally:
            if moved is None:
                self._room.release()
        if moved is None:
            return False
        self._behind_it(self._taken(moved, data, headers))
        return True

    async def _taken(self, moved: transitions.Moved, data: bytes, headers: dict[str, str] | None) -> None:
        try:
            with self._working(moved.row["id"], headers):
                await self._carry_out(moved, data, None)
        finally:
            self._room.release()

    @contextmanager
    def _working(self, object_id: UUID, headers: dict[str, str] | None) -> Iterator[None]:
        """Count an object as in work, with its name in every line of the log."""
        follow((headers or {}).get("traceparent", ""))
        structlog.contextvars.bind_contextvars(**{self._noun: str(object_id)})
        self._busy += 1
        running.labels(self._noun).inc()
        try:
            yield
        finally:
            self._busy -= 1
            running.labels(self._noun).dec()
            structlog.contextvars.unbind_contextvars(self._noun, "epoch", "trace")

    async def _claim(self, object_id: UUID) -> transitions.Moved | None:
        return await transitions.move_event(
            self._pool,
            self._noun,
            f"claim_{self._noun}",
            id=object_id,
            worker=self._worker,
            lease_s=self._work.lease_s,
        )

    async def _carry_out(self, moved: transitions.Moved, data: bytes, in_progress: InProgress | None) -> None:
        """Tell of the claim and attempt the work, as a task that a cancel can reach."""
        claim = Claim(self._noun, moved.row)
        told = self._behind_it(self._tell(moved.event, data))
        task = asyncio.create_task(self._attempt(claim, in_progress, told), name=f"{self._noun}-{claim.id}")
        self._handling[claim.id, claim.epoch] = task
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            log.error("worker failed outside the handler; the lease will run out", exc_info=error)

    async def _tell(self, event: Event, data: bytes) -> bool:
        """Send the claim's event; the message that was delivered shows that the one before it has left."""
        with suppress(msgspec.MsgspecError):
            if _decode(data).rev == event.rev - 1:
                return await self._outbox.send(event)
        return await self._outbox.publish(event.object_id)

    def _behind_it(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do something that nobody waits for; a worker that stops does."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return task

    async def _on_canceled(self, message: Msg) -> None:
        with suppress(ValueError):
            canceled = UUID(message.subject.rsplit(".", 1)[-1])
            for (object_id, _), task in list(self._handling.items()):
                if object_id == canceled:
                    task.cancel()

    # -- one claimed object ---------------------------------------------------------------------------------------

    async def _attempt(self, claim: Claim, in_progress: InProgress | None, told: "asyncio.Task[bool]") -> None:
        structlog.contextvars.bind_contextvars(epoch=claim.epoch)
        started = time.monotonic()
        task = asyncio.current_task()
        assert task is not None
        crashpoint(f"{self._noun}.claimed")
        keeper = asyncio.create_task(self._keep(claim, in_progress, task), name="lease")
        try:
            try:
                finish = await self._handle(claim)
            except asyncio.CancelledError:
                self._handling.pop((claim.id, claim.epoch), None)
                if self._stopping:
                    await self._hand_back(claim, delay_s=0.0)
                else:
                    log.info("stopped: canceled, or owned by somebody newer")
                await throw_away(self._discard(claim))
                return
            except LostLease:
                log.info("stopped: canceled, or owned by somebody newer")
                await throw_away(self._discard(claim))
                return
            except Exception as error:
                self._handling.pop((claim.id, claim.epoch), None)
                await self._retry_later(claim, error, told)
                await throw_away(self._discard(claim))
                return
            # From here on a cancel must not interrupt the commit; the guard decides who wins.
            self._handling.pop((claim.id, claim.epoch), None)
            crashpoint(f"{self._noun}.handled")
            await self._commit(claim, finish, told)
            duration.labels(self._noun).observe(time.monotonic() - started)
        finally:
            self._handling.pop((claim.id, claim.epoch), None)
            keeper.cancel()

    async def _keep(self, claim: Claim, in_progress: InProgress | None, task: asyncio.Task[None]) -> None:
        while True:
            await asyncio.sleep(self._work.heartbeat_s)
            try:
                held = await transitions.renew(
                    self._pool, self._noun, id=claim.id, epoch=claim.epoch, lease_s=self._work.lease_s
                )
            except Exception as error:
                log.warning("lease not renewed; trying again", error=repr(error))
                continue
            if not held and (claim.id, claim.epoch) in self._handling:
                task.cancel()
                return
            if in_progress is not None:
                with suppress(Exception):  # a bus that is away delivers again, and the row decides
                    await in_progress()

    async def _commit(self, claim: Claim, finish: Finish, told: "asyncio.Task[bool]") -> None:
        """Write the end. After a lost answer the retry finds the row already moved, and by whom."""
        query = f"finish_{self._noun}"
        moved = await write_end(
            lambda: transitions.move_event(self._pool, self._noun, query, id=claim.id, epoch=claim.epoch, **finish)
        )
        if moved is None and not await transitions.ended_as(
            self._pool, claim.noun, claim.id, claim.epoch, finish["status"]
        ):
            log.info("result discarded: somebody newer owns this, or it was canceled")
            await throw_away(self._discard(claim))
            return
        ended.labels(self._noun, finish["status"], finish.get("error_code") or "").inc()
        crashpoint(f"{self._noun}.committed")
        self._behind_it(self._after(claim, None if moved is None else moved.event, told))

    async def _after(self, claim: Claim, event: Event | None, told: "asyncio.Task[bool]") -> None:
        """Tell of the end, after all that came before it, and clean up."""
        if event is None or not await told:
            await self._outbox.publish(claim.id)
        else:
            await self._outbox.send(event)
        crashpoint(f"{self._noun}.published")
        try:
            await self._settled(claim)
        except Exception as error:
            log.warning("left over until the clean-up", error=repr(error))

    async def _hand_back(self, claim: Claim, *, delay_s: float) -> bool:
        row = await transitions.move(
            self._pool,
            self._noun,
            f"hand_back_{self._noun}",
            id=claim.id,
            epoch=claim.epoch,
            delay_s=delay_s,
        )
        if row is not None and delay_s == 0.0:
            await self._outbox.publish(claim.id)
        return row is not None

    async def _retry_later(self, claim: Claim, error: Exception, told: "asyncio.Task[bool]") -> None:
        delay_s = min(RETRY_DELAY_MAX_S, 0.5 * 2.0 ** min(claim.epoch, 10))
        log.error("platform fault; the work is tried again", delay_s=delay_s, exc_info=error)
        if not await self._hand_back(claim, delay_s=delay_s):
            reason = error.message if isinstance(error, PlatformFault) else type(error).__name__
            await self._commit(claim, self._failure(claim, reason), told)


async def write_end(write: Callable[[], Awaitable[T]]) -> T:
    """Write an end, and again while the database is away; raises PlatformFault when it stays away."""
    for tries in range(FINISH_TRIES):
        try:
            return await write()
        except DATABASE_AWAY as error:
            log.warning("end not written yet; trying again", error=repr(error), tries=tries)
            await asyncio.sleep(min(5.0, 0.25 * 2**tries))
    raise PlatformFault("the database did not take the end of the work; it will be done again")


async def throw_away(discarding: Awaitable[None]) -> None:
    """Remove what an epoch stored: no row will ever refer to it, and its job may have been deleted."""
    try:
        async with asyncio.timeout(DISCARD_S):
            await discarding
    except Exception as error:
        log.warning("left over until the clean-up", error=repr(error))


async def _acknowledge(message: Msg) -> None:
    with suppress(Exception):  # it comes again, and its row cannot be claimed
        await message.ack_sync(timeout=2)
