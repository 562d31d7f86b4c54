"""What the model prints, as log frames for the host."""

from __future__ import annotations

import os

from shared.sandbox.inside import frames
from shared.sandbox.inside.wire import send

READ_BYTES = 256 * 1024
LINE_BYTES = 16 * 1024


class Log:
    """Lines of the model's output on their way to the host; after the limit they are read and dropped."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self._limit = self._left = limit
        self._buffer = b""
        self._cut = False

    def read(self) -> bool:
        """Read what is there; False when there is nothing more to come."""
        try:
            data = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return True
        self._take(data)
        return bool(data)

    def drain(self) -> None:
        """Read to the end of what dead writers left, and send the last line even when it is not finished."""
        while True:
            try:
                data = os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                break
            self._take(data)
        self._send(self._buffer)
        self._buffer = b""

    def restart(self) -> None:
        """Count the limit anew for another job."""
        self._left, self._cut, self._buffer = self._limit, False, b""

    def close(self) -> None:
        """Close our end."""
        os.close(self.fd)

    def _take(self, data: bytes) -> None:
        if self._cut or not data:
            return
        # progress bars end their lines with a carriage return
        self._buffer += data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = self._buffer.rfind(b"\n") + 1
        if len(self._buffer) - end > LINE_BYTES:
            end = len(self._buffer)
        self._send(self._buffer[:end])
        self._buffer = self._buffer[end:]

    def _send(self, lines: bytes) -> None:
        if self._cut:
            return
        taken = lines[: self._left]
        self._left -= len(taken)
        for at in range(0, len(taken), frames.CHUNK):
            send(frames.LOG, taken[at : at + frames.CHUNK])
        if len(taken) < len(lines):
            self._cut = True
            self._buffer = b""
            send(frames.LOG_CUT)
