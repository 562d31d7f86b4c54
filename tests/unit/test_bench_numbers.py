"""How bench sums up what it has measured."""

import json
from pathlib import Path

import pytest

from tests.bench.measure import missed, phases, timings
from tests.bench.numbers import Number, amount, percentile, save


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [([1], 95, 1), ([3, 1, 2], 50, 2), (list(range(1, 101)), 95, 95), (list(range(1, 21)), 95, 19), ([1, 2], 95, 2)],
)
def test_percentile_is_the_nearest_rank(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == expected


def test_a_number_meets_its_goal_by_its_median() -> None:
    quick, slow = Number("q", "s", [0.1, 0.2, 9.0], goal=1.0), Number("s", "s", [0.1, 2.0, 9.0], goal=1.0)
    assert (quick.met, slow.met, Number("n", "s", [1.0]).met) == (True, False, None)
    assert missed([quick, slow]) == ["s"]


def test_amounts_show_three_digits() -> None:
    assert [amount(value, "s") for value in (0.01234, 1.5, 447.6)] == ["0.0123 s", "1.5 s", "448 s"]


def test_the_longest_phases_come_first() -> None:
    version = {"phases": [{"name": "a", "ms": 100.0}, {"name": "b", "ms": 2500.0}, {"name": "c", "ms": None}]}
    assert phases(version) == "b 2.5 s, a 0.1 s"
    assert timings([{"run": 10, "load": 30, "total": 40}, {"run": 20, "load": 50, "total": 70}]) == (
        "load 40 ms, run 15 ms"
    )


def test_what_is_saved_has_every_sample(tmp_path: Path) -> None:
    saved = json.loads(save([Number("n", "s", [1.0, 3.0], goal=5.0)], tmp_path / "bench", "abc").read_text())
    assert saved["commit"] == "abc"
    assert saved["numbers"][0]["samples"] == [1.0, 3.0]
    assert (saved["numbers"][0]["p50"], saved["numbers"][0]["met"]) == (2.0, True)
