"""A database as full as after years of use: users, models, versions, jobs and events by `INSERT … SELECT`."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg

from tests.platforms import ROOT

USERS = 200
MODELS_PER_VERSION = 0.01
WEEK_OF_EVENTS = 200_000
"""The outbox keeps what the stream does."""
JOB_EVERY_S = 30
"""A million jobs are a year of work."""

FILL_USERS = """
INSERT INTO users (id, username, email, hashed_password, created_at)
SELECT uuidv7(-(n * interval '1 day')), 'user-' || n, n || '@example.com', 'x', now() - n * interval '1 day'
FROM generate_series(1, $1::int) AS n
"""
FILL_SESSIONS = """
INSERT INTO sessions (id, user_id, expires_at, revoked_at)
SELECT uuidv7(), id, now() + interval '30 days', CASE WHEN n > 2 THEN now() - interval '3 days' END
FROM users, generate_series(1, 10) AS n
"""
FILL_TOKENS = """
INSERT INTO refresh_tokens (token_hash, session_id, used_at)
SELECT sha256((id::text || n)::bytea), id, CASE WHEN n > 1 THEN now() - interval '1 day' END
FROM sessions, generate_series(1, 20) AS n
"""
FILL_MODELS = """
INSERT INTO models (id, owner_id, name, is_public, created_at)
SELECT uuidv7(-(n * interval '10 minutes')), owners.ids[1 + n % array_length(owners.ids, 1)], 'model ' || n, n % 3 = 0,
    now() - n * interval '10 minutes'
FROM generate_series(1, $1::int) AS n, (SELECT array_agg(id ORDER BY id) AS ids FROM users) AS owners
"""
FILL_VERSIONS = """
INSERT INTO versions (id, model_id, owner_id, version_number, status, upload_key, package_path, package_sha256,
    package_size, package_info, docker_image, docker_image_digest, image_bytes, deadline, lease_until, created_at,
    updated_at)
SELECT uuidv7(-(n * interval '1 minute')), m.id, m.owner_id, n::text, state.status, 'quarantine/' || n,
    'packages/sha256/' || hash.hex, hash.hex, 1000000,
    jsonb_build_object('readme', repeat('words ', 100), 'build_recipe', '1', 'dependency_image', 'deps/' || n % 500),
    'registry/model:' || n, 'sha256:' || hash.hex, 300000000, now() + interval '1 hour',
    CASE WHEN state.status = 'BUILDING' THEN now() + interval '30 seconds' END,
    now() - n * interval '1 minute', now() - n * interval '1 minute'
FROM generate_series(1, $1::int) AS n
CROSS JOIN LATERAL (SELECT encode(sha256(n::text::bytea), 'hex') AS hex) AS hash
CROSS JOIN LATERAL (SELECT CASE WHEN n <= 4 THEN 'BUILDING' WHEN n <= 24 THEN 'QUEUED' WHEN n <= 40 THEN 'UPLOADING'
    WHEN n % 20 = 0 THEN 'FAILED' WHEN n % 1000 = 1 THEN 'CANCELED' ELSE 'READY' END AS status) AS state
CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM models) AS all_models
JOIN models AS m ON m.id = all_models.ids[1 + n % array_length(all_models.ids, 1)]
"""
FILL_JOBS = """
INSERT INTO jobs (id, version_id, user_id, status, rev, epoch, upload_key, input_path, input_sha256, input_size,
    input_type, output_paths, outputs, result, timings, deadline, lease_until, worker, queued_at, started_at,
    finished_at, created_at, updated_at)
SELECT uuidv7(-(n * $2::float8 * interval '1 second')),
    -- of a hundred jobs ninety run on one of a thousand versions
    ready.ids[1 + n % CASE WHEN n % 10 = 0 THEN ready.count ELSE least(1000, ready.count) END],
    -- every other job is one user's: whoever has most must not wait longest
    CASE WHEN n % 2 = 0 THEN $3::uuid ELSE accounts.ids[1 + n % array_length(accounts.ids, 1)] END,
    state.status, 3, 1, 'quarantine/' || n, 'inputs/sha256/' || n % 50000, n % 50000, 86000, 'image/png',
    '["gray.png"]', jsonb_build_array(jsonb_build_object('name', 'gray.png', 'key', 'jobs/' || n || '/1/gray.png',
        'size', 123000, 'content_type', 'image/png', 'sha256', n)),
    '{"width": 640, "height": 480}', '{"input": 1.5, "run": 20.5, "upload": 3.5, "total": 40.5}',
    CASE WHEN state.open THEN now() + interval '10 minutes' END,
    CASE WHEN state.status = 'RUNNING' THEN now() + interval '30 seconds' END, 'runner-' || n % 8, made.at, made.at,
    CASE WHEN NOT state.open THEN made.at END, made.at, made.at
FROM generate_series(1, $1::int) AS n
CROSS JOIN LATERAL (SELECT now() - n * $2::float8 * interval '1 second' AS at) AS made
CROSS JOIN LATERAL (SELECT CASE WHEN n <= 16 THEN 'RUNNING' WHEN n <= 416 THEN 'QUEUED' WHEN n <= 500 THEN 'UPLOADING'
    WHEN n % 50 = 7 THEN 'FAILED' WHEN n % 50000 = 8 THEN 'CANCELED' ELSE 'SUCCEEDED' END AS status,
    n <= 500 AS open) AS state
CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids, count(*)::int AS count
    FROM versions WHERE status = 'READY') AS ready
CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM users) AS accounts
"""
FILL_OUTBOX = """
INSERT INTO outbox (id, object_id, rev, subject, type, data, created_at, publish_after, published_at)
SELECT uuidv7(), id, rev, 'job.submitted.' || user_id || '.' || id, 'job.submitted', '{}', created_at, created_at,
    CASE WHEN status <> 'UPLOADING' THEN created_at END
FROM jobs ORDER BY id DESC LIMIT $1
"""
FILL_DEAD_LETTERS = """
INSERT INTO dead_letters (id, kind, stream, consumer, stream_seq, deliveries, subject, object_id)
SELECT uuidv7(), 'max_deliver', 'EVENTS', 'runner', row_number() OVER (), 20, 'job.submitted', id
FROM jobs ORDER BY id DESC LIMIT 1000
"""


@dataclass(frozen=True)
class Filled:
    """What is in a filled database, of which queries need an example."""

    url: str
    user_id: UUID
    """Whoever has half of all jobs."""


async def fill(url: str, *, jobs: int, versions: int, user_id: UUID | None = None) -> Filled:
    """Fill a database that has the schema; a million jobs take minutes. `user_id`: who is to have half of all jobs."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(FILL_USERS, USERS)
        await connection.execute(FILL_SESSIONS)
        await connection.execute(FILL_TOKENS)
        await connection.execute(FILL_MODELS, max(1, int(versions * MODELS_PER_VERSION)))
        await connection.execute(FILL_VERSIONS, versions)
        await connection.execute("ANALYZE versions")
        user_id = user_id or await connection.fetchval("SELECT id FROM users ORDER BY id LIMIT 1")
        await connection.execute(FILL_JOBS, jobs, float(JOB_EVERY_S), user_id)
        await connection.execute(FILL_OUTBOX, min(jobs, WEEK_OF_EVENTS))
        await connection.execute(FILL_DEAD_LETTERS)
        # as autovacuum does in time: statistics, and the map of pages that an index alone answers for
        await connection.execute("VACUUM (ANALYZE)")
        return Filled(url, user_id)
    finally:
        await connection.close()


@asynccontextmanager
async def own_database(url: str) -> AsyncIterator[str]:
    """A database of one's own beside the one at `url`, with the schema of `schema.sql`; gone afterwards."""
    name = f"filled_{secrets.token_hex(4)}"
    beside = await asyncpg.connect(url)
    try:
        await beside.execute(f"CREATE DATABASE {name}")
        try:
            own = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
            connection = await asyncpg.connect(own)
            try:
                await connection.execute((ROOT / "shared" / "db" / "schema.sql").read_text())
            finally:
                await connection.close()
            yield own
        finally:
            await beside.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await beside.close()
