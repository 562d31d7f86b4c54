"""The inputs of a chunk: its part of the batch's ZIP onto this host's disk, each input proven while it is unpacked."""

from pathlib import Path

import msgspec

from shared.batches.states import ChunkClaim
from shared.codes import JobCode
from shared.errors import JobError, PackageError, PlatformFault
from shared.package.contents import unpacked
from shared.package.directory import data_starts
from shared.package.model import keep_on
from shared.sandbox import sniff_image
from shared.settings import Limits
from shared.storage import ObjectChanged, ObjectStore

SNIFF_BYTES = 64


class Prepared(msgspec.Struct, frozen=True):
    """An input that lies here, or why it does not."""

    path: Path
    extension: str = "bin"
    fault: JobError | None = None


async def fetch_slice(storage: ObjectStore, chunk: ChunkClaim, target: Path) -> None:
    """Write the part of the ZIP that holds the chunk's inputs to a file.

    Raises PlatformFault when what the platform itself has stored is gone.
    """
    start, end = chunk.inputs[0].header, chunk.inputs[-1].end
    key = chunk.row["input_path"]
    try:
        with target.open("wb") as out:
            async for piece in storage.stream(key, start=start, size=end - start):
                out.write(piece)
    except ObjectChanged:
        raise PlatformFault(f"the stored inputs {key} are gone or have become shorter") from None


def unpack(chunk: ChunkClaim, source: Path, folder: Path, limits: Limits) -> list[Prepared]:
    """Unpack each input into a file of its own; for a thread. One that is damaged is told, and the others go on."""
    start = chunk.inputs[0].header
    end = source.stat().st_size
    prepared = []
    with source.open("rb") as file:
        for n, each in enumerate(chunk.inputs):
            path = folder / f"{n:04d}"
            try:
                if each.size > limits.input_bytes:
                    raise JobError(
                        JobCode.INPUT_TOO_LARGE,
                        f"the input has {each.size} bytes and the limit is {limits.input_bytes}; send a smaller image",
                    )
                entry = each.entry(start)
                [place] = data_starts(file, [entry], end).values()
                with path.open("xb") as out:
                    for piece in unpacked(file, entry, place, keep_on):
                        out.write(piece)
            except PackageError as error:
                prepared.append(Prepared(path, fault=JobError(JobCode.INPUT_CORRUPT, error.message)))
            except JobError as error:
                prepared.append(Prepared(path, fault=error))
            else:
                prepared.append(Prepared(path, _extension(path)))
    return prepared


def _extension(path: Path) -> str:
    with path.open("rb") as file:
        return sniff_image(file.read(SNIFF_BYTES))[0]
