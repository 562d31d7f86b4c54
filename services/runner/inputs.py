"""The input of a job: from quarantine to where no client can write, by its hash (design, section 6)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from prometheus_client import Counter

from shared.codes import JobCode
from shared.db import Row
from shared.errors import JobError, PlatformFault
from shared.sandbox import sniff_image
from shared.settings import Limits
from shared.storage import Fetched, ObjectChanged, ObjectStore, ObjectTooLarge

SNIFF_BYTES = 64

taken = Counter("clinai_job_inputs_total", "Inputs of jobs by where they came from", ["source"])


class Input(msgspec.Struct, frozen=True):
    """A fetched input: its file here and what is known of it."""

    path: Path
    key: str
    size: int
    sha256: str
    extension: str
    content_type: str


async def fetch_input(storage: ObjectStore, row: Row, folder: Path, limits: Limits, handed: bytes = b"") -> Input:
    """Stream the upload to a file, hash it, and sniff its type; `keep_input` keeps it.

    The input of a prediction is there already (`input_path`): it is read and checked, not copied, or not even read
    when the gateway has handed it over.

    Raises JobError: CONTENT_CHANGED when the object is not the one that `run` saw, INPUT_TOO_LARGE. Raises
    PlatformFault when what the platform itself has stored is not there or differs.
    """
    path = folder / "input"
    known = _take_handed(row, handed, path)
    taken.labels("storage" if known is None else "gateway").inc()
    if known is not None:
        return known
    if row["input_path"]:
        return await _fetch_stored(storage, row, path)
    try:
        got = await storage.fetch(row["upload_key"], path, limit_bytes=limits.input_bytes, etag=row["upload_etag"])
    except ObjectChanged:
        raise JobError(
            JobCode.CONTENT_CHANGED,
            "the uploaded input changed or vanished after `run` was called; create a new job and upload it once",
        ) from None
    except ObjectTooLarge:
        raise JobError(
            JobCode.INPUT_TOO_LARGE, f"the input is larger than {limits.input_bytes} bytes; send a smaller image"
        ) from None
    return _known(path, f"inputs/sha256/{got.sha256}", got)


@asynccontextmanager
async def keep_input(storage: ObjectStore, row: Row, got: Input) -> AsyncIterator[None]:
    """Store the bytes that were hashed under their hash while the block runs; they are there when it is left."""
    if row["input_path"]:
        yield
        return
    keeping = asyncio.create_task(storage.put_file(got.key, got.path), name="keep-input")
    try:
        yield
        await keeping
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def _take_handed(row: Row, handed: bytes, path: Path) -> Input | None:
    """The input that came from hand to hand, when it is the one that is stored."""
    if hashlib.sha256(handed).hexdigest() != row["input_sha256"]:
        return None
    path.write_bytes(handed)
    extension, content_type = sniff_image(handed[:SNIFF_BYTES])
    return Input(path, row["input_path"], len(handed), row["input_sha256"], extension, content_type)


async def _fetch_stored(storage: ObjectStore, row: Row, path: Path) -> Input:
    key = row["input_path"]
    try:
        got = await storage.fetch(key, path, limit_bytes=row["input_size"])
    except (ObjectChanged, ObjectTooLarge):
        raise PlatformFault(f"the stored input {key} is gone or has grown") from None
    if got.sha256 != row["input_sha256"]:
        raise PlatformFault(f"the stored input {key} is not what was stored")
    return _known(path, key, got)


def _known(path: Path, key: str, got: Fetched) -> Input:
    with path.open("rb") as file:
        extension, content_type = sniff_image(file.read(SNIFF_BYTES))
    return Input(path, key, got.size, got.sha256, extension, content_type)
