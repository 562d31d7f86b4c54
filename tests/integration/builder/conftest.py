"""A builder inside the test, on the real engine and registry, and versions for it to build."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiodocker
import msgspec
import pytest

from services.builder.__main__ import make_handler, make_worker
from services.builder.base_image import ensure_base
from services.builder.handler import BuildHandler
from services.builder.reconcile import remove_unfinished
from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool, Row
from shared.engine import open_engine
from shared.ids import new_id
from shared.outbox import Outbox
from shared.service import Parts
from shared.settings import Engine, Index, Instance, Limits, Work, load
from shared.storage import ObjectStore
from tests.conftest import make_zip
from tests.platforms import TestPlatform

MODEL = (
    "from pathlib import Path\n\n"
    "def run(input_path, output_dir):\n"
    "    (Path(output_dir) / 'copy.png').write_bytes(Path(input_path).read_bytes())\n"
    "    return {'ok': True}\n"
)
ENDS = ("READY", "FAILED", "CANCELED")
WORKER = "builder-under-test"


def package(requirements: str = "", source: str = MODEL, **files: str | bytes) -> bytes:
    """A package; keyword names are paths with `__` for the dot."""
    more = {name.replace("__", "."): content for name, content in files.items()}
    return make_zip({"predict.py": source, "requirements.txt": requirements, **more})


@pytest.fixture
async def docker(parts: TestPlatform) -> AsyncIterator[aiodocker.Docker]:
    """The engine; it must hold the base image, which takes a minute once."""
    async with open_engine(load(Engine, parts.env)) as engine:
        await ensure_base(engine, "3.11", progress=print)
        yield engine


@pytest.fixture
async def engine_is_clean(docker: aiodocker.Docker, parts: TestPlatform) -> AsyncIterator[None]:
    """Images of this session's instance go at the end of each test that asks; containers must be gone by then."""
    yield
    assert await containers(docker, parts) == []
    await remove_images(docker, parts)


async def remove_images(docker: aiodocker.Docker, parts: TestPlatform) -> None:
    """Remove every image of the session's instance."""
    for image in await docker.images.list(filters={"label": [f"clinai.instance={parts.instance}"]}):
        for tag in image.get("RepoTags") or []:
            if "<none>" not in tag:
                await docker.images.delete(tag, force=True)


async def containers(docker: aiodocker.Docker, parts: TestPlatform) -> list[str]:
    """Ids of every container of the session's instance."""
    found = await docker.containers.list(
        all=1, filters=msgspec.json.encode({"label": [f"clinai.instance={parts.instance}"]}).decode()
    )
    return [container.id for container in found]


async def until(ready: Callable[[], Awaitable[Any]], timeout_s: float = 30) -> Any:
    """Ask again and again until the answer is true, for what sends no event (the engine, the disk); return it."""
    async with asyncio.timeout(timeout_s):
        while True:
            if answer := await ready():
                return answer
            await asyncio.sleep(0.05)


def folders(scratch: Path) -> list[str]:
    """What builds have left in the folder for temporary files."""
    return [path.name for path in scratch.iterdir()]


async def model_images(docker: aiodocker.Docker, version_id: UUID) -> list[str]:
    """Names of the images in the engine that a version's builds made."""
    found = await docker.images.list(filters={"label": [f"clinai.version={version_id}"]})
    return [tag for image in found for tag in image.get("RepoTags") or []]


class Builder:
    """Makes versions, builds them by a real worker, and looks at their ends."""

    def __init__(self, parts: Parts, owner_id: UUID) -> None:
        self.parts = parts
        self.owner_id = owner_id

    def handler(self, **limits: Any) -> BuildHandler:
        """A handler, with other limits than the defaults where named."""
        changed = msgspec.structs.replace(self.parts.limits, **limits)
        self.parts = Parts(**{**vars(self.parts), "limits": changed})
        return make_handler(self.parts, index_settings())

    @asynccontextmanager
    async def working(self, handler: BuildHandler | None = None) -> AsyncIterator[BuildHandler]:
        """Run a worker for the time of the block."""
        handler = handler or self.handler()
        stop = asyncio.Event()
        worker = make_worker(self.parts, handler)
        task = asyncio.create_task(worker.run(stop))
        try:
            yield handler
        finally:
            stop.set()
            await task
            await handler.dependencies.settle()

    async def version(self, data: bytes, *, owner_id: UUID | None = None) -> UUID:
        """A QUEUED version with `data` uploaded; its event is not published yet."""
        pool, id, model = self.parts.pool, new_id(), new_id()
        owner = owner_id or self.owner_id
        await pool.execute("INSERT INTO models (id, owner_id, name) VALUES ($1, $2, 'm')", model, owner)
        key = f"quarantine/packages/{id}"
        await self.parts.storage.put(key, data)
        await pool.execute(
            "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key) VALUES ($1, $2, $3, '1', $4)",
            id,
            model,
            owner,
            key,
        )
        seen = await self.parts.storage.head(key)
        assert seen is not None
        await transitions.move(
            pool, "version", "queue_version", id=id, upload_size=seen.size, upload_etag=seen.etag, deadline_s=600
        )
        return id

    async def row(self, id: UUID) -> Row:
        """The version as it stands."""
        return await self.parts.pool.fetchrow("SELECT * FROM versions WHERE id = $1", id)

    async def ended(self, id: UUID, timeout_s: float = 180) -> Row:
        """Publish what is due and wait for the event of the end."""
        messages: asyncio.Queue[str] = asyncio.Queue()

        async def take(message: Any) -> None:
            messages.put_nowait(message.subject)

        subscription = await self.parts.bus.nc.subscribe(f"version.*.*.{id}", cb=take)
        await self.parts.bus.nc.flush()
        await self.parts.outbox.publish(id)
        try:
            async with asyncio.timeout(timeout_s):
                while (row := await self.row(id))["status"] not in ENDS:
                    await messages.get()
        except TimeoutError:
            row = await self.row(id)
            raise AssertionError(f"{row['status']} after {timeout_s} s:\n{row['build_logs']}") from None
        finally:
            await subscription.unsubscribe()
        return row

    async def build(self, data: bytes, *, owner_id: UUID | None = None) -> Row:
        """Make a version and await its end; a worker must run."""
        return await self.ended(await self.version(data, owner_id=owner_id))

    async def log(self, row: Row) -> str:
        """The stored log of a version's last build."""
        raw = await self.parts.storage.read(row["log_path"], limit_bytes=1 << 24)
        assert raw is not None
        return raw.decode()

    async def phase(self, id: UUID, name: str, timeout_s: float = 120) -> None:
        """Wait until the live log says that a phase has begun."""
        from services.builder.build import HEADINGS

        heading = f"== {HEADINGS[name]}".encode()
        row = await self.row(id)
        subscription = await self.parts.bus.js.subscribe(
            f"log.version.{row['owner_id']}.{id}", stream="LOGS", ordered_consumer=True
        )
        try:
            async with asyncio.timeout(timeout_s):
                while (await subscription.next_msg(timeout=timeout_s)).data != heading:
                    pass
        finally:
            await subscription.unsubscribe()


def index_settings() -> Index:
    """The index as this machine reaches it."""
    bundle = os.environ.get("CLINAI_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE", "")
    return msgspec.structs.replace(load(Index), ca_bundle=bundle)


MakeOwner = Callable[[str], Awaitable[UUID]]


@pytest.fixture
def make_owner(pool: Pool) -> MakeOwner:
    """Make an account."""

    async def make(name: str) -> UUID:
        user = new_id()
        await pool.execute(
            "INSERT INTO users (id, username, email, hashed_password) VALUES ($1, $2, $3, 'x')",
            user,
            name,
            f"{name}@example.com",
        )
        return user

    return make


@pytest.fixture
async def builder(
    parts: TestPlatform,
    pool: Pool,
    bus: BusConnection,
    storage: ObjectStore,
    outbox: Outbox,
    docker: aiodocker.Docker,
    make_owner: MakeOwner,
    tmp_path: Path,
) -> AsyncIterator[Builder]:
    """A builder's parts, the engine looked after: no container may be left at the end of a test."""
    instance = load(Instance, parts.env)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(remove_unfinished, docker, pool, instance=instance.instance, worker=WORKER)
        made = Parts(
            worker=WORKER,
            instance=instance,
            engine=load(Engine, parts.env),
            work=msgspec.structs.replace(load(Work), builder_slots=2, lease_s=6.0, heartbeat_s=0.5, stop_grace_s=2.0),
            limits=load(Limits),
            pool=pool,
            bus=bus,
            outbox=outbox,
            storage=storage,
            docker=docker,
            scratch=tmp_path,
            stack=stack,
            stop=asyncio.Event(),
        )
        yield Builder(made, await make_owner("ada"))
        assert await containers(docker, parts) == []
        assert folders(tmp_path) == []


@pytest.fixture(scope="session", autouse=True)
def images_of_this_session(parts: TestPlatform) -> Iterator[None]:
    """Images made by these tests leave the engine with them."""
    yield

    async def remove() -> None:
        async with open_engine(load(Engine, parts.env)) as engine:
            await remove_images(engine, parts)

    asyncio.run(remove())


__all__ = ["Builder", "package"]
