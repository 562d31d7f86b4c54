"""Who may use this host's CPUs: single jobs always, inputs of batches as far as jobs leave room, one at least."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.service import Handler
from shared.worker import Claim, Finish


class Turns:
    """`slots` are the runner's. A chunk holds its turn from input to input until a job needs it."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._jobs = 0
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def _room(self) -> int:
        return max(1, self._slots - self._jobs)

    @contextmanager
    def job(self) -> Iterator[None]:
        """A single job runs; it waits for nobody."""
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1
            self._pass_on()

    @asynccontextmanager
    async def chunk(self) -> AsyncIterator["Turn"]:
        """Wait for a turn, in order of coming, and hold it."""
        turn = Turn(self)
        await self.take(first=False)
        try:
            yield turn
        finally:
            if turn.held:
                self.give()

    async def take(self, *, first: bool) -> None:
        """Wait for a turn; `first` goes before all who wait."""
        if self._taken < self._room and (first or not self._waiting):
            self._taken += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give()  # it was given a turn and does not take it
            else:
                self._waiting.remove(waiter)
            raise

    def give(self) -> None:
        """Give a turn back."""
        self._taken -= 1
        self._pass_on()

    @property
    def crowded(self) -> bool:
        """Whether more turns are taken than jobs leave room for."""
        return self._taken > self._room

    def _pass_on(self) -> None:
        while self._waiting and self._taken < self._room:
            self._taken += 1
            self._waiting.popleft().set_result(None)


class Turn:
    """The turn that a chunk holds."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.held = True

    async def between_inputs(self) -> None:
        """Let jobs go first: give the turn back if they need it, and wait for the next."""
        if not self._turns.crowded:
            return
        self._turns.give()
        self.held = False
        await self._turns.take(first=True)
        self.held = True


class JobsFirst:
    """A job's handler whose jobs are counted in `turns`."""

    def __init__(self, handler: Handler, turns: Turns) -> None:
        self._handler = handler
        self._turns = turns
        self.discard = handler.discard
        self.settled = handler.settled
        self.failure = handler.failure

    async def handle(self, claim: Claim) -> Finish:
        """Run the job."""
        with self._turns.job():
            return await self._handler.handle(claim)
