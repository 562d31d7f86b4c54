"""The container engine, through aiodocker (design, section 13)."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiodocker
import aiohttp

from shared import settings

PING_TIMEOUT_S = 3.0


@asynccontextmanager
async def open_engine(config: settings.Engine) -> AsyncIterator[aiodocker.Docker]:
    """Open a client without a limit of connections: each attach or wait holds one of its own."""
    url = settings.docker_host(config)
    connector: aiohttp.BaseConnector | None = None
    if url.startswith("unix://"):
        connector = aiohttp.UnixConnector(url.removeprefix("unix://"), limit=0)
        docker = aiodocker.Docker(url="http://localhost", connector=connector)
    else:
        docker = aiodocker.Docker(url=url)
    try:
        yield docker
    finally:
        await docker.close()
        if connector is not None:
            await connector.close()  # aiodocker leaves a connector that it was given


async def engine_state(docker: aiodocker.Docker) -> str:
    """`ok`, or `down: …` with the reason; never raises."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await docker.version()
    except Exception as error:
        return f"down: {error or type(error).__name__}"
    return "ok"


def host_slots(configured: int, *, memory_bytes: int, cpus: float) -> int:
    """How many sandboxes or builds of that size fit this host at once; at least one."""
    if configured > 0:
        return configured
    total_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    by_memory = int(total_memory * 0.75 / memory_bytes)
    by_cpu = int((os.cpu_count() or 1) / cpus)
    return max(1, min(by_memory, by_cpu))
