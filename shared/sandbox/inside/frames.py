"""Frames between the host and pid 1, and between pid 1 and the model's process: kind, length, payload.

LOAD comes once, then one job or several, one after the other: each is JOB, INPUT…, INPUT_END. Its answer is LOG…,
RESULT when there is one, ENDED, and after a RESULT the outputs up to OUTPUTS_END (or REFUSED). DONE comes when nothing
of the job is left, and before it no other job may be sent. A model that must be loaded again is loaded from the options
it had.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PROTOCOL = 3
HEADER = struct.Struct(">cI")
CHUNK = 64 * 1024
"""Bytes of input, output or log that one frame carries at most."""

# host → pid 1
LOAD = b"L"  # JSON: start the model's process; it imports predict.py and calls setup()
JOB = b"J"  # JSON: what to run
INPUT = b"I"  # bytes of the input file
INPUT_END = b"E"

# pid 1 → host
HELLO = b"H"  # JSON: pid 1 has its own uid and is ready
LOG = b"G"  # whole lines of the model's stdout and stderr
LOG_CUT = b"C"  # the log limit is reached; what follows is dropped
RESULT = b"V"  # the result as JSON, before ENDED
ENDED = b"N"  # JSON: how the model's process ended, with the evidence
FILE = b"F"  # JSON: the next output's name and size
DATA = b"D"  # bytes of that output
REFUSED = b"Q"  # JSON: an output that cannot be taken
OUTPUTS_END = b"O"  # the last output is complete: the answer is
DONE = b"Z"  # JSON: the job is over, nothing of it is left; whether a loaded model waits for the next

# the model's process → pid 1
LOADED = b"L"  # JSON: number of threads; predict.py is imported and set up
BEGUN = b"B"  # the process that was forked for the job has its order
RETURNED = b"V"  # the result as JSON
FAULT = b"X"  # JSON: what went wrong
EXITED = b"E"  # JSON: wait status of the process that was forked for the job
SYNC = b"Y"  # the word that pid 1 gave: the loaded process waits for a job again
THREADS = b"T"  # JSON: number of threads after a run inside the loaded process

MEDDLED_STATUS = 77
"""Exit status of pid 1 when the loaded model would not be held while its files are looked at."""


class ProtocolError(Exception):
    """The other side does not speak as agreed."""


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return HEADER.pack(kind, len(payload)) + payload


class Decoder:
    """Cuts a stream of bytes into frames; holds at most one incomplete frame of `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the frames that `data` completes; raises ProtocolError for one that claims more than the limit."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= HEADER.size:
                kind, size = HEADER.unpack_from(self._buffer, at)
                if size > self._limit:
                    raise ProtocolError(f"a frame of {size} bytes; the limit is {self._limit}")
                start = at + HEADER.size
                if len(self._buffer) - start < size:
                    break
                at = start + size
                yield kind, bytes(self._buffer[start:at])
        finally:
            del self._buffer[:at]
