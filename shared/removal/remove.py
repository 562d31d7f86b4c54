"""Removal in three steps: stop what is open, delete the rows in one transaction, then objects, images and events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from nats.errors import Error as NatsError

from shared import transitions
from shared.batches import batch_prefix
from shared.batches import states as batches
from shared.db import Connection, Pool, Row, load_queries
from shared.errors import Conflict
from shared.events import EVENTS, LOGS
from shared.removal.images import drop_images
from shared.removal.parts import Removed, Weight, WithParts
from shared.statuses import Role
from shared.storage import STORAGE_ERRORS

log = structlog.get_logger()
_queries = load_queries("removal")

TRIES = 4
"""A deadlock with the sweeper, which moves many rows at once, ends one of the two: it is begun again."""
AT_ONCE = 8
"""Requests to storage and bus under way at once."""
MESSAGES = {
    "job": "The job was removed.",
    "batch": "The batch was removed.",
    "version": "The version was removed.",
    "model": "The model was removed.",
    "user": "The account was removed.",
}


class _Gone:
    """Rows that a transaction has deleted."""

    def __init__(self) -> None:
        self.users: list[Row] = []
        self.models: list[Row] = []
        self.versions: list[Row] = []
        self.jobs: list[Row] = []
        self.batches: list[Row] = []


async def remove_job(parts: WithParts, job_id: UUID) -> Removed:
    """Remove a job with its input, outputs and logs; one that is gone already does not matter."""
    return await _remove(parts, job=job_id)


async def remove_batch(parts: WithParts, batch_id: UUID) -> Removed:
    """Remove a batch with its inputs and outputs; one that is gone already does not matter."""
    return await _remove(parts, batch=batch_id)


async def remove_version(parts: WithParts, version_id: UUID) -> Removed:
    """Remove a version with its package, image, logs, and every job that ran on it, whoever ran it."""
    return await _remove(parts, version=version_id)


async def remove_model(parts: WithParts, model_id: UUID) -> Removed:
    """Remove a model with all its versions and their jobs."""
    return await _remove(parts, model=model_id)


async def remove_user(parts: WithParts, user_id: UUID) -> Removed:
    """Remove an account with everything of theirs: models, jobs on anybody's models, sessions, tickets, events.

    Raises Conflict (LAST_OPERATOR) for the last operator who can sign in.
    """
    return await _remove(parts, user=user_id)


async def weigh(
    parts: WithParts,
    *,
    user: UUID | None = None,
    model: UUID | None = None,
    version: UUID | None = None,
    job: UUID | None = None,
) -> Weight:
    """Tell what the removal of one of these would take; changes nothing."""
    return Weight(**await _queries.weigh(parts.pool, user=user, model=model, version=version, job=job))


async def _remove(parts: WithParts, **target: UUID) -> Removed:
    [(noun, _)] = target.items()
    which: dict[str, UUID | None] = {**dict.fromkeys(("user", "model", "version", "job", "batch")), **target}
    if noun == "user":
        async with parts.pool.acquire() as connection, connection.transaction():
            await _check_operator(connection, target["user"])  # before anything is stopped
    await _stop(parts, MESSAGES[noun], which)
    gone = await _delete_rows(parts, which)
    removed = Removed(
        users=len(gone.users),
        models=len(gone.models),
        versions=len(gone.versions),
        jobs=len(gone.jobs),
        batches=len(gone.batches),
    )
    await _step(removed, "objects in storage", lambda: _delete_objects(parts, gone, removed))
    await drop_images(parts, gone.versions, removed)
    await _step(removed, "events on the bus", lambda: _purge(parts, gone))
    if gone.users or gone.models or gone.versions or gone.jobs or gone.batches:
        log.info(
            "removed", **{noun: str(target[noun])}, jobs=removed.jobs, versions=removed.versions, left=removed.left
        )
    return removed


async def _step(removed: Removed, what: str, step: Callable[[], Awaitable[None]]) -> None:
    """Do what comes after the rows; a part that is away is noted, and the orphan search takes over."""
    try:
        await step()
    except (*STORAGE_ERRORS, NatsError, TimeoutError) as error:
        log.warning("left to the orphan search", what=what, error=repr(error))
        removed.left.append(f"{what}: {error or type(error).__name__}")


# -- rows -------------------------------------------------------------------------------------------------------------


async def _stop(parts: WithParts, message: str, which: dict[str, UUID | None]) -> None:
    """Cancel what is open, with its event, so that workers let go of it; the fence refuses whoever does not."""
    for row in [row async for row in _queries.open_work(parts.pool, **which)]:
        if row["noun"] == "batch":
            if await batches.cancel(parts.pool, row["id"], message=message):
                await parts.outbox.publish(row["id"])
        elif await transitions.move(parts.pool, row["noun"], f"cancel_{row['noun']}", id=row["id"], message=message):
            await parts.outbox.publish(row["id"])


async def _delete_rows(parts: WithParts, which: dict[str, UUID | None]) -> _Gone:
    for tries in range(TRIES):
        try:
            async with parts.pool.acquire() as connection, connection.transaction():
                return await _delete(connection, which)
        except asyncpg.DeadlockDetectedError:
            if tries == TRIES - 1:
                raise
    raise AssertionError


async def _delete(connection: Connection, which: dict[str, UUID | None]) -> _Gone:
    """Lock from the top down, so that nothing new hangs itself below, then delete from the bottom up."""
    gone = _Gone()
    user, model, version, job, batch = (which[noun] for noun in ("user", "model", "version", "job", "batch"))
    if user is not None and await _check_operator(connection, user) is not None:
        gone.users = [await _queries.lock_user(connection, id=user)]
    if user is not None or model is not None:
        gone.models = await _rows(_queries.lock_models(connection, model=model, user=user))
    models = [row["id"] for row in gone.models]
    versions = []
    if models or version is not None:
        versions = [
            row["id"] for row in await _rows(_queries.lock_versions(connection, version=version, models=models))
        ]
    gone.jobs = await _rows(_queries.delete_jobs(connection, job=job, user=user, versions=versions))
    gone.batches = await _rows(_queries.delete_batches(connection, batch=batch, user=user, versions=versions))
    gone.versions = await _rows(_queries.delete_versions(connection, versions=versions))
    await _queries.delete_models(connection, models=models)
    if user is not None:
        await _queries.delete_user(connection, id=user)
    ids = [row["id"] for row in (*gone.jobs, *gone.batches, *gone.versions)]
    await _queries.delete_outbox(connection, ids=ids)
    await _queries.delete_dead_letters_of(connection, ids=ids)
    return gone


async def _check_operator(connection: Connection, user_id: UUID) -> Row | None:
    """Lock the account; raises Conflict when nobody could maintain the platform after its removal."""
    operators = {row["id"] for row in await _rows(_queries.lock_operators(connection))}
    user: Row | None = await _queries.lock_user(connection, id=user_id)
    if user is not None and user["role"] == Role.ADMIN and operators <= {user_id}:
        raise Conflict(
            f"{user['username']} is the last operator who can sign in; make another one first", code="LAST_OPERATOR"
        )
    return user


async def _rows(found: Any) -> list[Row]:
    return [row async for row in found]


# -- objects and events -----------------------------------------------------------------------------------------------


async def _delete_objects(parts: WithParts, gone: _Gone, removed: Removed) -> None:
    storage = parts.storage
    for row in gone.versions:
        if row["upload_id"]:
            await storage.abort_multipart(row["upload_key"], row["upload_id"])
    prefixes = [f"logs/versions/{row['id']}/" for row in gone.versions]
    prefixes += [f"{kind}/{row['id']}/" for row in gone.jobs for kind in ("jobs", "logs/jobs")]
    prefixes += [batch_prefix(row["id"]) for row in gone.batches]
    for deleted in await _each(prefixes, storage.delete_prefix):
        removed.objects += deleted
    keys = [row["upload_key"] for row in (*gone.versions, *gone.jobs, *gone.batches)]
    sizes = {row["package_path"]: row["package_size"] for row in gone.versions if row["package_path"]}
    sizes |= {row["input_path"]: row["input_size"] for row in gone.jobs if row["input_path"]}
    await storage.delete(*keys)
    removed.objects += len(await drop_unused(parts, sizes))


async def drop_unused(parts: WithParts, sizes: dict[str, int | None]) -> list[str]:
    """Delete those of the content-addressed objects that are not needed; return their keys.

    A prediction that has the same input waits for this to end before it stores it, or looks whether it is there.
    """
    if not sizes:
        return []
    async with parts.pool.acquire() as connection, connection.transaction():
        await _queries.hold_paths(connection, paths=list(sizes))
        free = await unused_paths(connection, sizes)
        await parts.storage.delete(*free)
    return free


async def unused_paths(database: Pool | Connection, sizes: dict[str, int | None]) -> list[str]:
    """Those of the content-addressed keys (with their sizes) that no row refers to and no worker may be copying to.

    A worker looks whether the key exists before it writes the key into its row; between the two it can only be told
    by the size of its upload. What is kept for its sake alone is the orphan search's.
    """
    in_use = {row["path"] async for row in _queries.paths_in_use(database, paths=list(sizes))}
    known = [size for size in sizes.values() if size is not None]
    copying = {row["size"] async for row in _queries.sizes_under_way(database, sizes=known)}
    return [path for path, size in sizes.items() if path not in in_use and size not in copying]


async def _purge(parts: WithParts, gone: _Gone) -> None:
    """Take events and log lines of what is gone off the bus: they hold results and messages."""
    objects = [("version", row["owner_id"], row["id"]) for row in gone.versions]
    objects += [("job", row["user_id"], row["id"]) for row in gone.jobs]
    objects += [("batch", row["user_id"], row["id"]) for row in gone.batches]
    users = {row["id"] for row in gone.users}
    events = [f"{noun}.*.{owner}.{id_}" for noun, owner, id_ in objects if owner not in users]
    lines = [f"log.{noun}.{owner}.{id_}" for noun, owner, id_ in objects if owner not in users]
    events += [f"{noun}.*.{user}.*" for user in users for noun in ("version", "job", "batch")]
    lines += [f"log.*.{user}.*" for user in users]
    await _each(events, lambda subject: parts.bus.js.purge_stream(EVENTS, subject=subject))
    await _each(lines, lambda subject: parts.bus.js.purge_stream(LOGS, subject=subject))


async def _each(items: list[str], do: Callable[[str], Awaitable[Any]]) -> list[Any]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> Any:
        async with slots:
            return await do(item)

    return list(await asyncio.gather(*[one(item) for item in items]))
