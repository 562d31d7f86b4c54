"""Writing to the host and to other processes: whole buffers, waiting until they are taken."""

from __future__ import annotations

import json
import os
from typing import Any

from shared.sandbox.inside.frames import HEADER, encode

BATCH_BYTES = 256 * 1024


def send(kind: bytes, payload: bytes = b"") -> None:
    """Write one frame to the host; waits until it is taken."""
    write_all(1, encode(kind, payload))


class Batch:
    """Frames that leave together: each write wakes every process on the way to the host."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, kind: bytes, payload: bytes = b"") -> None:
        """Add a frame; writes what is there when that is a lot."""
        self._parts += (HEADER.pack(kind, len(payload)), payload)
        self._size += HEADER.size + len(payload)
        if self._size >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is there; waits until it is taken."""
        parts, self._parts, self._size = self._parts, [], 0
        write_all(self._fd, b"".join(parts))


def write_all(fd: int, data: bytes) -> None:
    """Write every byte to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def to_json(body: Any) -> bytes:
    """Encode a frame's body."""
    return json.dumps(body).encode()
