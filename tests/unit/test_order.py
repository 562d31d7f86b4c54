"""Which files of tests begin first."""

from tests.conftest import LONGEST
from tests.platforms import ROOT


def test_the_longest_files_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
