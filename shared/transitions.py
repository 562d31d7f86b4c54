"""State changes of versions and jobs: guarded UPDATE and outbox row in one transaction (design, sections 4 and 5).

    row = await transitions.move(pool, "job", "claim_job", id=…, worker=…, lease_s=30)
    await outbox.publish(row["id"])

    moved = await transitions.move_event(pool, "job", "claim_job", …)      # when the event before is known to have left
    await outbox.send(moved.event)

`None` means that no row moved: somebody else was first, and the caller has nothing to do.
"""

from typing import Any, NamedTuple

import msgspec

from shared.db import Connection, Pool, Row, load_queries
from shared.events import Event, Noun, event_of
from shared.ids import new_id
from shared.tracing import current_traceparent

_queries = load_queries("transitions")
_outbox = load_queries("outbox")


class Moved(NamedTuple):
    """A row that has moved, and the event of it that is in the outbox."""

    row: Row
    event: Event


async def record_event(connection: Connection, noun: Noun, row: Row, *, delay_s: float = 0.0) -> Event:
    """Write the event of the state that `row` has just entered; call it inside the transaction of the change.

    With `delay_s` the relay sends it that much later: how a retry waits without holding a slot.
    """
    subject, body = event_of(noun, row)
    event = Event(
        id=new_id(),
        object_id=row["id"],
        rev=row["rev"],
        subject=subject,
        data=msgspec.json.encode(body),
        traceparent=current_traceparent(),
        time=row["updated_at"],  # now() of this transaction, as the outbox row's created_at
    )
    await _outbox.add_event(
        connection,
        id=event.id,
        object_id=event.object_id,
        rev=event.rev,
        subject=event.subject,
        type=event.type,
        data=msgspec.Raw(event.data),
        traceparent=event.traceparent,
        delay_s=delay_s,
    )
    return event


async def move(pool: Pool, noun: Noun, query: str, *, delay_s: float = 0.0, **parameters: Any) -> Row | None:
    """Run one guarded transition of `transitions.sql` and record its event; None when no row moved."""
    moved = await move_event(pool, noun, query, delay_s=delay_s, **parameters)
    return None if moved is None else moved.row


async def move_event(pool: Pool, noun: Noun, query: str, *, delay_s: float = 0.0, **parameters: Any) -> Moved | None:
    """Do as `move` does and return the event, too, for `Outbox.send`."""
    async with pool.acquire() as connection, connection.transaction():
        row: Row | None = await getattr(_queries, query)(connection, **parameters)
        return None if row is None else Moved(row, await record_event(connection, noun, row, delay_s=delay_s))


async def move_many(pool: Pool, noun: Noun, query: str, **parameters: Any) -> list[Row]:
    """Run a transition that may move many rows, and record an event for each."""
    async with pool.acquire() as connection, connection.transaction():
        rows: list[Row] = [row async for row in getattr(_queries, query)(connection, **parameters)]
        for row in rows:
            await record_event(connection, noun, row)
        return rows


async def renew(pool: Pool, noun: Noun, *, id: Any, epoch: int, lease_s: float) -> bool:
    """Prolong a lease; False when it is lost (canceled, or taken over by somebody newer)."""
    query = _queries.renew_version if noun == "version" else _queries.renew_job
    return await query(pool, id=id, epoch=epoch, lease_s=lease_s) is not None


async def note(pool: Pool, query: str, **parameters: Any) -> bool:
    """Write progress that makes no event (`note_version`, `note_package`); False when the lease is lost."""
    return await getattr(_queries, query)(pool, **parameters) is not None


async def ended_as(pool: Pool, noun: Noun, id: Any, epoch: int, status: str) -> bool:
    """Tell whether the object stands in `status` by this epoch's hand (a commit whose answer was lost)."""
    query = _queries.version_state if noun == "version" else _queries.job_state
    row = await query(pool, id=id)
    return row is not None and row["epoch"] == epoch and row["status"] == status
