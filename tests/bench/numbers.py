"""A measured number, its goal, and the one table that shows them."""

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Number:
    """One row: the median of `samples` is compared with `goal`, in `unit`."""

    name: str
    unit: str
    samples: list[float]
    goal: float | None = None
    beside: str = ""
    """The ratio to something measured in the same run, or what the number is made of."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def p95(self) -> float:
        """The value that 95 of 100 samples do not pass (nearest rank)."""
        return percentile(self.samples, 95)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.p50 < self.goal


def percentile(samples: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest sample that at least `percent` of all do not pass."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def show(numbers: Sequence[Number]) -> None:
    """Print the table."""
    machine = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}: seconds grow with the load, ratios hardly do"
    table = Table(title="ClinAI, measured in one run", title_justify="left", caption=machine, caption_justify="left")
    table.add_column("number")
    for title in ("p50", "p95", "n", "goal", ""):
        table.add_column(title, justify="right")
    table.add_column("beside it, from the same run")
    for number in numbers:
        table.add_row(
            number.name,
            amount(number.p50, number.unit),
            amount(number.p95, number.unit) if len(number.samples) > 1 else "",
            str(len(number.samples)),
            "" if number.goal is None else f"< {amount(number.goal, number.unit)}",
            {True: "[green]met[/green]", False: "[red]MISSED[/red]", None: ""}[number.met],
            number.beside,
        )
    # a file or a CI log has no width: nothing may be cut there
    Console(width=None if os.isatty(1) else 170).print(table)


def amount(value: float, unit: str) -> str:
    """Three digits that matter, and the unit."""
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def save(numbers: Sequence[Number], folder: Path, commit: str) -> Path:
    """Write the numbers with every sample below `folder`; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    found = {
        "commit": commit,
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "load_1m": os.getloadavg()[0]},
        "numbers": [asdict(n) | {"p50": n.p50, "p95": n.p95, "met": n.met} for n in numbers],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path
