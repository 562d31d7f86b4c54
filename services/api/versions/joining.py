"""Which parts make the package: arithmetic only, over what storage says has arrived.

Storage may list several copies of one part, older ones first (SeaweedFS does, S3 has the newest alone): one that was
cut, or sent for another part_size, lies beside the one sent after it.
"""

from collections.abc import Iterable
from typing import Any

from services.api.versions.schemas import PART_BYTES_MIN
from shared.errors import Conflict

NAMED_MAX = 20
"""Missing parts that a message names."""

Arrived = list[dict[str, Any]]


def part_count(size: int, part_bytes: int) -> int:
    """How many parts a package of `size` bytes has."""
    return -(-size // part_bytes)


def part_length(number: int, size: int, part_bytes: int) -> int:
    """Bytes that part `number` must have; 0 past the end."""
    return max(0, min(part_bytes, size - (number - 1) * part_bytes))


def fitting(arrived: Arrived, size: int, part_bytes: int) -> Arrived:
    """The newest copy of each part that has the length it must have, by number."""
    return _newest(part for part in arrived if part["size"] == part_length(part["number"], size, part_bytes))


def whole(arrived: Arrived, size: int | None) -> Arrived:
    """Return the parts to join. Raises Conflict (PARTS_MISSING) naming what has not arrived.

    Without the package's size, parts of any length without a gap are taken to be all.
    """
    if size is None:
        parts = _newest(arrived)
        numbers = {part["number"] for part in parts}
        _require(number for number in range(1, max(numbers, default=1) + 1) if number not in numbers)
        return parts
    # Nobody wrote part_size down: it is the length by which the most of the package is there.
    lengths = sorted(
        {part["size"] for part in arrived if PART_BYTES_MIN <= part["size"] <= size or part["size"] == size}
    )
    best = max(lengths, key=lambda n: len(fitting(arrived, size, n)) / part_count(size, n), default=None)
    if best is None:
        raise Conflict(f"None of the package's {size} bytes has arrived in a part that fits.", code="PARTS_MISSING")
    parts = fitting(arrived, size, best)
    numbers = {part["number"] for part in parts}
    _require(number for number in range(1, part_count(size, best) + 1) if number not in numbers)
    return parts


def _newest(parts: Iterable[dict[str, Any]]) -> Arrived:
    last = {part["number"]: part for part in parts}
    return [last[number] for number in sorted(last)]


def _require(missing: Iterable[int]) -> None:
    gaps = list(missing)
    if gaps:
        named = ", ".join(map(str, gaps[:NAMED_MAX])) + (", …" if len(gaps) > NAMED_MAX else "")
        raise Conflict(f"These parts have not arrived whole: {named}.", code="PARTS_MISSING")
