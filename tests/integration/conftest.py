"""The backing parts alone (database, bus, storage, registry), of the session's own; services run inside the test."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from shared import settings
from shared.bus import BusConnection, open_bus
from shared.db import Pool, open_pool
from shared.outbox import Outbox
from shared.settings import load
from shared.storage import ObjectStore, open_storage
from tests.platforms import TestPlatform


@pytest.fixture(scope="session")
def parts() -> Iterator[TestPlatform]:
    """Postgres, NATS, storage and registry, migrated and ready; `parts.env` has their settings."""
    with tempfile.TemporaryDirectory(prefix="clinai-parts-") as folder:
        running = TestPlatform(Path(folder), f"parts-{secrets.token_hex(4)}")
        try:
            yield running.start("--only", "postgres,nats,storage,registry")
        finally:
            running.remove()


@pytest.fixture
async def pool(parts: TestPlatform) -> AsyncIterator[Pool]:
    """A pool on the session's database, with every table empty."""
    pool = await open_pool(load(settings.Database, parts.env))
    await truncate(pool)
    yield pool
    await pool.close()


async def truncate(pool: asyncpg.Pool) -> None:
    """Empty all tables, at last with none that another service locked the other way round (its sweeper never stops)."""
    for last in (False, False, True):
        try:
            await pool.execute("TRUNCATE users, outbox, dead_letters, workers CASCADE")
        except asyncpg.DeadlockDetectedError:
            if last:
                raise
        else:
            return


@pytest.fixture
async def bus(parts: TestPlatform) -> AsyncIterator[BusConnection]:
    """A connection with the streams made and emptied, without consumers."""
    async with open_bus(load(settings.Bus, parts.env), "test") as connection:
        for name in ("EVENTS", "LOGS", "ADVISORIES"):
            for consumer in await connection.js.consumers_info(name):
                await connection.js.delete_consumer(name, consumer.name)
            await connection.js.purge_stream(name)
        yield connection


@pytest.fixture
async def storage(parts: TestPlatform) -> AsyncIterator[ObjectStore]:
    """The bucket, prepared."""
    async with open_storage(load(settings.Storage, parts.env)) as store:
        await store.prepare_bucket()
        yield store


@pytest.fixture
def outbox(pool: Pool, bus: BusConnection) -> Outbox:
    """Publishes events of `pool` on `bus`."""
    return Outbox(pool, bus)
