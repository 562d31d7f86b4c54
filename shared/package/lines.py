"""Logical lines of a requirement file, as pip defines them: continuations joined, comments dropped, encodings told."""

import codecs
import re
from collections.abc import Iterator

from shared.codes import PackageCode
from shared.package.model import fault, shown

LINE_CHARS_MAX = 64 * 1024
LINES_MAX = 20_000
_COMMENT = re.compile(r"(^|\s)#.*$")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def decode(path: str, raw: bytes) -> str:
    """Decode a requirement file: UTF-8, or UTF-16 with a mark, which PowerShell's `>` writes.

    Raises PackageError (REQUIREMENT_FORBIDDEN) for anything else.
    """
    encoding, skip = "utf-8", 0
    for bom, name in _BOMS:
        if raw.startswith(bom):
            encoding, skip = name, len(bom)
    try:
        text = raw[skip:].decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start + skip) + 1
        raise fault(
            PackageCode.REQUIREMENT_FORBIDDEN, f"{shown(path)}:{line}: the file is not {encoding}; save it as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.find("\0")) + 1
        raise fault(
            PackageCode.REQUIREMENT_FORBIDDEN,
            f"{shown(path)}:{line}: the file contains a NUL character; save it as plain UTF-8 text",
        )
    return text


def logical_lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first line, text) of each logical line that is not empty.

    Raises PackageError (REQUIREMENT_FORBIDDEN) for a file or a line beyond all reason.
    """
    joined: list[str] = []
    first = 0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > LINES_MAX:
        raise fault(
            PackageCode.REQUIREMENT_FORBIDDEN,
            f"{shown(path)}: {len(lines)} lines, and the limit is {LINES_MAX}; shorten it",
        )
    for number, line in enumerate(lines, 1):
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment and number < len(lines):
            first = first or number
            joined.append(line[:-1])
            continue
        # pip: a comment line within a continuation ends it
        whole = "".join([*joined, "" if is_comment else line])
        whole = _COMMENT.sub("", whole).strip()
        if len(whole) > LINE_CHARS_MAX:
            raise fault(
                PackageCode.REQUIREMENT_FORBIDDEN,
                f"{shown(path)}:{first or number}: the line has {len(whole)} characters, and the limit is "
                f"{LINE_CHARS_MAX}; shorten it",
            )
        if whole:
            yield first or number, whole
        joined, first = [], 0
