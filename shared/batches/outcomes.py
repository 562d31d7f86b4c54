"""How each input of a batch ended: a line of JSON an input, in the archive of its chunk and in that of the batch."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from shared.codes import JobCode

LOG_BYTES = 8 * 1024
"""Of what the model printed the end is kept."""
OUTCOMES = "outcomes.jsonl"
"""Name of the list in an archive."""

InputStatus = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]


class OutputEntry(msgspec.Struct, kw_only=True):
    """One file that the model wrote for an input."""

    name: str
    """Relative to `output_dir`."""
    path: str
    """Where it lies in the archive."""
    size: int
    sha256: str


class InputOutcome(msgspec.Struct, kw_only=True):
    """How one input ended, or that it has not."""

    index: int
    """Place in the batch, from 0."""
    name: str
    status: InputStatus
    error_code: str | None = None
    error_message: str | None = None
    result: dict[str, Any] | None = None
    result_path: str | None = None
    """Where in the archive a result lies that is too large for this list."""
    outputs: list[OutputEntry] = []
    ms: float | None = None
    """The model's time in milliseconds."""
    log: str = ""
    """The end of what the model printed."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(InputOutcome).decode


def to_lines(outcomes: Iterable[InputOutcome]) -> bytes:
    """Return one line for each."""
    return b"".join(_encode(outcome) + b"\n" for outcome in outcomes)


def from_lines(data: bytes) -> list[InputOutcome]:
    """Read what `to_lines` has written; raises msgspec.DecodeError."""
    return [_decode(line) for line in data.splitlines()]


def undone(status: str, first: int, names: list[str], message: str | None) -> list[InputOutcome]:
    """Return how the inputs of a chunk stand that has no archive (`status` is the chunk's)."""
    told: dict[str, tuple[InputStatus, str | None, str | None]] = {
        "QUEUED": ("QUEUED", None, None),
        "RUNNING": ("RUNNING", None, None),
        "FAILED": ("FAILED", JobCode.PLATFORM_ERROR, message),
        "CANCELED": ("CANCELED", JobCode.CANCELED, "The batch was canceled before this input was run."),
    }
    state, code, why = told[status]
    return [
        InputOutcome(index=first + n, name=name, status=state, error_code=code, error_message=why)
        for n, name in enumerate(names)
    ]
