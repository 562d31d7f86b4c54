"""The picture that models see first: at the smoke test, and when a waiting sandbox is warmed up."""

import struct
import zlib
from functools import cache

SIDE = 256


@cache
def smoke_png() -> bytes:
    """Return a PNG with colour gradients, edges and a disc, so that filters and detectors have something to see."""
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)  # filter: none
        for x in range(SIDE):
            disc = (x - 96) ** 2 + (y - 112) ** 2 < 56**2
            checks = x > 168 and y > 168 and (x // 8 + y // 8) % 2 == 0
            rows += bytes((255, 255 - y, 64) if disc else (16, 16, 16) if checks else (x, y, 255 - (x + y) // 2))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
