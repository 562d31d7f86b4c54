"""Predict: store the input, queue the job, wait for its end (the path of a job without its round trips).

body, hashed while it arrives → inputs/sha256/<digest>, and row QUEUED + event in one transaction that is committed when
the input is stored → wait → row → answer. A small input and small outputs go from hand to hand as well
(shared/handover.py).
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import structlog

from services.api.context import Context, User
from services.api.jobs.params import encode_params, row_faults
from services.api.jobs.schemas import Output
from services.api.jobs.service import answer, downloads, not_ready, own_job
from services.api.models.service import MISSING as MODEL_MISSING
from services.api.predict.body import Input
from services.api.predict.schemas import Prediction, Wishes
from services.api.uploads import quarantine_key, storage_at_hand
from services.api.versions.service import MISSING as VERSION_MISSING
from shared import transitions
from shared.background import background
from shared.db import Row, load_queries
from shared.errors import Conflict, NotFound
from shared.events import Event
from shared.handover import INPUT_BYTES, hand_over, input_subject, that_fit
from shared.ids import new_id
from shared.sandbox import sniff_image
from shared.statuses import VersionStatus
from shared.storage import SAFE_TYPES

log = structlog.get_logger()
_queries = load_queries("predict")

KEY_HOURS = 24.0
"""How long an Idempotency-Key stands for its job."""
STORE_S = 10.0
"""How long storage may take for a small input: a connection to the database is held meanwhile."""
OPEN = ("UPLOADING", "QUEUED", "RUNNING")

Gone = Callable[[], Awaitable[None]]
"""Returns when the client has hung up."""


class Target(msgspec.Struct, frozen=True):
    """The version to run, and what the client named: a retry that names a model means the same job, newer versions
    or not.
    """

    version_id: UUID
    named: str


class Submitted(msgspec.Struct, frozen=True):
    """A queued job; `event` is None when an earlier request with the same key has made it."""

    job_id: UUID
    event: Event | None


async def find_version(context: Context, user: User, version_id: UUID) -> Target:
    """Return a version that the user may run; raises NotFound, or Conflict (VERSION_NOT_READY)."""
    row = await _queries.version_to_predict(context.pool, id=version_id, user_id=user.id)
    if row is None:
        raise NotFound(VERSION_MISSING)
    if row["status"] != VersionStatus.READY:
        raise not_ready(row["status"])
    return Target(version_id, f"version:{version_id}")


async def newest_version(context: Context, user: User, model_id: UUID) -> Target:
    """Return the newest READY version of a model that the user may run; raises as `find_version`."""
    row = await _queries.newest_ready_version(context.pool, id=model_id, user_id=user.id)
    if row is None:
        raise NotFound(MODEL_MISSING)
    if row["id"] is None:
        raise Conflict("This model has no version that is READY; build one first.", code="VERSION_NOT_READY")
    return Target(row["id"], f"model:{model_id}")


async def predict(
    context: Context,
    user: User,
    target: Target,
    body: Input,
    params: dict[str, Any],
    wishes: Wishes,
    *,
    origin: str,
    gone: Gone,
) -> Prediction:
    """Queue a job on the body that has arrived and answer at its end, or when the wait is over.

    Raises Conflict (IDEMPOTENCY_MISMATCH), Invalid for wrong params, NotFound for a version deleted meanwhile.
    """
    raw, job_id = encode_params(params), new_id()
    digest = await body.finish()
    request_hash = _hash(target, raw, digest)
    submitted = None if wishes.key is None else await _made_before(context, user, wishes.key, request_hash)
    if submitted is None:
        if body.file is not None:
            await _store(context, _key(digest), body)  # with the database it would hold a connection for long
        elif body.size <= INPUT_BYTES:
            reply = context.ends.inbox(job_id) if wishes.inline and wishes.wait_s > 0 else ""
            await hand_over(context.bus, input_subject(user.id, target.version_id, job_id), body.small, reply=reply)
        submitted = await _submit(context, user, target, body, digest, params, wishes.key, request_hash, job_id)
    with context.ends.awaiting(submitted.job_id) as job:
        ended = job.ended
        sending = None if submitted.event is None else context.outbox.send_soon(submitted.event)
        if submitted.event is None and await _has_ended(context, user, submitted.job_id):
            ended.set()
        hung_up = await _until(ended, wishes.wait_s, gone)
    if sending is not None:
        await sending
    if hung_up and wishes.cancel and not ended.is_set():
        await _cancel(context, user, submitted.job_id)
    row = await own_job(context, user, submitted.job_id)
    return await _prediction(context, row, origin, job.outputs, inline=wishes.inline)


def _hash(target: Target, params: bytes, digest: str) -> bytes:
    """What makes two requests the same one."""
    return hashlib.sha256(b"\0".join((target.named.encode(), params, digest.encode()))).digest()


def _key(digest: str) -> str:
    return f"inputs/sha256/{digest}"


async def _store(context: Context, key: str, body: Input) -> None:
    """Put the input where no client can write; the same bytes again change nothing."""
    async with storage_at_hand():
        if body.file is None:
            async with asyncio.timeout(STORE_S):
                await context.storage.put(key, body.small)
        else:
            await context.storage.put_open(key, body.file)


async def _keep(context: Context, key: str, body: Input) -> None:
    """See to it that the input is stored, for who holds off removals of it.

    A large one was stored before that, when a removal that was under way could still take it.
    """
    if body.file is not None:
        async with storage_at_hand():
            if await context.storage.head(key) is not None:
                return
        log.info("input stored again", key=key)
    await _store(context, key, body)


async def _submit(
    context: Context,
    user: User,
    target: Target,
    body: Input,
    digest: str,
    params: dict[str, Any],
    key: str | None,
    request_hash: bytes,
    job_id: UUID,
) -> Submitted:
    """Make the job with its event while its input is stored, or find the one that the key stands for.

    The lock comes first: a removal that found nobody who needs the same input has ended then, and the next one waits
    for this job's row.
    """
    values = {
        "version_id": target.version_id,
        "user_id": user.id,
        "params": params,
        "upload_key": quarantine_key(),  # nothing is ever put there
        "input_path": _key(digest),
        "input_sha256": digest,
        "input_size": body.size,
        "input_type": sniff_image(body.head)[1],
        "idempotency_key": key,
        "request_hash": request_hash if key else None,
        "deadline_s": context.work.job_deadline_s,
    }
    while True:
        with row_faults():
            async with context.pool.acquire() as connection, connection.transaction():
                await _queries.hold_input(connection, path=_key(digest))
                async with background(_keep(context, _key(digest), body), "input") as kept:
                    row = await _queries.queue_prediction(connection, id=job_id, **values)
                    event = None if row is None else await transitions.record_event(connection, "job", row)
                    await kept
                    if event is not None:
                        return Submitted(job_id, event)
        assert key is not None
        if (known := await _made_before(context, user, key, request_hash)) is not None:
            return known
        # it has had its day, or its job was deleted meanwhile
        await _queries.release_key(context.pool, user_id=user.id, idempotency_key=key, hours=KEY_HOURS)


async def _made_before(context: Context, user: User, key: str, request_hash: bytes) -> Submitted | None:
    """The job that an Idempotency-Key stands for, if any; raises Conflict when it was used for something else."""
    known = await _queries.job_of_key(context.pool, user_id=user.id, idempotency_key=key, hours=KEY_HOURS)
    if known is None:
        return None
    if known["request_hash"] != request_hash:
        raise Conflict(
            "This Idempotency-Key was used for another image, other params or another version; take a new key.",
            code="IDEMPOTENCY_MISMATCH",
        )
    return Submitted(known["id"], None)


async def _until(ended: asyncio.Event, seconds: float, gone: Gone) -> bool:
    """Wait for the job's end, so long at most; True when the client has hung up before."""
    if seconds <= 0 or ended.is_set():
        return False
    waiting = asyncio.create_task(ended.wait())
    listening = asyncio.ensure_future(gone())
    try:
        done, _ = await asyncio.wait((waiting, listening), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return listening in done and waiting not in done
    finally:
        waiting.cancel()
        listening.cancel()


async def _has_ended(context: Context, user: User, job_id: UUID) -> bool:
    return (await own_job(context, user, job_id))["status"] not in OPEN


async def _cancel(context: Context, user: User, job_id: UUID) -> None:
    message = f"Canceled: {user.username}'s client hung up."
    if await transitions.move(context.pool, "job", "cancel_job", id=job_id, message=message):
        await context.outbox.publish(job_id)


async def _prediction(context: Context, row: Row, origin: str, handed: dict[str, bytes], *, inline: bool) -> Prediction:
    outputs = downloads(context, row, origin)
    if inline:
        for n, fits in enumerate(that_fit(stored["size"] for stored in row["outputs"])):
            if fits:
                stored = row["outputs"][n]
                outputs[n] = await _inline(context, outputs[n], stored, handed.get(stored["sha256"]))
    job = answer(context, row, origin)
    return Prediction(
        **msgspec.structs.asdict(job), job_id=job.id, output_urls=[output.url for output in outputs], outputs=outputs
    )


async def _inline(context: Context, output: Output, stored: dict[str, Any], data: bytes | None) -> Output:
    """The output with a `data:` URL, from a runner's hand or storage; its signed one when that has something else."""
    if data is None:
        async with storage_at_hand():
            data = await context.storage.read(stored["key"], limit_bytes=max(1, stored["size"]))
        if data is None or hashlib.sha256(data).hexdigest() != stored["sha256"]:
            log.error("a stored output is not what it was", key=stored["key"])
            return output
    type_ = output.content_type if output.content_type in SAFE_TYPES else "application/octet-stream"
    return msgspec.structs.replace(output, url=f"data:{type_};base64,{base64.b64encode(data).decode()}")
