"""Which names an output may have; asked inside the container and again on the host, which trusts nothing."""

from __future__ import annotations

PART_BYTES_MAX = 255
NAME_BYTES_MAX = 900
"""A storage key has 1,024 bytes and begins with the job and its epoch."""
DEPTH_MAX = 16


def name_fault(name: bytes) -> str | None:
    """Say what is wrong with a path relative to output_dir, or None."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return "is not valid UTF-8"
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        return "contains a control character"
    if "\\" in text:
        return "contains a backslash"
    if len(name) > NAME_BYTES_MAX:
        return f"is longer than {NAME_BYTES_MAX} bytes"
    parts = name.split(b"/")
    if any(part in (b"", b".", b"..") or len(part) > PART_BYTES_MAX for part in parts):
        return "is not a path below output_dir"
    if len(parts) > DEPTH_MAX:
        return f"lies deeper than {DEPTH_MAX} folders"
    return None
