"""What a ZIP of inputs holds, told by its central directory alone, and how it is cut into chunks.

Nothing is unpacked here: sizes and checksums are proven by the runner, input by input.
"""

import math
from typing import BinaryIO

import msgspec

from shared.codes import PackageCode
from shared.errors import PackageError, TooLarge
from shared.package.directory import MAKE, directory_start, read_directory
from shared.package.model import Entry, shown
from shared.package.names import name_fault
from shared.settings import MIB, Limits

CHUNK_INPUTS = 50
CHUNKS_LEAST = 16
"""A batch is cut into so many chunks or more, if it has the inputs: several runners may work at it, and when the last
chunk begins not much is left."""
CHUNK_BYTES = 64 * MIB
"""A chunk lies on the runner's disk, packed and unpacked."""
LOCAL_HEADER_BYTES = 30
HEADER_BYTES_MAX = LOCAL_HEADER_BYTES + 2 * 0xFFFF
"""A local header with its name and its extra field."""
MAKE_INPUTS = "make one with `zip -0 inputs.zip *.png`"
NOT_INPUTS = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems put beside a person's files."""


class BatchInput(msgspec.Struct, frozen=True, array_like=True):
    """One input in the ZIP of its batch; an array in the row of its chunk, its name first."""

    name: str
    header: int
    """Offset of its local header."""
    end: int
    """Offset that its data does not pass."""
    compressed: int
    size: int
    method: int
    crc: int

    def entry(self, start: int) -> Entry:
        """The same for the reader of packages, in a file that begins at `start` of the ZIP."""
        return Entry(
            name=self.name,
            folder=False,
            size=self.size,
            compressed=self.compressed,
            method=self.method,
            crc=self.crc,
            mode=0,
            header=self.header - start,
        )


def read_inputs(file: BinaryIO, size: int, limits: Limits) -> list[BatchInput]:
    """Return the inputs in a ZIP of `size` bytes by their place in it; folders and droppings of systems are left out.

    Raises PackageError: ARCHIVE_CORRUPT, ARCHIVE_UNSUPPORTED, PATH_INVALID, NAME_COLLISION. Raises TooLarge.
    """
    try:
        entries = read_directory(file, size, entries_max=limits.entries)
        end = directory_start(file, size)
    except PackageError as error:
        if error.code is PackageCode.ARCHIVE_TOO_MANY_ENTRIES:
            raise too_many(f"more than {limits.entries}", limits) from None
        raise PackageError(PackageCode(error.code), error.message.replace(MAKE, MAKE_INPUTS)) from None
    entries = sorted((entry for entry in entries if _is_input(entry)), key=lambda entry: entry.header)
    if not entries:
        raise PackageError(PackageCode.ARCHIVE_CORRUPT, f"the ZIP holds no file; {MAKE_INPUTS}")
    if len(entries) > limits.batch_inputs:
        raise too_many(str(len(entries)), limits)
    _check_names([entry.name for entry in entries])
    nexts = [*[entry.header for entry in entries[1:]], end]
    return [_input(entry, after) for entry, after in zip(entries, nexts, strict=True)]


def too_many(count: str, limits: Limits) -> TooLarge:
    """The error for a batch with too many inputs."""
    return TooLarge(f"The batch has {count} inputs; the limit is {limits.batch_inputs}: send several batches.")


def called_twice(name: str) -> PackageError:
    """The error for two inputs of one name."""
    return PackageError(PackageCode.NAME_COLLISION, f"two inputs are called '{shown(name)}'; rename one")


def cut(inputs: list[BatchInput]) -> list[list[BatchInput]]:
    """Cut into chunks of consecutive inputs, each small enough to be on a runner's disk."""
    most = max(1, min(CHUNK_INPUTS, math.ceil(len(inputs) / CHUNKS_LEAST)))
    chunks: list[list[BatchInput]] = []
    weight = 0
    for each in inputs:
        weight += max(each.size, each.end - each.header)
        if not chunks or len(chunks[-1]) >= most or weight > CHUNK_BYTES:
            chunks.append([])
            weight = max(each.size, each.end - each.header)
        chunks[-1].append(each)
    return chunks


def _is_input(entry: Entry) -> bool:
    base = entry.name.rpartition("/")[2]
    return not (entry.folder or base.startswith("._") or entry.name.startswith(NOT_INPUTS) or base in NOT_INPUTS)


def _input(entry: Entry, after: int) -> BatchInput:
    if entry.header + LOCAL_HEADER_BYTES + len(entry.name.encode()) + entry.compressed > after:
        raise PackageError(
            PackageCode.ARCHIVE_CORRUPT,
            f"the ZIP is damaged: the data of '{shown(entry.name)}' reaches into what follows; make it anew",
        )
    return BatchInput(
        name=entry.name,
        header=entry.header,
        end=min(after, entry.header + HEADER_BYTES_MAX + entry.compressed),
        compressed=entry.compressed,
        size=entry.size,
        method=entry.method,
        crc=entry.crc,
    )


def _check_names(names: list[str]) -> None:
    """Outputs of an input lie in a folder that has its name: no two may be the same, none the folder of another."""
    known: set[str] = set()
    for name in names:
        if (fault := name_fault(name)) is not None:
            raise PackageError(PackageCode.PATH_INVALID, f"the input '{shown(name)}' {fault}")
        if name in known:
            raise called_twice(name)
        known.add(name)
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            if (folder := "/".join(parts[:depth])) in known:
                raise PackageError(
                    PackageCode.NAME_COLLISION,
                    f"'{shown(folder)}' is an input and the folder of '{shown(name)}'; rename one",
                )
