"""Predict: store the input, queue the job, wait for its end (the path of a job without its round trips).

body, hashed while it arrives → inputs/sha256/<digest>, and row QUEUED + event in one transaction that is committed when
the input is stored → wait → row → answer
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
from shared.background import stop
from shared.db import Row, load_queries
from shared.errors import Conflict, NotFound
from shared.events import Event
from shared.ids import new_id
from shared.sandbox import sniff_image
from shared.settings import KIB
from shared.statuses import VersionStatus
from shared.storage import SAFE_TYPES

log = structlog.get_logger()
_queries = load_queries("predict")

KEY_HOURS = 24.0
"""How long an Idempotency-Key stands for its job."""
INLINE_BYTES = 256 * KIB
LOOK_AGAIN_S = 1.0
"""When a job that has not ended by then has its input looked at: a removal may have taken it in between."""
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
    raw = encode_params(params)
    digest = await body.finish()
    key = f"inputs/sha256/{digest}"
    storing = asyncio.create_task(_store(context, key, body), name="input")
    try:
        if body.file is not None:
            await storing  # a large one would hold a connection to the database for long
        request_hash = _hash(target, raw, digest)
        submitted = await _submit(context, user, target, body, digest, params, wishes.key, request_hash, storing)
        await storing
    finally:
        await stop(storing)
    with context.ends.awaiting(submitted.job_id) as ended:
        sending = None if submitted.event is None else context.outbox.send_soon(submitted.event)
        if submitted.event is None and await _has_ended(context, user, submitted.job_id):
            ended.set()
        hung_up = await _until(ended, min(LOOK_AGAIN_S, wishes.wait_s), gone)
        if not ended.is_set() and submitted.event is not None:
            await _keep(context, key, body)
        if not hung_up:
            hung_up = await _until(ended, wishes.wait_s - LOOK_AGAIN_S, gone)
    if sending is not None:
        await sending
    if hung_up and wishes.cancel and not ended.is_set():
        await _cancel(context, user, submitted.job_id)
    row = await own_job(context, user, submitted.job_id)
    return await _prediction(context, row, origin, inline=wishes.inline)


def _hash(target: Target, params: bytes, digest: str) -> bytes:
    """What makes two requests the same one."""
    return hashlib.sha256(b"\0".join((target.named.encode(), params, digest.encode()))).digest()


async def _store(context: Context, key: str, body: Input) -> None:
    """Put the input where no client can write; the same bytes again change nothing."""
    async with storage_at_hand():
        if body.file is None:
            await context.storage.put(key, body.small)
        else:
            await context.storage.put_open(key, body.file)


async def _keep(context: Context, key: str, body: Input) -> None:
    """Put the input again if a removal that was under way has taken it: before this job's row, nobody referred to it.

    The runner tries a job again whose stored input is not there.
    """
    async with storage_at_hand():
        if await context.storage.head(key) is None:
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
    stored: Awaitable[None],
) -> Submitted:
    """Make the job with its event once its input is stored, or find the one that the key stands for."""
    values = {
        "version_id": target.version_id,
        "user_id": user.id,
        "params": params,
        "upload_key": quarantine_key(),  # nothing is ever put there
        "input_path": f"inputs/sha256/{digest}",
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
                row = await _queries.queue_prediction(connection, id=new_id(), **values)
                if row is not None:
                    event = await transitions.record_event(connection, "job", row)
                    await stored
                    return Submitted(row["id"], event)
        known = await _queries.job_of_key(context.pool, user_id=user.id, idempotency_key=key, hours=KEY_HOURS)
        if known is None:  # it has had its day, or its job was deleted meanwhile
            await _queries.release_key(context.pool, user_id=user.id, idempotency_key=key, hours=KEY_HOURS)
            continue
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


async def _prediction(context: Context, row: Row, origin: str, *, inline: bool) -> Prediction:
    outputs = downloads(context, row, origin)
    if inline:
        left = INLINE_BYTES
        for n, stored in enumerate(row["outputs"]):
            if stored["size"] <= left:
                left -= stored["size"]
                outputs[n] = await _inline(context, outputs[n], stored)
    job = answer(context, row, origin)
    return Prediction(
        **msgspec.structs.asdict(job), job_id=job.id, output_urls=[output.url for output in outputs], outputs=outputs
    )


async def _inline(context: Context, output: Output, stored: dict[str, Any]) -> Output:
    """The output with a `data:` URL; with its signed one when storage does not give what was stored."""
    async with storage_at_hand():
        data = await context.storage.read(stored["key"], limit_bytes=max(1, stored["size"]))
    if data is None or hashlib.sha256(data).hexdigest() != stored["sha256"]:
        log.error("a stored output is not what it was", key=stored["key"])
        return output
    type_ = output.content_type if output.content_type in SAFE_TYPES else "application/octet-stream"
    return msgspec.structs.replace(output, url=f"data:{type_};base64,{base64.b64encode(data).decode()}")
