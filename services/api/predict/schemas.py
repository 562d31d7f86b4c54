"""What a prediction is asked with and what it answers."""

from typing import Any
from uuid import UUID

import msgspec

from services.api.jobs.schemas import Job, Output
from services.api.problems import InvalidField
from shared.errors import Invalid

WAIT_S_MAX = 60.0
KEY_CHARS_MAX = 255


class Prediction(Job, kw_only=True):
    """A job with its outputs: finished with 200, still open (and the lists empty) with 202."""

    job_id: UUID
    """The same as `id`."""
    output_urls: list[str]
    outputs: list[Output]
    """`url` is a `data:` URL for what came inline."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How the client wants to be answered."""

    wait_s: float = WAIT_S_MAX
    applied: str = ""
    """Value of `Preference-Applied`."""
    key: str | None = None
    """The Idempotency-Key."""
    inline: bool = False
    cancel: bool = False
    """Cancel the job when the client hangs up."""


def read_wait(prefer: str) -> tuple[float, str]:
    """Seconds to wait by a `Prefer` header (RFC 7240), and which preference that was; 60 s without one."""
    for item in prefer.split(","):
        name, _, value = item.split(";", 1)[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "respond-async":
            return 0.0, "respond-async"
        if name == "wait" and value.isdigit():
            seconds = min(float(value), WAIT_S_MAX)
            return seconds, f"wait={seconds:.0f}"
    return WAIT_S_MAX, ""


def read_key(header: str | None) -> str | None:
    """Check an Idempotency-Key: 1 to 255 visible ASCII characters."""
    if header is None:
        return None
    key = header.strip()
    if not (1 <= len(key) <= KEY_CHARS_MAX and key.isascii() and key.isprintable()):
        raise Invalid(f"Idempotency-Key: send 1 to {KEY_CHARS_MAX} visible ASCII characters, for instance a UUID.")
    return key


def read_params(text: str | None) -> dict[str, Any]:
    """Parameters from JSON text; none are an empty object."""
    if not text or not text.strip():
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidField("params", f"is not a JSON object: {error}") from None
