"""ZIPs that no tool would make: every field of every header can be set, or lie."""

import struct
import zlib
from dataclasses import dataclass

GOOD = "def run(input_path, output_dir):\n    return {'ok': True}\n"


@dataclass
class Raw:
    """One entry; what is None is filled in truthfully."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    mode: int = 0
    packed: bytes | None = None
    size: int | None = None
    compressed: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    offset: int | None = None
    zip64: bool = False

    @property
    def stored(self) -> bytes:
        """The bytes as they lie in the file."""
        if self.packed is not None:
            return self.packed
        if self.method == 8:
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            return deflate.compress(self.data) + deflate.flush()
        return self.data


def good(*more: Raw) -> list[Raw]:
    """A package that may be built, and more."""
    return [Raw(b"predict.py", GOOD.encode(), method=8), Raw(b"requirements.txt"), *more]


def raw_zip(
    entries: list[Raw],
    *,
    count: int | None = None,
    comment: bytes = b"",
    before: bytes = b"",
    after: bytes = b"",
    disk: int = 0,
    end64: bool = False,
) -> bytes:
    """Write a ZIP (APPNOTE 4.3) of the entries as they are."""
    out, central = bytearray(before), bytearray()
    for entry in entries:
        stored = entry.stored
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        size = len(entry.data) if entry.size is None else entry.size
        compressed = len(stored) if entry.compressed is None else entry.compressed
        local = entry.name if entry.local_name is None else entry.local_name
        offset = len(out) - len(before) if entry.offset is None else entry.offset
        out += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, entry.flags, entry.method, 0, 33, crc, compressed, size, len(local), 0
        )
        out += local + stored
        extra = struct.pack("<2H3Q", 1, 24, size, compressed, offset) if entry.zip64 else b""
        if entry.zip64:
            size = compressed = offset = 0xFFFFFFFF
        central += struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\x01\x02", 3 << 8 | 20, 20, entry.flags, entry.method, 0, 33, crc, compressed, size),
            *(len(entry.name), len(extra), 0, 0, 0, entry.mode << 16, offset),
        )
        central += entry.name + extra
    start, total = len(out) - len(before), len(entries) if count is None else count
    out += central
    if end64:
        at = len(out) - len(before)
        out += struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, total, total, len(central), start)
        out += struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
        out += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, len(comment))
    else:
        out += struct.pack("<4s4H2LH", b"PK\x05\x06", disk, disk, total, total, len(central), start, len(comment))
    return bytes(out) + comment + after
