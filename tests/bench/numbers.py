"""A measured number, its goal, and the one table that shows them."""

import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Number:
    """One row: the median of `samples`, or the percentile `percent` of them, is compared with `goal`, in `unit`."""

    name: str
    unit: str
    samples: list[float]
    goal: float | None = None
    beside: str = ""
    """The ratio to something measured in the same run, or what the number is made of."""
    details: dict[str, Any] = field(default_factory=dict)
    percent: int = 50
    """The percentile that has the goal."""
    at_least: bool = False
    """More is better: the goal is a floor, not a ceiling."""

    def with_(self, **changes: Any) -> "Number":
        """The same number, with other fields."""
        return replace(self, **changes)

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def value(self) -> float:
        """What is compared with the goal."""
        return self.p50 if self.percent == 50 else percentile(self.samples, self.percent)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def wanted(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return ""
        which = "" if self.percent == 50 else f"p{self.percent} "
        return f"{which}{'≥' if self.at_least else '≤'} {amount(self.goal, self.unit)}"


BUSY = 0.5
"""Load for each CPU from which on a machine is not quiet."""


def percentile(samples: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest sample that at least `percent` of all do not pass."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def missed(numbers: Iterable[Number]) -> list[str]:
    """Names of the numbers that miss their goal."""
    return [number.name for number in numbers if number.met is False]


def show(numbers: Sequence[Number], load_before: float) -> None:
    """Print the table; `load_before` is the machine's load (1 minute) before anything was measured."""
    machine = f"{os.cpu_count()} CPUs, load {load_before:.1f} before this run and {os.getloadavg()[0]:.1f} at its end"
    if load_before > BUSY * (os.cpu_count() or 1):
        machine += (
            ". Others want these CPUs: seconds are theirs, too, and even ratios to a bare server are too high, since a "
            "job waits for a CPU at each process that it passes. CPU of a job hardly changes."
        )
    table = Table(title="ClinAI, measured in one run", title_justify="left", caption=machine, caption_justify="left")
    table.add_column("number")
    for title in ("p50", "p25 to p75", "p99", "n", "goal", ""):
        table.add_column(title, justify="right")
    table.add_column("beside it, from the same run")
    for number in numbers:
        several = len(number.samples) > 1
        table.add_row(
            number.name,
            amount(number.p50, number.unit),
            spread(number) if several else "",
            amount(percentile(number.samples, 99), number.unit) if several else "",
            str(len(number.samples)),
            number.wanted,
            {True: "[green]met[/green]", False: "[red]MISSED[/red]", None: ""}[number.met],
            number.beside,
        )
    # a file or a CI log has no width: nothing may be cut there
    Console(width=None if os.isatty(1) else 190).print(table)


def spread(number: Number) -> str:
    """Where the middle half of the samples lies."""
    return f"{digits(percentile(number.samples, 25))} to {digits(percentile(number.samples, 75))}"


def amount(value: float, unit: str) -> str:
    """Three digits that matter, and the unit."""
    return f"{digits(value)} {unit}"


def digits(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def save(numbers: Sequence[Number], folder: Path, commit: str, load_before: float) -> Path:
    """Write the numbers with every sample below `folder`; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    found = {
        "commit": commit,
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "load_before": load_before,
            "load_after": os.getloadavg()[0],
        },
        "numbers": [
            asdict(n) | {f"p{p}": percentile(n.samples, p) for p in (95, 99)} | {"p50": n.p50, "met": n.met}
            for n in numbers
        ],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path


def commit(root: Path) -> str:
    """The commit that is measured, with a mark when the tree differs from it."""
    return subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
