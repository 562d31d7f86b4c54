"""A setting that cannot be read stops the start with one line: which it is, what it was, what it takes."""

import pytest

from shared.settings import Auth, Group, Instance, Work, load


@pytest.mark.parametrize(
    ("group", "name", "value", "said"),
    [
        (Work, "CLINAI_LEASE_S", "soon", "must be a number"),
        (Work, "CLINAI_LEASE_S", "-3", "must be 0 or more"),
        (Work, "CLINAI_LEASE_S", "nan", "must be 0 or more"),
        (Work, "CLINAI_RUNNER_SLOTS", "1.5", "must be a whole number"),
        (Work, "CLINAI_RUNNER_SLOTS", "-1", "must be 0 or more"),
        (Work, "CLINAI_WARM_SANDBOXES", "-2", "must be -1 or more"),
        (Instance, "CLINAI_LOG_LEVEL", "loud", "must be debug, info, warning or error"),
        (Instance, "CLINAI_LOG_FORMAT", "xml", "must be json or console"),
        (Auth, "CLINAI_COOKIE_SECURE", "perhaps", "must be true or false"),
    ],
)
def test_a_wrong_value(group: type[Group], name: str, value: str, said: str) -> None:
    required = {"CLINAI_SECRET_KEY": "x" * 32}
    with pytest.raises(SystemExit) as stopped:
        load(group, required | {name: value})
    assert str(stopped.value) == f"setting {name}={value!r} {said} (docs/operations.md)"


def test_right_values() -> None:
    assert load(Work, {"CLINAI_LEASE_S": "7.5", "CLINAI_RUNNER_SLOTS": ""}).lease_s == 7.5
    assert load(Instance, {"CLINAI_LOG_LEVEL": "debug"}).log_level == "debug"
    assert load(Auth, {"CLINAI_SECRET_KEY": "x" * 32, "CLINAI_COOKIE_SECURE": "true"}).cookie_secure is True
