"""predict.py: is it Python, and does it have a run() that ClinAI can call? Read, never imported."""

import codecs
import io
import json
import subprocess
import sys
import tempfile
import time
import tokenize
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.codes import PackageCode
from shared.errors import PlatformFault
from shared.package.model import KeepOn, Source, amount, fault, shown
from shared.package.signature import judge_run, judge_setup

PREDICT = "predict.py"
PREDICT_BYTES_MAX = 1024**2
HELPER_BYTES_MAX = 256 * 1024
HELPERS_BYTES_MAX = 4 * 1024**2
"""Helper modules beyond these are not looked at: they are checked for the sake of early warnings only."""
TIME_S = 300.0
"""More than the child's own limit of CPU time by far: only a machine that is overloaded comes to it."""
_INSPECTOR = str(Path(__file__).with_name("inspector.py"))
_BOMS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF32_LE: "UTF-32"}


def read_source(raw: bytes, helpers: dict[str, bytes], *, python: str, keep_on: KeepOn) -> Source:
    """Judge predict.py; `helpers` are other sources of the package by path, `python` is what will run them.

    Raises PackageError (SOURCE_INVALID, SIGNATURE_INVALID); PlatformFault when this machine cannot read it.
    """
    sources = {PREDICT: _decode(raw)}
    for path, data in helpers.items():
        try:
            sources[path] = _decode(data)
        except Exception:  # noqa: S112 - a helper that cannot be read is judged when it is imported
            continue
    findings = _inspect(sources, keep_on)
    found = findings.get(PREDICT)
    newer = _newer(python)
    if found is None:
        raise _unreadable(1, "the source cannot be parsed: it is nested too deeply, or too large", "")
    if error := found.get("error"):
        if not newer:
            raise _unreadable(error["line"], error["what"], error["text"])
        note = (
            f"{PREDICT}:{error['line']}: {shown(error['what'])} for Python {_own()}, which checks packages here; "
            f"whether it is right for Python {python} is left to the smoke test"
        )
        return Source(accepts_params=None, has_setup="def setup(" in sources[PREDICT], warnings=(note,))
    accepts_params, warnings = judge_run(found)
    has_setup = judge_setup(found.get("setup"))
    if not newer:
        warnings += _broken_helpers(findings)
    warnings += _hiding(found.get("imports", {}), list(helpers))
    return Source(accepts_params=accepts_params, has_setup=has_setup, warnings=tuple(warnings))


def choose_helpers(sizes: dict[str, int]) -> list[str]:
    """Pick the sources worth looking at besides predict.py, those nearest to the root first."""
    chosen, total = [], 0
    for path in sorted(sizes, key=lambda path: (path.count("/"), path)):
        if path == PREDICT or not path.endswith(".py") or sizes[path] > HELPER_BYTES_MAX:
            continue
        total += sizes[path]
        if total > HELPERS_BYTES_MAX:
            break
        chosen.append(path)
    return chosen


def _decode(raw: bytes) -> str:
    """Decode as Python does (PEP 263). Raises PackageError (SOURCE_INVALID)."""
    for bom, name in _BOMS.items():
        if raw.startswith(bom):
            raise _unreadable(1, f"the file is {name}; save it as UTF-8", "")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError as error:
        if "invalid or missing encoding" not in str(error):
            raise _unreadable(1, f"{error.msg}; name one that Python knows, or use UTF-8", "") from None
        encoding = "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        said = f"byte 0x{raw[error.start]:02x} is no {encoding}; save the file as UTF-8, or name its encoding in line 1"
        raise _unreadable(line, said, "") from None
    except (LookupError, ValueError) as error:
        raise _unreadable(1, f"cannot be decoded as {shown(encoding)} ({error}); save it as UTF-8", "") from None
    if not isinstance(text, str):
        raise _unreadable(1, f"{encoding} is no text encoding; save the file as UTF-8", "")
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise _unreadable(line, "the source contains a NUL character; is it really a text file?", "")
    return text


def _inspect(sources: dict[str, str], keep_on: KeepOn) -> dict[str, dict[str, Any]]:
    """Have a child parse the sources; return what it found before its end, by path.

    A source can end the child early by its own limits of CPU time and memory. Raises PlatformFault when the child ends
    otherwise, or gets no CPU time.
    """
    # A file, not a pipe: Popen.communicate() drops what a timeout left unwritten
    with tempfile.TemporaryFile() as order:
        order.write(json.dumps({"sources": sources}).encode())
        order.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", _INSPECTOR],
            stdin=order,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
    said = _follow(child, keep_on)
    if child.returncode > 0:
        raise PlatformFault(f"reading {PREDICT} failed: the inspector ended with status {child.returncode}")
    findings = {}
    for line in said.splitlines():
        try:
            found = json.loads(line)
            findings[found["path"]] = found
        except ValueError:
            continue  # cut off when the child ended
    return findings


def _follow(child: subprocess.Popen[bytes], keep_on: KeepOn) -> bytes:
    """Return what the child says until its end; it is gone afterwards, whatever happens."""
    until = time.monotonic() + TIME_S
    with child:
        try:
            while time.monotonic() < until:
                keep_on()
                with suppress(subprocess.TimeoutExpired):
                    return child.communicate(timeout=0.2)[0]
            raise PlatformFault(f"reading {PREDICT} took longer than {TIME_S:g} s; this machine is overloaded")
        finally:
            child.kill()


def _broken_helpers(findings: dict[str, dict[str, Any]]) -> list[str]:
    broken = [found for path, found in findings.items() if path != PREDICT and found.get("error")]
    notes = []
    for found in broken[:5]:
        error = found["error"]
        notes.append(f"{shown(found['path'])}:{error['line']}: {shown(error['what'])}; importing it will fail")
    return notes


def _hiding(imports: dict[str, int], helpers: list[str]) -> list[str]:
    """Warn of files that are called like a module of Python and are found in its place."""
    names = {path.removesuffix("/__init__.py").removesuffix(".py") for path in helpers}
    hidden = sorted(name for name in names & sys.stdlib_module_names if name != "predict")
    return [f"{name} hides Python's own module of that name from every import; rename it" for name in hidden[:5]]


def _newer(python: str) -> bool:
    return tuple(int(part) for part in python.split(".")) > sys.version_info[:2]


def _own() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _unreadable(line: int, what: str, text: str) -> Exception:
    shows = f": {shown(text)}" if text else ""
    return fault(PackageCode.SOURCE_INVALID, f"{PREDICT}:{line}: {shown(what, 200)}{shows}")


def too_large(size: int) -> Exception:
    """Return the error for a predict.py that nobody wrote by hand."""
    return fault(
        PackageCode.SOURCE_INVALID,
        f"{PREDICT}:1: the file has {amount(size)} and the limit is {amount(PREDICT_BYTES_MAX)}; "
        "keep data and weights in files beside it",
    )
