"""Writing to the host and to other processes: whole buffers, waiting until they are taken."""

from __future__ import annotations

import json
import os
from typing import Any

from shared.sandbox.inside.frames import encode


def send(kind: bytes, payload: bytes = b"") -> None:
    """Write one frame to the host; waits until it is taken."""
    write_all(1, encode(kind, payload))


def write_all(fd: int, data: bytes) -> None:
    """Write every byte to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def to_json(body: Any) -> bytes:
    """Encode a frame's body."""
    return json.dumps(body).encode()
