"""What msgspec says of a wrong field, in the words of people who call an API."""

import re

KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_LENGTH = {"str": "character", "array": "entry", "object": "entry"}
_patterns: dict[str, str] = {}


def worded(pattern: str, words: str) -> str:
    """Return `pattern` for a field's Meta; a text that does not match it is answered with `words`."""
    _patterns[repr(pattern)] = words
    return pattern


def field_and_words(field: str, message: str) -> tuple[str, str]:
    """Return the field that `message` is about, and what is wrong with it; `data` is the framework's name of a body."""
    if missing := re.fullmatch(r"Object missing required field `(.+)`", message):
        return missing[1], "is missing"
    if field == "data":
        return "body", "is missing; send a JSON object" if message == "'data'" else in_words(message)
    return field, in_words(message)


def in_words(message: str) -> str:
    """Say it plainly; what is not known here stays as it is."""
    if found := re.fullmatch(r"Expected `str` matching regex (.+)", message):
        return _patterns.get(found[1], "has characters that are not allowed here")
    if found := re.fullmatch(r"Expected `(\w+)` of length (>=|<=) (\d+)", message):
        kind, sign, count = found.groups()
        if (sign, count) == (">=", "1"):
            return "may not be empty"
        noun = _LENGTH.get(kind, "entry")
        plural = noun if count == "1" else f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
        return f"must have {'at least' if sign == '>=' else 'at most'} {count} {plural}"
    if found := re.fullmatch(r"Expected `(?:int|float)` (>=|<=) (\S+)", message):
        return f"must be {found[2]} or {'more' if found[1] == '>=' else 'less'}"
    if found := re.fullmatch(r"Expected `([\w |]+)`, got `(\w+)`", message):
        wanted = " or ".join(KINDS.get(kind, kind) for kind in found[1].split(" | "))
        return f"must be {wanted}, not {KINDS.get(found[2], found[2])}"
    if found := re.fullmatch(r"Invalid enum value (.+)", message):
        return f"{found[1]} is none of the values that this field takes (/docs lists them)"
    if message == "Invalid UUID":
        return "is no id; ids look like 01a20e50-eedf-7719-b828-39fbd374dfef"
    if message == "Invalid RFC3339 encoded datetime":
        return "is no time; write it like 2026-01-31T12:00:00Z"
    return message
