"""How bench chooses what to measure and sums up what it has measured."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import chosen, on_one_platform
from tests.bench.builds import phases
from tests.bench.group import Bench, Group
from tests.bench.numbers import Number, amount, missed, percentile, save, spread
from tests.bench.steps import timings
from tests.platforms import TestPlatform


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


def test_a_goal_may_be_a_floor_or_of_another_percentile() -> None:
    samples = [*([1.0] * 98), 20.0, 30.0]
    assert Number("p99", "ms", samples, goal=15.0, percent=99).met is False
    assert Number("p99", "ms", samples, goal=20.0, percent=99).wanted == "p99 ≤ 20 ms"
    assert [Number("rate", "/s", [n], goal=0.7, at_least=True).met for n in (0.69, 0.7)] == [False, True]
    assert Number("rate", "x", [1.0], goal=0.7, at_least=True).wanted == "≥ 0.7 x"


def test_amounts_show_three_digits() -> None:
    assert [amount(value, "s") for value in (0.01234, 1.5, 447.6)] == ["0.0123 s", "1.5 s", "448 s"]
    assert spread(Number("n", "s", [4.0, 1.0, 3.0, 2.0])) == "1 to 3"


def test_the_longest_phases_come_first() -> None:
    version = {"phases": [{"name": "a", "ms": 100.0}, {"name": "b", "ms": 2500.0}, {"name": "c", "ms": None}]}
    assert phases(version) == "b 2.5 s, a 0.1 s"
    assert timings([{"run": 10, "load": 30, "total": 40}, {"run": 20, "load": 50, "total": 70}]) == (
        "load 40 ms, run 15 ms"
    )


def test_what_is_saved_has_every_sample(tmp_path: Path) -> None:
    saved = json.loads(save([Number("n", "s", [1.0, 3.0], goal=5.0)], tmp_path / "bench", "abc", 0.5).read_text())
    assert saved["commit"] == "abc"
    assert saved["numbers"][0]["samples"] == [1.0, 3.0]
    assert (saved["numbers"][0]["p50"], saved["numbers"][0]["met"]) == (2.0, True)


async def _nothing(bench: Bench) -> list[Number]:
    return []


GROUPS = [
    Group("a", "", _nothing, settings={"X": "1"}),
    Group("b", "", _nothing, settings={"X": "1"}),
    Group("c", "", _nothing, settings={"X": "1"}, alone=True),
    Group("d", "", _nothing, settings={}),
    Group("e", "", _nothing, settings={}, asked=True),
]


def test_groups_are_chosen_by_name_and_keep_their_order() -> None:
    assert [group.name for group in chosen("d, a", GROUPS)] == ["a", "d"]
    assert [group.name for group in chosen("", GROUPS)] == ["a", "b", "c", "d"]
    assert [group.name for group in chosen("e", GROUPS)] == ["e"]
    with pytest.raises(SystemExit, match="no group is called x; there are a, b, c, d, e"):
        chosen("a,x", GROUPS)


def test_groups_with_equal_settings_share_a_platform_unless_one_wants_to_be_alone() -> None:
    assert [[group.name for group in together] for together in on_one_platform(GROUPS)] == [
        ["a", "b"],
        ["c"],
        ["d", "e"],
    ]


@pytest.mark.parametrize(("scale", "expected"), [(1, 20), (0.5, 10), (0.01, 1), (5, 100)])
def test_scale_stretches_what_is_repeated(scale: float, expected: int, tmp_path: Path) -> None:
    assert Bench(TestPlatform(tmp_path, "x"), scale).times(20) == expected
