"""The archives of all chunks as one ZIP (PKWARE APPNOTE 6.3), without unpacking or holding any of them.

A ZIP is its entries, one after the other, and a directory that says where each begins. The entries of a chunk's archive
are therefore sent as they lie, and its directory once more with every place moved; only the list of outcomes is
written anew, since there is to be one.
"""

import struct
import zlib
from datetime import UTC, datetime
from typing import Any

_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4s3L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64 = 1
_SIZES_FOLLOW, _UTF8 = 0x0008, 0x0800
_DEFLATED = 8
_VERSION, _VERSION64 = 20, 45
_UNIX, _FILE_MODE = 3 << 8, 0o100644 << 16


def moved(directory: bytes, *, before: int, by: int) -> tuple[bytes, int]:
    """Return the records of a central directory whose entries lie `by` bytes further on, and how many they are.

    Only those of entries that begin before the offset `before` are taken.
    """
    records: list[bytes] = []
    at = 0
    while directory[at : at + 4] == b"PK\x01\x02":
        fields = list(_CENTRAL.unpack_from(directory, at))
        at += _CENTRAL.size
        name_length, extra_length, comment_length = fields[10:13]
        name = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        size, compressed, header = _wide(extra, fields[9], fields[8], fields[16])
        if header < before:
            records.append(_record(fields, name, size, compressed, header + by))
    return b"".join(records), len(records)


def _wide(extra: bytes, size: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Take the 64-bit values (APPNOTE 4.5.3) for those that do not fit into 32 bits."""
    values, at = b"", 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64:
            values = extra[at + 4 : at + 4 + length]
        at += 4 + length
    found = []
    for value in (size, compressed, header):
        if value == _MAX32 and values:
            value, values = struct.unpack_from("<Q", values)[0], values[8:]
        found.append(value)
    return found[0], found[1], found[2]


def _record(fields: list[Any], name: bytes, size: int, compressed: int, header: int) -> bytes:
    large = [value for value in (size, compressed, header) if value >= _MAX32]
    extra = struct.pack(f"<2H{len(large)}Q", _ZIP64, 8 * len(large), *large) if large else b""
    fields[2] = max(fields[2], _VERSION64) if large else fields[2]
    fields[8], fields[9], fields[16] = (min(value, _MAX32) for value in (compressed, size, header))
    fields[10], fields[11], fields[12] = len(name), len(extra), 0
    return _CENTRAL.pack(*fields) + name + extra


class Squeezed:
    """An entry that is written while its contents come in: size and checksum follow it."""

    def __init__(self, name: str, at: int, time: datetime) -> None:
        self._name = name.encode()
        self._at = at
        self._packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._crc = self._size = self._compressed = 0
        time = time.astimezone(UTC)
        self._time = time.hour << 11 | time.minute << 5 | time.second // 2
        self._date = (time.year - 1980) << 9 | time.month << 5 | time.day

    def begin(self) -> bytes:
        """The entry's header."""
        flags = _SIZES_FOLLOW | _UTF8
        fixed = _LOCAL.pack(
            *(b"PK\x03\x04", _VERSION, flags, _DEFLATED, self._time, self._date, 0, 0, 0, len(self._name), 0)
        )
        return fixed + self._name

    def more(self, data: bytes) -> bytes:
        """What the next piece of the contents becomes."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        return self._count(self._packer.compress(data))

    def end(self) -> bytes:
        """The rest of the entry."""
        return self._count(self._packer.flush()) + _DESCRIPTOR.pack(
            b"PK\x07\x08", self._crc, self._compressed, self._size
        )

    def record(self) -> bytes:
        """Its record for the directory, once it has ended."""
        fields: list[Any] = [
            *(b"PK\x01\x02", _UNIX | _VERSION, _VERSION, _SIZES_FOLLOW | _UTF8, _DEFLATED, self._time, self._date),
            *(self._crc, 0, 0, 0, 0, 0, 0, 0, _FILE_MODE, 0),
        ]
        return _record(fields, self._name, self._size, self._compressed, self._at)

    def _count(self, data: bytes) -> bytes:
        self._compressed += len(data)
        return data


def end(*, entries: int, at: int, size: int) -> bytes:
    """What follows a central directory of so many entries and bytes that begins at `at`."""
    wide = b""
    if entries >= _MAX16 or at >= _MAX32 or size >= _MAX32:
        wide = _END64.pack(b"PK\x06\x06", _END64.size - 12, _VERSION64, _VERSION64, 0, 0, entries, entries, size, at)
        wide += _LOCATOR.pack(b"PK\x06\x07", 0, at + size, 1)
    few = min(entries, _MAX16)
    return wide + _END.pack(b"PK\x05\x06", 0, 0, few, few, min(size, _MAX32), min(at, _MAX32), 0)
