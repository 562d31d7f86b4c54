"""What idle WebSockets cost."""

import asyncio
from contextlib import AsyncExitStack

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import part_memory
from tests.client import Client

AT_ONCE = 50


async def measure_sockets(bench: Bench) -> list[Number]:
    """Memory of the notifier for an idle socket: the difference that many of them make."""
    count = bench.times(500)
    async with Client(bench.platform.url) as client, AsyncExitStack() as stack:
        before = part_memory(bench.platform, "notifier")
        for n in range(0, count, AT_ONCE):
            await asyncio.gather(*[stack.enter_async_context(client.live()) for _ in range(min(AT_ONCE, count - n))])
        each = (part_memory(bench.platform, "notifier") - before) / count / 1024
    return [Number(f"memory of the notifier for each of {count} idle sockets", "KiB", [each])]
