"""Containers of sandboxes: how they are made, and how they go for certain."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import aiodocker
import aiohttp
import structlog
from aiodocker.containers import DockerContainer

from shared.errors import PlatformFault
from shared.sandbox import inside
from shared.sandbox.inside.identity import HARNESS_UID, MODEL_UID
from shared.sandbox.spec import SandboxSpec

log = structlog.get_logger()
T = TypeVar("T")

MIB = 1024**2
SHM_BYTES = 64 * MIB
HARNESS_BYTES = 48 * MIB
"""Memory of pid 1, on top of the model's."""
GVISOR_BYTES = 192 * MIB
"""What gVisor's own kernel takes from the same container, more with each process."""
HARNESS_PROCESSES = 4
PROCESSES_MIN = 16
"""What the engine itself needs to start a container."""
GVISOR_PROCESSES = 4096
"""Under gVisor a low pids limit kills the sandbox itself; RLIMIT_NPROC holds the model there (design, section 12)."""
INODE_BYTES = 1024
"""Kernel memory of an empty file, charged to the container."""
OPEN_FILES = 4096
CREATE_TIMEOUT_S = 60.0
REMOVE_TIMEOUT_S = 30.0
MODULES = (
    *("frames", "wire", "names", "identity", "evidence", "collector", "log", "held", "spawn", "traces", "process"),
    "pid1",
)

_BOOT = """import sys, types
for name in ("shared", "shared.sandbox", "shared.sandbox.inside"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
def load(name, source):
    module = sys.modules["shared.sandbox.inside." + name] = types.ModuleType("shared.sandbox.inside." + name)
    setattr(sys.modules["shared.sandbox.inside"], name, module)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
for name, source in zip(sys.argv[2::2], sys.argv[3::2]):
    load(name, source)
sys.modules["shared.sandbox.inside.pid1"].main(sys.argv[1])
"""


@cache
def harness_command() -> list[str]:
    """The command of pid 1, with its own and the model process's source as arguments (ADR 0003)."""
    folder = Path(inside.__file__).parent
    command = ["/usr/local/bin/python", "-I", "-S", "-c", _BOOT, (folder / "model.py").read_text()]
    for name in MODULES:
        command += [name, (folder / f"{name}.py").read_text()]
    return command


def is_gvisor(spec: SandboxSpec) -> bool:
    """Whether the sandbox runs under gVisor."""
    return "runsc" in spec.runtime


def container_config(spec: SandboxSpec) -> dict[str, Any]:
    """The engine's description of a sandbox (design, section 9)."""
    page = 4096
    in_bytes = _round(spec.input_bytes + page)
    # a file takes whole pages: room for as many as may be written, and for one more, so that the limit is seen
    out_bytes = _round(spec.output_bytes + (spec.output_files + 1) * page + MIB)
    out_files, tmp_files = 2 * spec.output_files + 128, max(1024, spec.tmp_bytes // (8 * 1024))
    tmpfs_bytes = in_bytes + out_bytes + spec.tmp_bytes + SHM_BYTES + (out_files + tmp_files) * INODE_BYTES
    kernel_bytes = GVISOR_BYTES if is_gvisor(spec) else 0
    memory = _round(spec.memory_bytes + tmpfs_bytes + HARNESS_BYTES + kernel_bytes)
    file_bytes = max(in_bytes, out_bytes, spec.tmp_bytes)
    processes = GVISOR_PROCESSES if is_gvisor(spec) else max(spec.processes + HARNESS_PROCESSES, PROCESSES_MIN)
    host = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": ["SETUID", "SETGID", "KILL"],
        "SecurityOpt": ["no-new-privileges"],
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": int(spec.cpus * 1e9),
        "PidsLimit": processes,
        "IpcMode": "private",
        "ShmSize": SHM_BYTES,
        "Init": False,
        "Tmpfs": {
            "/workspace/in": f"size={in_bytes},nr_inodes=64,mode=0755,uid={HARNESS_UID},gid={HARNESS_UID}",
            "/workspace/out": f"size={out_bytes},nr_inodes={out_files},mode=0755,uid={MODEL_UID},gid={MODEL_UID}",
            # exec: compilers of numerical code put libraries there
            "/tmp": f"size={spec.tmp_bytes},nr_inodes={tmp_files},mode=1777,exec",  # noqa: S108
        },
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "fsize", "Soft": file_bytes, "Hard": file_bytes},
            {"Name": "msgqueue", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": {"Type": "none"},
        "AutoRemove": False,
    }
    if spec.runtime:
        host["Runtime"] = spec.runtime
    return {
        "Image": spec.image,
        "Entrypoint": harness_command(),
        "User": "0:0",  # for the first milliseconds only: see inside/identity.py
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,  # when this process dies, pid 1 sees the end of its stdin and ends too
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Labels": {"clinai.kind": "sandbox", **spec.labels},
        "HostConfig": host,
    }


def _round(size: int) -> int:
    return -(-size // 4096) * 4096


@contextmanager
def engine_faults(doing: str) -> Iterator[None]:
    """Turn whatever the engine or the way to it raises into a PlatformFault that says what was being done."""
    try:
        yield
    except aiodocker.DockerError as error:
        raise PlatformFault(f"{doing}: the engine answered {error.status}: {error.message}") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise PlatformFault(f"{doing}: {error or type(error).__name__}") from error


async def to_the_end(work: Awaitable[T]) -> T:
    """Await `work` to its end even when cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()
        raise cancelled
    return task.result()


@asynccontextmanager
async def sandbox_container(docker: aiodocker.Docker, spec: SandboxSpec) -> AsyncIterator[DockerContainer]:
    """Create a container and remove it at the end, on every path; raises PlatformFault when it cannot be made."""
    name = f"clinai-sandbox-{uuid4().hex}"
    creating = asyncio.ensure_future(docker.containers.create(container_config(spec), name=name))
    try:
        with engine_faults("creating a sandbox"):
            async with asyncio.timeout(CREATE_TIMEOUT_S):
                # not cancelled with us: what the engine creates after we looked away would stay for ever
                container = await asyncio.shield(creating)
        yield container
    finally:
        await to_the_end(_remove_created(docker, creating, name))


async def _remove_created(docker: aiodocker.Docker, creating: "asyncio.Future[DockerContainer]", name: str) -> None:
    await asyncio.wait([creating], timeout=CREATE_TIMEOUT_S)
    if creating.done() and isinstance(creating.exception(), aiodocker.DockerError):
        return  # the engine said no: there is none
    creating.cancel()
    try:
        await remove_container(docker, name)
    except PlatformFault as fault:
        # what is left is removed by its labels when this worker starts again
        log.warning("sandbox not removed", container=name, reason=fault.message)


async def remove_container(docker: aiodocker.Docker, name: str) -> bool:
    """Kill and remove a container and await that it is gone; False when it was not there. May be called twice."""
    container = docker.containers.container(name)
    with engine_faults(f"removing the sandbox {name}"):
        async with asyncio.timeout(REMOVE_TIMEOUT_S):
            try:
                await container.delete(force=True, v=True)
            except aiodocker.DockerError as error:
                if error.status == 404:
                    return False
                if error.status != 409:
                    raise
                await _until_removed(docker, name)
    return True


async def _until_removed(docker: aiodocker.Docker, name: str) -> None:
    """Somebody else is removing it already: wait until that is done."""
    try:
        await docker.containers.container(name).wait(condition="removed")
    except aiodocker.DockerError as error:
        if error.status != 404:
            raise


async def remove_leftovers(
    docker: aiodocker.Docker,
    *,
    instance: str,
    worker: str | None = None,
    jobs: Collection[str] | None = None,
    versions: Collection[str] | None = None,
) -> list[str]:
    """Remove sandboxes that a killed process left, found by their labels; return the ids of what was removed.

    `worker` restricts to one worker's, `jobs` and `versions` to those of the objects named. Raises PlatformFault.
    """
    labels = [f"clinai.instance={instance}", "clinai.kind=sandbox"]
    if worker is not None:
        labels.append(f"clinai.worker={worker}")
    with engine_faults("looking for sandboxes left behind"):
        found = await docker.containers.list(all=1, filters=json.dumps({"label": labels}))
    removed = []
    for container in found:
        has = container["Labels"]
        if jobs is not None and has.get("clinai.job") not in jobs:
            continue
        if versions is not None and has.get("clinai.version") not in versions:
            continue
        if await remove_container(docker, container.id):
            removed.append(container.id)
    return removed
