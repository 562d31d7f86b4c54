"""uv's words become a reason that names the line of requirements.txt."""

import pytest

from services.builder.container import Ended
from services.builder.reasons import blame, distill, failure_of, needs_source_build
from shared.codes import BuildCode

UNSATISFIABLE = [
    "Using CPython 3.11.2",
    "error: No solution found when resolving dependencies:",
    "  cause: Because there is no version of pillow==0.0.0.99 and you require pillow==0.0.0.99, we can conclude that"
    " your requirements are unsatisfiable.",
    "hint: something about an option of uv",
]


def ended(said: list[str], **values: object) -> Ended:
    """A container that ended with status 1."""
    given = {"status": 1, "stdout": b"", "said": said, "out_of_memory": False, "out_of_disk": False, **values}
    return Ended(**given)  # type: ignore[arg-type]


def reason(said: list[str], requirements: str, **values: object) -> tuple[str, str]:
    """Code and message."""
    error = failure_of(
        ended(said, **values), BuildCode.RESOLUTION_FAILED, requirements, memory_bytes=512, disk_bytes=1024
    )
    return str(error.code), error.message


def test_error_and_cause_without_progress_and_hints() -> None:
    assert distill(UNSATISFIABLE) == (
        "No solution found when resolving dependencies: Because there is no version of pillow==0.0.0.99 and you"
        " require pillow==0.0.0.99, this cannot be installed."
    )


def test_the_line_is_named() -> None:
    code, message = reason(UNSATISFIABLE, "numpy\n# images\nPillow==0.0.0.99  # old\n")
    assert code == "RESOLUTION_FAILED"
    assert message.startswith("requirements.txt:3: Pillow==0.0.0.99: No solution found")


@pytest.mark.parametrize(
    ("text", "requirements", "line"),
    [
        ("Failed to build `own @ ./own`", "six\n./own\n", "requirements.txt:2: ./own: "),
        ("Failed to read ./wheels/a.whl", "wheels/a.whl\n", "requirements.txt:1: wheels/a.whl: "),
        ("my_package was not found", "My.Package>=1\n", "requirements.txt:1: My.Package>=1: "),
        ("somebody else's fault", "six\n", ""),
        ("numpy", "--find-links numpy\n", ""),
    ],
)
def test_blame(text: str, requirements: str, line: str) -> None:
    assert blame(text, requirements) == line


def test_paths_are_those_of_the_package() -> None:
    said = ["error: Failed to build `own @ file:///build/package/own`", "  cause: /build/package/own/x.c is wrong"]
    assert distill(said) == "Failed to build `own @ ./own`: ./own/x.c is wrong"


def test_what_ran_out_goes_before_what_was_said() -> None:
    assert reason(UNSATISFIABLE, "", out_of_disk=True)[0] == "BUILD_TOO_LARGE"
    assert "512 bytes of memory" in reason(UNSATISFIABLE, "", out_of_memory=True)[1]
    assert "said nothing" in reason([], "")[1]


def test_an_index_that_is_away_gets_a_hint() -> None:
    assert "cannot be reached from a build" in reason(["error: Failed to fetch: `https://x/simple/six/`"], "six")[1]


def test_long_reasons_are_cut() -> None:
    said = ["error: it broke", *(f"  line {n}" for n in range(500))]
    assert reason(said, "")[1].count("\n") < 14


def test_only_a_missing_wheel_lets_sources_be_tried() -> None:
    assert needs_source_build(ended(["because a has no usable wheels and building from source is disabled"]))
    assert needs_source_build(ended(["cause: Git executable not found. Ensure that Git is installed"]))
    assert not needs_source_build(ended(UNSATISFIABLE))
