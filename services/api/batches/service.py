"""Batches: store the inputs, look into their directory, queue; cancel, read. A batch is its user's alone.

body → batches/<id>/input….zip → directory → row QUEUED + chunks + event, one transaction → answer
"""

import hashlib
from typing import Any
from uuid import UUID

import msgspec

from services.api.batches.body import Body
from services.api.batches.listing import list_inputs
from services.api.batches.schemas import Batch, BatchUpload, NewBatch, batch_from
from services.api.context import Context, User
from services.api.jobs.params import encode_params, row_faults
from services.api.jobs.service import not_ready
from services.api.paging import Page, before, make_page
from services.api.predict.schemas import read_params
from services.api.predict.service import KEY_HOURS
from services.api.problems import InvalidField
from services.api.uploads import drop_upload, look_at, quarantine_key, storage_at_hand
from services.api.versions.service import MISSING as VERSION_MISSING
from shared.batches import input_key, states
from shared.db import Row, load_queries
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.events import Event
from shared.ids import new_id
from shared.removal import remove_batch
from shared.statuses import BatchStatus, VersionStatus
from shared.storage import ObjectChanged

_queries = load_queries("batches")

MISSING = "There is no such batch, or it is not yours."


async def own_batch(context: Context, user: User, batch_id: UUID) -> Row:
    """Return one of the user's batches; raises NotFound."""
    row: Row | None = await _queries.find_batch(context.pool, id=batch_id, user_id=user.id)
    if row is None:
        raise NotFound(MISSING)
    return row


async def find(context: Context, user: User, batch_id: UUID) -> Batch:
    """Return one batch."""
    return batch_from(await own_batch(context, user, batch_id))


async def page(context: Context, user: User, *, version_id: UUID | None, limit: int, cursor: str | None) -> Page[Batch]:
    """Return the user's batches, newest first."""
    rows = _queries.list_batches(
        context.pool, user_id=user.id, before=before(cursor), rows=limit + 1, version_id=version_id
    )
    return make_page([row async for row in rows], limit, batch_from)


# -- in one request ---------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says beside its body; version and params may be fields of a form instead."""

    version_id: UUID | None
    params: str | None
    key: str | None
    """The Idempotency-Key."""


async def submit(context: Context, user: User, body: Body, wanted: Wanted) -> UUID:
    """Store the inputs of a body and queue them; return the id of the batch, an earlier one's if the key says so.

    Raises NotFound, Conflict (VERSION_NOT_READY, IDEMPOTENCY_MISMATCH), TooLarge, Invalid, PackageError.
    """
    version = None if wanted.version_id is None else await _runnable(context, user, wanted.version_id)
    if version is None and not body.is_form:
        raise InvalidField("version_id", "is missing; put the version's id into the query")
    batch_id = new_id()
    path = input_key(batch_id)
    async with storage_at_hand():
        size = await context.storage.put_stream(path, body.pieces())
    queued: Event | None = None
    try:
        params, raw = read_both(wanted.params, body.fields.get("params"))
        version = version or await _runnable(context, user, read_id(body.fields.get("version_id")))
        async with storage_at_hand():
            inputs = await list_inputs(context.storage, path, size, context.limits)
        digest = hashlib.sha256(b"\0".join((version["id"].bytes, raw, body.digest))).digest()
        values = {
            "version_id": version["id"],
            "user_id": user.id,
            "params": params,
            "upload_key": quarantine_key(),  # nothing is ever put there
            "input_path": path,
            "input_size": size,
            "deadline_s": _deadline_s(context, version, len(inputs)),
            "idempotency_key": wanted.key,
            "request_hash": digest if wanted.key else None,
        }
        while True:
            with row_faults():
                queued = await states.insert(context.pool, batch_id, inputs, **values)
            if queued is not None:
                context.outbox.send_soon(queued)
                return batch_id
            if (known := await _of_key(context, user, wanted.key, digest)) is not None:
                return known
    finally:
        if queued is None:
            await drop_upload(context.storage, path)


def read_id(text: str | None) -> UUID:
    """The version's id from a field of a form; raises InvalidField."""
    try:
        return UUID(text or "")
    except ValueError:
        raise InvalidField("version_id", "is missing or no id; put it into the query or into the form") from None


def read_both(query: str | None, field: str | None) -> tuple[dict[str, Any], bytes]:
    """The params, which may come in either place but not in both, and their JSON; raises Invalid."""
    if query is not None and field is not None:
        raise Invalid("params: they are in the URL and in the form; send them once")
    params = read_params(query if query is not None else field)
    return params, encode_params(params)


async def _of_key(context: Context, user: User, key: str | None, digest: bytes) -> UUID | None:
    """The batch that a taken key stands for; None once a key that has had its day is free again."""
    which = {"user_id": user.id, "idempotency_key": key, "hours": KEY_HOURS}
    known = await _queries.batch_of_key(context.pool, **which)
    if known is None:
        await _queries.release_batch_key(context.pool, **which)
        return None
    if known["request_hash"] != digest:
        raise Conflict(
            "This Idempotency-Key was used for other inputs, other params or another version; take a new key.",
            code="IDEMPOTENCY_MISMATCH",
        )
    return UUID(str(known["id"]))


async def _runnable(context: Context, user: User, version_id: UUID) -> Row:
    version: Row | None = await _queries.version_for_batch(context.pool, id=version_id, user_id=user.id)
    if version is None:
        raise NotFound(VERSION_MISSING)
    if version["status"] != VersionStatus.READY:
        raise not_ready(version["status"])
    return version


def _deadline_s(context: Context, version: Row, inputs: int) -> float:
    """A job's time for platform faults, and the model's for every input."""
    return context.work.job_deadline_s + inputs * float(version["timeout_s"] or context.limits.job_s)


# -- with an upload ---------------------------------------------------------------------------------------------------


async def create(context: Context, user: User, new: NewBatch, origin: str) -> BatchUpload:
    """Create a batch in state UPLOADING and sign the URL of its ZIP. Raises as `submit`."""
    await _runnable(context, user, new.version_id)
    encode_params(new.params)
    key = quarantine_key()
    with row_faults():
        row = await _queries.create_batch(
            context.pool, id=new_id(), version_id=new.version_id, user_id=user.id, params=new.params, upload_key=key
        )
    return BatchUpload(
        batch_id=row["id"],
        upload_url=context.storage.presign_put(key, origin=origin),
        expires_in=context.storage_settings.upload_expires_s,
        max_bytes=context.limits.batch_bytes,
    )


async def run(context: Context, user: User, batch_id: UUID) -> Batch:
    """Copy the upload to where no client can write, look into its directory, and queue.

    Raises Conflict (ALREADY_STARTED, VERSION_NOT_READY, INPUT_MISSING), TooLarge, PackageError, Forbidden.
    """
    row = await own_batch(context, user, batch_id)
    if row["status"] != BatchStatus.UPLOADING:
        raise _started(row["status"])
    if not row["may_run"]:
        raise Forbidden("The owner of this model has made it private; it cannot be run any more.")
    version = await _runnable(context, user, row["version_id"])
    found = await look_at(
        context.storage,
        row["upload_key"],
        limit_bytes=context.limits.batch_bytes,
        missing=Conflict(
            "The inputs have not been uploaded yet; PUT the ZIP to the batch's upload_url.", code="INPUT_MISSING"
        ),
        what="ZIP",
    )
    path = input_key(batch_id)
    queued: Event | None = None
    try:
        async with storage_at_hand():
            await context.storage.copy(row["upload_key"], path, etag=found.etag)
            inputs = await list_inputs(context.storage, path, found.size, context.limits)
        queued = await states.start(
            context.pool,
            batch_id,
            inputs,
            input_path=path,
            input_size=found.size,
            deadline_s=_deadline_s(context, version, len(inputs)),
        )
    except ObjectChanged:
        raise Conflict("The upload changed while it was looked at; upload the ZIP once, then run.") from None
    finally:
        if queued is None:
            await drop_upload(context.storage, path)
    if queued is None:
        raise _started("started")
    context.outbox.send_soon(queued)
    await drop_upload(context.storage, row["upload_key"])
    return await find(context, user, batch_id)


def _started(status: str) -> Conflict:
    return Conflict(f"This batch is {status} already; make a new one for other inputs.", code="ALREADY_STARTED")


# -- the end ----------------------------------------------------------------------------------------------------------


async def cancel(context: Context, user: User, batch_id: UUID) -> Batch:
    """Cancel what of the batch has not ended; again changes nothing. Raises Conflict (ALREADY_ENDED)."""
    row = await own_batch(context, user, batch_id)
    if await states.cancel(context.pool, batch_id, message=f"Canceled by {user.username}.") is not None:
        await context.outbox.publish(batch_id)
        await drop_upload(context.storage, row["upload_key"])
    found = await find(context, user, batch_id)
    if found.status is not BatchStatus.CANCELED:
        raise Conflict(f"This batch is {found.status} already; nothing is left to cancel.", code="ALREADY_ENDED")
    return found


async def remove(context: Context, user: User, batch_id: UUID) -> None:
    """Delete a batch with inputs and outputs; one that is open is canceled first."""
    await own_batch(context, user, batch_id)
    await remove_batch(context, batch_id)
