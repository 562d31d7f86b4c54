"""The model's output as lines for the job's log."""

import re
from collections.abc import Callable

LINE_CHARS_MAX = 64 * 1024
# colours and cursor movements mean nothing in a log; other control characters could do harm in a terminal
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


class LogLines:
    """Cuts LOG frames into lines, trusting no limit that the container kept or not."""

    def __init__(self, on_log: Callable[[str], None], limit: int) -> None:
        self._on_log = on_log
        self._limit = self._left = limit
        self._rest = b""
        self.truncated = False

    def feed(self, data: bytes) -> None:
        """Take a piece of the log; a line may be spread over several."""
        if self.truncated:
            return
        taken = data[: self._left]
        self._left -= len(taken)
        *lines, self._rest = (self._rest + taken).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > LINE_CHARS_MAX:
            self._say(self._rest)
            self._rest = b""
        if len(taken) < len(data):
            self.cut()

    def cut(self) -> None:
        """The limit is reached: end the log with a marker; may be called twice."""
        if not self.truncated:
            self.finish()
            self.truncated = True
            self._on_log(f"[log cut: the model printed more than {self._limit} bytes; the work went on]")

    def finish(self) -> None:
        """Bring out a last line that has no newline."""
        if self._rest and not self.truncated:
            self._say(self._rest)
        self._rest = b""

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self._on_log(_ESCAPES.sub("", text).translate(_CONTROLS).rstrip("\n"))
