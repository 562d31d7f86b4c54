"""The bytes of entries, unpacked a piece at a time: sizes are counted and checksums compared, never believed."""

import bz2
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from shared.codes import PackageCode
from shared.package.directory import BZIP2, DEFLATED
from shared.package.model import Entry, KeepOn, fault, shown

CHUNK_BYTES = 256 * 1024


class _Unpacker(Protocol):
    def more(self, data: bytes) -> bytes:
        """Unpack at most CHUNK_BYTES of `data` and of what was kept back before."""

    @property
    def waiting(self) -> bool:
        """Whether `more(b"")` has something to do."""

    @property
    def eof(self) -> bool:
        """Whether the compressed stream says that it is over."""

    @property
    def unused(self) -> bool:
        """Whether bytes followed that end."""


class _Deflated:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(-15)

    def more(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, CHUNK_BYTES)

    @property
    def waiting(self) -> bool:
        return bool(self._inner.unconsumed_tail)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> bool:
        return bool(self._inner.unused_data)


class _Bzipped:
    def __init__(self) -> None:
        self._inner = bz2.BZ2Decompressor()

    def more(self, data: bytes) -> bytes:
        return self._inner.decompress(data, CHUNK_BYTES)

    @property
    def waiting(self) -> bool:
        return not self._inner.needs_input

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> bool:
        return bool(self._inner.unused_data)


def unpacked(file: BinaryIO, entry: Entry, start: int, keep_on: KeepOn) -> Iterator[bytes]:
    """Yield the contents of an entry whose data begins at `start`.

    Holds at most two chunks. Raises PackageError (ARCHIVE_CORRUPT) when the bytes end early, unpack to another size
    than declared, or do not have the declared checksum; what was yielded before that must be thrown away.
    """
    size, crc = 0, 0
    for piece in _pieces(file, entry, start):
        keep_on()
        size += len(piece)
        if size > entry.size:
            raise _broken(entry, f"declares {entry.size} bytes and unpacks to more")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != entry.size:
        raise _broken(entry, f"declares {entry.size} bytes and unpacks to {size}")
    if crc != entry.crc:
        raise _broken(entry, "does not have the checksum (CRC-32) it declares")


def _pieces(file: BinaryIO, entry: Entry, start: int) -> Iterator[bytes]:
    file.seek(start)
    left = entry.compressed
    if not left:
        return
    unpacker = _UNPACKERS[entry.method]() if entry.method in _UNPACKERS else None
    while left > 0:
        raw = file.read(min(CHUNK_BYTES, left))
        if not raw:
            raise _broken(entry, "ends early")
        left -= len(raw)
        if unpacker is None:
            yield raw
            continue
        try:
            yield from _unpack(unpacker, raw)
        except (zlib.error, OSError) as error:
            raise _broken(entry, f"cannot be unpacked ({error})") from None
        if unpacker.eof:
            if left or unpacker.unused:
                raise _broken(entry, "is followed by bytes that belong to nothing")
            return
    if unpacker is not None:
        raise _broken(entry, "ends early")


def _unpack(unpacker: _Unpacker, raw: bytes) -> Iterator[bytes]:
    piece = unpacker.more(raw)
    while True:
        if piece:
            yield piece
        if unpacker.eof or not (piece or unpacker.waiting):
            return
        piece = unpacker.more(b"")


_UNPACKERS: dict[int, Callable[[], _Unpacker]] = {DEFLATED: _Deflated, BZIP2: _Bzipped}


def _broken(entry: Entry, why: str) -> Exception:
    return fault(
        PackageCode.ARCHIVE_CORRUPT,
        f"the ZIP is damaged: '{shown(entry.name)}' {why}; make the ZIP anew and upload it again",
    )
