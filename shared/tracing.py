"""W3C trace context (https://www.w3.org/TR/trace-context/): one id from request to event to container."""

import re
import secrets
from contextvars import ContextVar

import structlog

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def current_traceparent() -> str:
    """Return this task's traceparent, starting a trace when there is none."""
    return _current.get() or follow("")


def follow(traceparent: str) -> str:
    """Continue the trace a caller sent, or start one when it sent none or nonsense; binds `trace` in the log."""
    if not _TRACEPARENT.fullmatch(traceparent):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    _current.set(traceparent)
    structlog.contextvars.bind_contextvars(trace=traceparent.split("-")[1])
    return traceparent
