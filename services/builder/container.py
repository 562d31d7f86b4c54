"""Throwaway containers of a build: limits, labels, no mounts, no engine socket (design, section 8).

    async with build_container(docker, spec) as container:
        await container.put(tar)
        ended = await container.run(on_line)

Whatever happens, cancellation included, the container is gone when the block ends.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiodocker
import aiohttp
import msgspec
import structlog
from aiodocker.containers import DockerContainer

from shared.errors import PlatformFault
from shared.settings import KIB, MIB

log = structlog.get_logger()
T = TypeVar("T")

BUILD_USER = "65533:65533"
STDOUT_BYTES = 16 * MIB
LINE_BYTES = 64 * KIB
WATCH_EVERY_S = 2.0
CHUNK_BYTES = 256 * KIB
STDERR = 2
KILLED = (128 + 9, 128 + 15)
"""Exit status of a process that SIGKILL or SIGTERM ended."""


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a build container is and may use."""

    image: str
    command: list[str]
    labels: dict[str, str]
    environment: dict[str, str] = {}
    network: str = "none"
    workdir: str = "/"
    memory_bytes: int
    cpus: float
    processes: int
    disk_bytes: int
    """What it may write; watched, since overlay file systems have no quota everywhere."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the command of a container ended."""

    status: int
    stdout: bytes
    said: list[str]
    """Its last lines on stderr."""
    out_of_memory: bool
    out_of_disk: bool


class BuildContainer:
    """A created container; `run` may be called once."""

    def __init__(self, docker: aiodocker.Docker, container: DockerContainer, spec: ContainerSpec) -> None:
        self._docker = docker
        self._container = container
        self._spec = spec
        self._out_of_disk = False

    async def put(self, tar: bytes | AsyncIterator[bytes], path: str = "/") -> None:
        """Unpack a tar below `path`; works before the container runs."""
        await put_archive(self._docker, self._container.id, tar, path)

    def get(self, path: str) -> AsyncIterator[bytes]:
        """Stream `path` as a tar; works after the container has ended."""
        return get_archive(self._docker, self._container.id, path)

    async def run(self, on_line: Callable[[str], None], *, masked: Callable[[str], str] = str) -> Ended:
        """Start the command and follow it to its end: stderr goes to `on_line` as it is written, stdout is kept.

        `masked` takes secrets out of each line before anybody sees it. Raises PlatformFault when somebody outside
        ended the container: its first process cannot be killed from within.
        """
        said, stdout = _Lines(on_line, masked), bytearray()
        stream = self._container.attach(stdout=True, stderr=True)
        watch = asyncio.create_task(self._watch_disk(), name="watch-disk")
        try:
            await stream.__aenter__()  # attached before it starts: nothing it says is lost
            await self._container.start()
            while (message := await stream.read_out()) is not None:
                if message.stream == STDERR:
                    said.feed(message.data)
                elif len(stdout) < STDOUT_BYTES:
                    stdout += message.data
        finally:
            watch.cancel()
            with suppress(OSError, aiohttp.ClientError, AssertionError):
                await stream.close()
        said.end()
        status = (await self._container.wait())["StatusCode"]
        state = (await self._container.show())["State"]
        out_of_memory = bool(state.get("OOMKilled"))
        if status in KILLED and not out_of_memory and not self._out_of_disk:
            raise PlatformFault(f"a build container was ended from outside (status {status}); was the engine stopped?")
        return Ended(
            status=status,
            stdout=bytes(stdout[:STDOUT_BYTES]),
            said=said.last,
            out_of_memory=out_of_memory,
            out_of_disk=self._out_of_disk,
        )

    async def commit(self, reference: str, labels: dict[str, str]) -> str:
        """Make an image of the container's files, without a trace of what it ran; return the image's id."""
        repository, _, tag = reference.rpartition(":")
        changes = [f'LABEL "{key}"="{value}"' for key, value in labels.items()]
        changes += ["ENTRYPOINT []", 'CMD ["/usr/local/bin/python"]', "USER 65532:65532", "WORKDIR /app"]
        answer = await to_the_end(self._container.commit(repository=repository, tag=tag, changes=changes, pause=False))
        return str(answer["Id"])

    async def _watch_disk(self) -> None:
        """Kill the container when it has written more than it may."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            with suppress(aiodocker.DockerError):
                written = (await self._container.show(size="1")).get("SizeRw") or 0
                if written > self._spec.disk_bytes:
                    self._out_of_disk = True
                    await self._container.kill()


class _Lines:
    """Cuts a byte stream into lines, a hostile one without newlines too."""

    def __init__(self, on_line: Callable[[str], None], masked: Callable[[str], str]) -> None:
        self._on_line = on_line
        self._masked = masked
        self._rest = b""
        self.last: list[str] = []

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._take(line)

    def end(self) -> None:
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def _take(self, raw: bytes) -> None:
        line = self._masked(raw.decode("utf-8", "replace").rstrip())
        self.last = [*self.last[-200:], line]
        self._on_line(line)


@asynccontextmanager
async def build_container(
    docker: aiodocker.Docker, spec: ContainerSpec, *, removals: "list[asyncio.Task[None]] | None" = None
) -> AsyncIterator[BuildContainer]:
    """Create a container and remove it, with all its processes and files, at the end of the block.

    Removing many files takes a second: with `removals` it goes on beside what follows, and the caller awaits it there.
    """
    creating = asyncio.create_task(docker.containers.create(_config(spec)))
    try:
        container = await asyncio.shield(creating)
    except asyncio.CancelledError:
        with suppress(Exception):
            await _remove(await creating)
        raise
    try:
        yield BuildContainer(docker, container, spec)
    finally:
        removal = asyncio.create_task(_remove(container), name="remove-container")
        if removals is None:
            await to_the_end(removal)
        else:
            removals.append(removal)


async def _remove(container: DockerContainer) -> None:
    try:
        try:
            await container.delete(force=True, v=True)
        except aiodocker.DockerError as error:
            if error.status == 409:  # somebody else is removing it already
                await container.wait(condition="removed")
            elif error.status != 404:
                raise
    except (aiodocker.DockerError, aiohttp.ClientError, OSError) as error:
        if not (isinstance(error, aiodocker.DockerError) and error.status == 404):
            log.warning("container left to the next start", container=container.id, error=repr(error))


def _config(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "Image": spec.image,
        "Entrypoint": [],
        "Cmd": spec.command,
        "User": BUILD_USER,
        "WorkingDir": spec.workdir,
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": spec.labels,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": spec.network,
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "NanoCpus": int(spec.cpus * 1e9),
            "PidsLimit": spec.processes,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "none"},
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        },
    }


async def put_archive(
    docker: aiodocker.Docker, container_id: str, tar: bytes | AsyncIterator[bytes], path: str
) -> None:
    """Unpack a tar in a container; aiodocker's own call does not stream."""
    async with docker._query(
        f"containers/{container_id}/archive",
        "PUT",
        params={"path": path},
        data=tar,
        headers={"Content-Type": "application/x-tar"},
    ) as response:
        await response.read()


async def get_archive(docker: aiodocker.Docker, container_id: str, path: str) -> AsyncIterator[bytes]:
    """Stream a path of a container as a tar; aiodocker's own call reads it whole into memory."""
    async with docker._query(f"containers/{container_id}/archive", params={"path": path}) as response:
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            yield chunk


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    """Stream a file without blocking the loop."""
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


async def to_the_end(work: Awaitable[T]) -> T:
    """Await something that must not stop halfway; a cancellation that came meanwhile is raised afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


async def remove_build_containers(docker: aiodocker.Docker, *, instance: str, worker: str) -> int:
    """Remove build containers that a killed process of this worker left; return how many there were."""
    labels = [f"clinai.instance={instance}", "clinai.kind=build", f"clinai.worker={worker}"]
    found = await docker.containers.list(all="1", filters=msgspec.json.encode({"label": labels}).decode())
    for container in found:
        await _remove(container)
    return len(found)
