"""Reads the result that the model returned, trusting nothing."""

import json
from typing import Any, NoReturn

from shared.codes import JobCode
from shared.errors import JobError


def read_result(payload: bytes, limit: int) -> dict[str, Any]:
    """Return the result as a dict of plain JSON; raises JobError (RESULT_…).

    The model's process checks the same with better words; a model that writes on the pipe itself is met here.
    """
    if len(payload) > limit:
        raise JobError(
            JobCode.RESULT_TOO_LARGE,
            f"the result has {len(payload)} bytes as JSON and the limit is {limit}; write large data to output_dir",
        )
    try:
        result = json.loads(payload, parse_constant=_not_finite)
        if b"\\u0000" in payload or b"\\ud" in payload.lower():
            json.dumps(result, ensure_ascii=False).encode()
            _refuse_nul(result)
    except (ValueError, RecursionError) as error:
        raise JobError(JobCode.RESULT_NOT_JSON, f"the result is not JSON: {error}; return plain values") from None
    if not isinstance(result, dict):
        raise JobError(JobCode.RESULT_NOT_DICT, f"run() returned {type(result).__name__}; return a dict")
    return result


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")


def _refuse_nul(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text contains a NUL character")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)
