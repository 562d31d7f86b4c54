"""A user with a READY version, and jobs to move about."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from shared import transitions
from shared.db import Pool
from shared.ids import new_id

MakeJob = Callable[[], Awaitable[UUID]]


@pytest.fixture
async def owner_id(pool: Pool) -> UUID:
    """An account."""
    user = new_id()
    await pool.execute(
        "INSERT INTO users (id, username, email, hashed_password) VALUES ($1, 'ada', 'ada@example.com', 'x')", user
    )
    return user


@pytest.fixture
async def version_id(pool: Pool, owner_id: UUID) -> UUID:
    """A READY version."""
    model, version = new_id(), new_id()
    await pool.execute("INSERT INTO models (id, owner_id, name) VALUES ($1, $2, 'm')", model, owner_id)
    await pool.execute(
        "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key, status)"
        " VALUES ($1, $2, $3, '1', 'k', 'READY')",
        version,
        model,
        owner_id,
    )
    return version


@pytest.fixture
def queued_job(pool: Pool, owner_id: UUID, version_id: UUID) -> MakeJob:
    """Make a QUEUED job whose event nobody has published."""

    async def make() -> UUID:
        job = new_id()
        await pool.execute(
            "INSERT INTO jobs (id, version_id, user_id, upload_key) VALUES ($1, $2, $3, 'k')", job, version_id, owner_id
        )
        await transitions.move(pool, "job", "queue_job", id=job, upload_size=1, upload_etag="e", deadline_s=60)
        return job

    return make


async def events(pool: Pool, object_id: UUID) -> list[tuple[str, int, bool]]:
    """(type, rev, published) of an object's outbox rows, in order."""
    rows = await pool.fetch(
        "SELECT type, rev, published_at IS NOT NULL AS sent FROM outbox WHERE object_id = $1 ORDER BY rev", object_id
    )
    return [(row["type"], row["rev"], row["sent"]) for row in rows]
