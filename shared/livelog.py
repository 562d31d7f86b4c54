"""The log of one build or job: a file on disk, live lines on the bus, and a tail in memory.

A LOGS message is one line as plain UTF-8 text without its newline; the stream's sequence numbers it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import structlog
from nats.js.api import PubAck

from shared.bus import BusConnection
from shared.settings import Limits

log = structlog.get_logger()

TAIL_BYTES = 64 * 1024
FLUSH_TIMEOUT_S = 5.0


class LiveLog:
    """Use as `async with LiveLog(…) as sink:`; `sink.write(line)` never blocks and never raises for the bus.

    Past `limit_bytes` a marker ends the log and further lines are dropped while the work goes on.
    """

    def __init__(
        self, bus: BusConnection, subject: str, path: Path, *, limit_bytes: int, limits: Limits, prefix: str = ""
    ) -> None:
        self._bus = bus
        self._subject = subject
        self._path = path
        self._limit_bytes = limit_bytes
        self._limits = limits
        self._written = 0
        self._lines = 0
        self._tail: deque[str] = deque()
        self._tail_bytes = 0
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._acks: set[asyncio.Future[PubAck]] = set()
        self._file = path.open("w", encoding="utf-8")
        self._pump: asyncio.Task[None] | None = None
        self.truncated = False

    async def __aenter__(self) -> "LiveLog":
        self._pump = asyncio.create_task(self._send(), name="livelog")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.flush()

    @property
    def tail(self) -> str:
        """The last 64 KiB, whole lines."""
        return "\n".join(self._tail)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return self._lines == 0

    @property
    def path(self) -> Path:
        """The whole log on disk; complete after `flush()`."""
        return self._path

    def write(self, text: str) -> None:
        """Add text; each of its lines becomes one line of the log."""
        for line in text.replace("\0", "\N{REPLACEMENT CHARACTER}").splitlines() or [""]:
            self._write_line(line)

    def _write_line(self, line: str) -> None:
        if self.truncated:
            return
        raw = line.encode("utf-8", "replace")
        if len(raw) > self._limits.log_line_bytes:
            raw = raw[: self._limits.log_line_bytes]
            line = raw.decode("utf-8", "ignore") + " [… line cut …]"
        else:
            line = raw.decode()
        if self._written + len(raw) + 1 > self._limit_bytes:
            self.truncated = True
            line = f"[log cut: it passed {self._limit_bytes} bytes; the work goes on]"
        self._written += len(raw) + 1
        self._lines += 1
        self._file.write(line + "\n")
        self._tail.append(line)
        self._tail_bytes += len(line) + 1
        while self._tail_bytes > TAIL_BYTES and len(self._tail) > 1:
            self._tail_bytes -= len(self._tail.popleft()) + 1
        if self._lines <= self._limits.live_log_lines:
            self._queue.put_nowait(line)
        elif self._lines == self._limits.live_log_lines + 1:
            self._queue.put_nowait("[live log stops here: too many lines; the stored log has them all]")

    async def _send(self) -> None:
        while (line := await self._queue.get()) is not None:
            try:
                ack = await self._bus.js.publish_async(self._subject, line.encode(), wait_stall=FLUSH_TIMEOUT_S)
            except Exception as error:
                log.debug("live log line not sent", error=repr(error))
                continue
            self._acks.add(ack)
            ack.add_done_callback(self._acked)

    def _acked(self, ack: "asyncio.Future[PubAck]") -> None:
        self._acks.discard(ack)
        if not ack.cancelled() and (error := ack.exception()) is not None:
            log.debug("live log line not stored", error=repr(error))

    async def flush(self) -> None:
        """Finish: every line is on disk, and on its way before what this connection sends next. May be called twice.

        That the stream has stored the last of them is not waited for: a disk's fsync would be in every job.
        """
        if not self._file.closed:
            self._file.close()
        if self._pump is None:
            return
        pump, self._pump = self._pump, None
        self._queue.put_nowait(None)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(pump, FLUSH_TIMEOUT_S)
