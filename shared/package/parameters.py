"""`[parameters]` of clinai.toml: what run() takes as `params`, for the page to show and the smoke test to use."""

import math
from typing import Any

from shared.codes import PackageCode
from shared.package.model import fault, said, shown

COUNT_MAX = 64
CHOICES_MAX = 100
TEXT_CHARS_MAX = 1000
_TYPES: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "str": (str,), "bool": (bool,)}
_ALSO = {"number": "float", "integer": "int", "string": "str", "text": "str", "boolean": "bool"}
_KEYS = ("type", "default", "min", "max", "choices", "description")


def read_parameters(value: Any) -> dict[str, dict[str, Any]]:
    """Return each parameter as plain JSON with at least `type` and `default`.

    `threshold = 0.5` is short for `threshold = {type = "float", default = 0.5}`. Raises PackageError (CONFIG_INVALID).
    """
    if not isinstance(value, dict):
        raise _wrong("parameters", "must be a table: [parameters]")
    if len(value) > COUNT_MAX:
        raise _wrong("parameters", f"has {len(value)} entries, and the limit is {COUNT_MAX}; group some into one")
    return {name: _parameter(name, item) for name, item in value.items()}


def _parameter(name: str, value: Any) -> dict[str, Any]:
    key = f"parameters.{shown(name, 64)}"
    if not name.isidentifier() or len(name) > 64:
        raise _wrong(key, "is no name that Python could use; use letters, digits and _")
    table = value if isinstance(value, dict) else {"default": value}
    for other in table:
        if other not in _KEYS:
            raise _wrong(key, f"has the unknown key {shown(other, 64)}; it takes {', '.join(_KEYS)}")
    if "default" not in table:
        raise _wrong(key, "has no default, which the smoke test and the page need; add default = …")
    kind = _kind(key, table)
    found: dict[str, Any] = {"type": kind, "default": _value(key, "default", kind, table["default"])}
    if kind in ("float", "int"):
        for bound in ("min", "max"):
            if bound in table:
                found[bound] = _value(key, bound, kind, table[bound])
        if found.get("min", -math.inf) > found.get("max", math.inf):
            raise _wrong(key, f"has a min of {found['min']} above its max of {found['max']}; swap them")
        if not found.get("min", -math.inf) <= found["default"] <= found.get("max", math.inf):
            raise _wrong(key, f"has a default of {found['default']} that is not within min and max; change one")
    elif "min" in table or "max" in table:
        raise _wrong(key, f"is of type {kind}, which has no min or max; remove them")
    if "choices" in table:
        found["choices"] = _choices(key, kind, table["choices"], found["default"])
    if "description" in table:
        found["description"] = _text(key, "description", table["description"])
    return found


def _kind(key: str, table: dict[str, Any]) -> str:
    if "type" not in table:
        default = table["default"]
        for kind, types in (("bool", bool), ("int", int), ("float", float), ("str", str)):
            if isinstance(default, types):
                return kind
        raise _wrong(key, f"has a default of type {type(default).__name__}; it can be float, int, str or bool")
    named = table["type"]
    kind = _ALSO.get(named, named) if isinstance(named, str) else ""
    if kind not in _TYPES:
        raise _wrong(key, f"has the type {said(named, 64)}; it can be float, int, str or bool")
    return kind


def _value(key: str, what: str, kind: str, value: Any) -> Any:
    fits = isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise _wrong(key, f"has a {what} of {said(value, 64)}, which is no {kind}; write one that is")
    if isinstance(value, int) and abs(value) > 2**53:
        raise _wrong(key, f"has a {what} that JSON cannot carry exactly; stay within ±2^53")
    if kind == "str":
        return _text(key, what, value)
    return float(value) if kind == "float" else value


def _choices(key: str, kind: str, value: Any, default: Any) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= CHOICES_MAX:
        raise _wrong(key, f'has choices that are no list of 1 to {CHOICES_MAX} values; write choices = ["a", "b"]')
    choices = [_value(key, "choice", kind, item) for item in value]
    if default not in choices:
        raise _wrong(key, f"has a default of {said(default, 64)} that is not among its choices; add it")
    return choices


def _text(key: str, what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(key, f"has a {what} that is no text; put it in quotes")
    if len(value) > TEXT_CHARS_MAX:
        raise _wrong(key, f"has a {what} of {len(value)} characters, and the limit is {TEXT_CHARS_MAX}; shorten it")
    if "\0" in value:
        raise _wrong(key, f"has a {what} with a NUL character, which the database cannot hold; remove it")
    return value


def _wrong(key: str, why: str) -> Exception:
    return fault(PackageCode.CONFIG_INVALID, f"clinai.toml: {key} {why}")
