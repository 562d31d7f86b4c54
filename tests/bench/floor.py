"""The least that a durable, sandboxed job can take: its steps, bare, one after the other."""

import asyncio
import io
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from shared.engine import open_engine
from shared.presign import Signer
from shared.settings import Engine, Storage, load
from tests.bench.frames import commit_and_publish
from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.peers.gray import to_gray
from tests.bench.sides import PICTURES, checked, gray_version, ours

ECHO = """
import sys
read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
while head := read(16):
    read(int(head[:8]))
    write(bytes(int(head[8:])))
    sys.stdout.flush()
"""
"""Takes so many bytes and gives so many, for ever."""
CHANGES = 3
"""State changes of a job, each a commit with its event: queued, running, ended."""

Step = Callable[[], Awaitable[None]]


async def measure_floor(bench: Bench) -> list[Number]:
    """Each step by the plainest client there is, in turn with a prediction of the same picture."""
    words, picture = "a photo", PICTURES["a photo"]()
    gray = io.BytesIO()
    to_gray(io.BytesIO(picture), gray)
    async with AsyncExitStack() as stack:
        us = await stack.enter_async_context(ours(bench))
        once = await stack.enter_async_context(commit_and_publish(bench.platform))
        version = await gray_version(bench)
        echo = await stack.enter_async_context(echoing(bench, version["docker_image"], picture, gray.getvalue()))
        objects = await stack.enter_async_context(storing(bench, picture, gray.getvalue()))

        async def model() -> None:
            await asyncio.to_thread(to_gray, io.BytesIO(picture), io.BytesIO())

        async def changes() -> None:
            for _ in range(CHANGES):
                await once()

        steps: dict[str, Step] = {
            "the model, in a process that runs": model,
            f"{CHANGES} commits and {CHANGES} stored messages": changes,
            "input and output stored, both read again": objects,
            "input into a container, output out of it": echo,
        }
        spent: dict[str, list[float]] = {name: [] for name in steps}
        predicted = []
        await checked(us, picture)
        for _ in range(bench.times(30)):
            for name, step in steps.items():
                started = time.perf_counter()
                await step()
                spent[name].append((time.perf_counter() - started) * 1000)
            predicted.append(await checked(us, picture) * 1000)
    least = sum(statistics.median(times) for times in spent.values())
    over = [ms / least for ms in predicted]
    return [
        *(Number(f"floor: {name}", "ms", times) for name, times in spent.items()),
        Number(f"predict of {words} over the sum of its floor", "x", over, beside=f"the sum is {least:.3g} ms"),
    ]


@asynccontextmanager
async def storing(bench: Bench, picture: bytes, gray: bytes) -> AsyncIterator[Step]:
    """Puts both objects and gets both, by signed URLs over one connection."""
    settings = load(Storage, bench.platform.env)
    signer = Signer(settings.access_key, settings.secret_key, settings.region)

    def signed(method: str, key: str) -> str:
        return signer.sign(method, settings.endpoint, f"/{settings.bucket}/{key}", expires_s=600)

    async with aiohttp.ClientSession() as http:

        async def step() -> None:
            for key, data in (("bench/input", picture), ("bench/output", gray)):
                async with http.put(signed("PUT", key), data=data) as answer:
                    answer.raise_for_status()
                async with http.get(signed("GET", key)) as answer:
                    assert len(await answer.read()) == len(data)

        yield step


@asynccontextmanager
async def echoing(bench: Bench, image: str, picture: bytes, gray: bytes) -> AsyncIterator[Step]:
    """Sends the picture through the engine's stream into a container and takes as many bytes as the gray one has."""
    async with open_engine(load(Engine, bench.platform.env)) as docker:
        container = await docker.containers.create(
            {
                "Image": image,
                "Entrypoint": ["/opt/venv/bin/python", "-c", ECHO],
                "Cmd": [],
                "OpenStdin": True,
                "AttachStdin": True,
                "AttachStdout": True,
                "Labels": {"clinai.instance": bench.platform.instance, "clinai.kind": "sandbox"},
                "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "none"}},
            }
        )
        try:
            async with container.attach(stdin=True, stdout=True) as stream:
                await container.start()
                order = b"%08d%08d" % (len(picture), len(gray)) + picture

                async def step() -> None:
                    await stream.write_in(order)
                    left = len(gray)
                    while left:
                        message = await stream.read_out()
                        assert message is not None, "the container ended"
                        left -= len(message.data)

                yield step
        finally:
            await container.delete(force=True)
