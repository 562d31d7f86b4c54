"""What a stored ZIP of inputs holds: its directory is read, a few ranges of the object, and nothing else of it."""

import asyncio
import io
from typing import BinaryIO, cast

from shared.batches.inputs import BatchInput, read_inputs
from shared.codes import PackageCode
from shared.errors import PackageError
from shared.settings import KIB, MIB, Limits
from shared.storage import ObjectStore

SPAN_BYTES = 256 * KIB
DIRECTORY_BYTES_MAX = 16 * MIB


async def list_inputs(storage: ObjectStore, key: str, size: int, limits: Limits) -> list[BatchInput]:
    """Return the inputs; raises as `read_inputs`, and ObjectChanged when the object is gone."""
    window = _Window(size)
    await window.load(storage, key, max(0, size - SPAN_BYTES))
    while True:
        try:
            return await asyncio.to_thread(read_inputs, cast(BinaryIO, window), size, limits)
        except _NotHere as gap:
            await window.load(storage, key, gap.start)


class _NotHere(Exception):
    def __init__(self, start: int) -> None:
        self.start = start


class _Window(io.RawIOBase):
    """A file of which only some spans are here; reading elsewhere raises _NotHere."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0
        self._spans: dict[int, bytes] = {}

    async def load(self, storage: ObjectStore, key: str, start: int) -> None:
        """Bring a span here."""
        if sum(map(len, self._spans.values())) > DIRECTORY_BYTES_MAX:
            raise PackageError(
                PackageCode.ARCHIVE_UNSUPPORTED,
                f"the directory of the ZIP has more than {DIRECTORY_BYTES_MAX} bytes; use shorter names",
            )
        size = min(SPAN_BYTES, self._size - start)
        self._spans[start] = b"".join([piece async for piece in storage.stream(key, start=start, size=size)])

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, which may lie in several spans."""
        end = min(self._at + size, self._size)
        pieces = []
        while self._at < end:
            for start, span in self._spans.items():
                if start <= self._at < start + len(span):
                    piece = span[self._at - start : end - start]
                    break
            else:
                at, self._at = self._at, 0
                raise _NotHere(at)
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)
