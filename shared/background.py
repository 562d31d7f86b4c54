"""Work that goes on beside a block and ends with it, and how a task is ended."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

CANCEL_AGAIN_S = 1.0


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` until the block ends, then cancel it and wait; raises what it raised, if it ended by itself.

    The block may await the task that it is given.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        await stop(task)
        with suppress(asyncio.CancelledError):
            await task


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, however it ends.

    It is cancelled again when nothing comes of it: `wait_for` of Python 3.11, which every request on the bus goes
    through, loses a cancel that meets the answer (python/cpython#86296), and the task would go on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
