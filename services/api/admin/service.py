"""What operators do, for the routes and the command alike."""

from uuid import UUID

import msgspec
from msgspec import UNSET
from nats.errors import Error as NatsError

from services.api.admin.schemas import (
    AdminUser,
    CleanedUp,
    Cleanup,
    CleanupItem,
    ConsumerRow,
    DeadLetter,
    Queue,
    QueueRow,
    UserChange,
    WorkerRow,
    Workers,
)
from shared.bus import BusConnection
from shared.db import Pool, Row, load_queries
from shared.errors import Conflict, NotFound
from shared.events import EVENTS
from shared.heartbeat import SILENT_AFTER_S
from shared.removal import OrphanReport, WithParts, delete_orphans, find_orphans
from shared.statuses import Role

_queries = load_queries("admin")
_outbox = load_queries("outbox")
_workers = load_queries("workers")

OPEN = ("UPLOADING", "QUEUED", "BUILDING", "RUNNING")


def user_of(row: Row) -> AdminUser:
    """Make the answer from a row."""
    return msgspec.convert(dict(row), AdminUser)


async def change_user(pool: Pool, user_id: UUID, change: UserChange) -> AdminUser:
    """Change role or access; a disabled account is signed out everywhere.

    Raises NotFound, and Conflict (LAST_OPERATOR) when nobody could maintain the platform afterwards.
    """
    role = None if change.role is UNSET else change.role
    disabled = None if change.disabled is UNSET else change.disabled
    async with pool.acquire() as connection, connection.transaction():
        operators = {row["id"] async for row in _queries.lock_operators(connection)}
        if operators == {user_id} and (role is Role.USER or disabled):
            raise Conflict("This is the last operator who can sign in; make another one first.", code="LAST_OPERATOR")
        row = await _queries.change_user(connection, id=user_id, role=role, disabled=disabled)
        if row is None:
            raise NotFound("There is no such user.")
        if disabled:
            await _queries.end_sessions(connection, id=user_id)
            await _queries.end_tickets(connection, id=user_id)
    return user_of(row)


async def queue(pool: Pool, bus: BusConnection) -> Queue:
    """Tell what has not ended, and what waits on the bus."""
    rows = [msgspec.convert(dict(row), QueueRow) async for row in _queries.queue(pool)]
    unpublished = await _queries.unpublished(pool)
    return Queue(items=rows, consumers=await _consumers(bus), unpublished_events=unpublished["events"])


async def _consumers(bus: BusConnection) -> list[ConsumerRow] | None:
    try:
        found = await bus.js.consumers_info(EVENTS)
    except (NatsError, OSError, TimeoutError):
        return None
    return [
        ConsumerRow(
            name=info.name,
            pending=info.num_pending or 0,
            ack_pending=info.num_ack_pending or 0,
            redelivered=info.num_redelivered or 0,
        )
        for info in sorted(found, key=lambda info: info.name)
    ]


async def workers(pool: Pool) -> Workers:
    """Every service that has beaten within a day."""
    rows = [dict(row) async for row in _workers.list_workers(pool)]
    return Workers(
        items=[msgspec.convert(row | {"alive": row["silent_s"] < SILENT_AFTER_S}, WorkerRow) for row in rows]
    )


def dead_letter_of(row: Row) -> DeadLetter:
    """Make the answer from a row."""
    return msgspec.convert(dict(row), DeadLetter)


async def redrive(parts: WithParts, letter_id: UUID) -> None:
    """Send the last event of a dead letter's object again, under the same ce-id.

    May be called again. Raises NotFound, and Conflict (NOTHING_TO_REDRIVE) when the object is gone or has ended.
    """
    letter = await _queries.dead_letter(parts.pool, id=letter_id)
    if letter is None:
        raise NotFound("There is no such dead letter.")
    if letter["object_id"] is None or letter["status"] is None:
        raise Conflict("Its version or job is gone; dismiss the dead letter.", code="NOTHING_TO_REDRIVE")
    if letter["status"] not in OPEN:
        raise Conflict(f"It is {letter['status']} already; dismiss the dead letter.", code="NOTHING_TO_REDRIVE")
    async with parts.pool.acquire() as connection, connection.transaction():
        sent = await _outbox.reemit_object(connection, object_id=letter["object_id"])
        if sent is None:
            raise Conflict("It has no event to send again; it waits for its upload.", code="NOTHING_TO_REDRIVE")
        await _queries.redriven(connection, id=letter_id)
    await parts.outbox.publish(letter["object_id"])


async def dismiss(pool: Pool, letter_id: UUID) -> None:
    """Forget a dead letter; raises NotFound."""
    if await _queries.dismiss(pool, id=letter_id) is None:
        raise NotFound("There is no such dead letter.")


async def clean_up(parts: WithParts, wanted: Cleanup, *, upload_hours: float) -> CleanedUp:
    """Find what nobody refers to, and remove it unless this is a dry run."""
    found = await find_orphans(parts, grace_h=wanted.grace_h, failed_days=wanted.failed_days, upload_hours=upload_hours)
    return cleaned_up(found if wanted.dry_run else await delete_orphans(parts, found), dry_run=wanted.dry_run)


def cleaned_up(report: OrphanReport, *, dry_run: bool) -> CleanedUp:
    """Make the answer from a report."""
    return CleanedUp(
        dry_run=dry_run,
        items=[CleanupItem(**msgspec.structs.asdict(orphan)) for orphan in report.orphans],
        total_bytes=report.total_bytes,
        problems=report.problems,
    )
