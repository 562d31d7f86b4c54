"""Tables on a terminal, JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNITS = ("B", "kB", "MB", "GB", "TB")
PIPE_WIDTH = 200
"""Columns when the output is no terminal: lines are not wrapped for a program that reads them."""


def size(count: float) -> str:
    """`1.2 MB`; decimal units."""
    for unit in UNITS[:-1]:
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {UNITS[-1]}"


def counted(**things: int) -> str:
    """`1 model, 2 versions, 0 jobs`."""
    return ", ".join(f"{count} {name.removesuffix('s') if count == 1 else name}" for name, count in things.items())


def age(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h`, `2 d`."""
    for limit, unit in ((120, 1), (7200, 60), (172800, 3600)):
        if seconds < limit:
            return f"{seconds / unit:.0f} {({1: 's', 60: 'min', 3600: 'h'})[unit]}"
    return f"{seconds / 86400:.0f} d"


def rows(items: Sequence[Any], *, as_json: bool, empty: str) -> None:
    """Print rows (of the database, or Structs) as a table, or as a JSON array."""
    plain = [msgspec.structs.asdict(item) if isinstance(item, msgspec.Struct) else dict(item) for item in items]
    if as_json:
        json(plain)
        return
    if not plain:
        print(empty)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in plain[0]:
        numeric = all(isinstance(row[column], int | float | None) for row in plain)
        table.add_column(
            _title(column, plain[0]), justify="right" if numeric else "left", overflow="fold", no_wrap=column == "id"
        )
    for row in plain:
        table.add_row(*[Text(_cell(column, row[column])) for column in plain[0]])
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def json(value: Any) -> None:
    """Print a value as JSON."""
    print(msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode())


def _title(column: str, columns: Iterable[str]) -> str:
    if column.endswith("_s") and f"{column[:-2]}_at" in columns:
        return "age"  # beside the moment itself
    for suffix in ("_bytes", "_s", "_at"):
        column = column.removesuffix(suffix)
    return column.replace("_", " ")


def _cell(column: str, value: Any) -> str:
    if value is None or value == "":
        return "–"  # noqa: RUF001 - a dash for nothing, as on the page
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and (column.endswith("_bytes") or column == "bytes"):
        return size(value)
    if isinstance(value, int | float) and column.endswith("_s"):
        return age(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {part}" for key, part in value.items())
    return str(value)
