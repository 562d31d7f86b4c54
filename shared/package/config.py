"""clinai.toml: what a package asks of the platform. Every message names the key and what it may be."""

import difflib
import math
import re
import tomllib
from typing import Any
from urllib.parse import urlsplit

from shared.codes import PackageCode
from shared.package.model import Config, Rules, Weights, amount, fault, said, shown
from shared.package.names import collision_key, name_fault
from shared.package.parameters import read_parameters

NAME = "clinai.toml"
BYTES_MAX = 64 * 1024
MEMORY_MIN = 64 * 1024**2
WEIGHTS_MAX = 32
URL_CHARS_MAX = 2048
ISOLATIONS = ("fork", "warm", "container")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_UNITS = {"": 1, "b": 1, "k": 1024, "kib": 1024, "kb": 1000, "m": 1024**2, "mib": 1024**2, "mb": 1000**2}
_UNITS |= {"g": 1024**3, "gib": 1024**3, "gb": 1000**3}
_KEYS = ("python", "timeout_s", "memory", "isolation", "parameters", "weights")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def read_config(raw: bytes, rules: Rules) -> Config:
    """Read clinai.toml. Raises PackageError (CONFIG_INVALID)."""
    try:
        table = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _wrong("", f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except RecursionError:
        raise _wrong("", "is nested too deeply; use plain keys and tables") from None
    except ValueError as error:
        raise _wrong("", f"is no valid TOML: {shown(str(error))}; see https://toml.io") from None
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(_KEYS)}"
            raise _wrong(shown(key), f"is no key that ClinAI knows; {hint}")
    return Config(
        python=_python(table["python"]) if "python" in table else None,
        timeout_s=_timeout(table["timeout_s"], rules.limits.job_s_max) if "timeout_s" in table else None,
        memory_bytes=_memory(table["memory"], rules.limits.memory_bytes_max) if "memory" in table else None,
        isolation=_isolation(table["isolation"]) if "isolation" in table else None,
        parameters=read_parameters(table.get("parameters", {})),
        weights=_weights(table.get("weights", [])),
    )


def check_weights_fit(config: Config, names: list[str]) -> None:
    """Refuse weights whose path the package has already. Raises PackageError (CONFIG_INVALID)."""
    taken = {collision_key(name): name for name in names}
    folders = {collision_key(name.rpartition("/")[0]) for name in names if "/" in name}
    for number, weights in enumerate(config.weights, 1):
        key = collision_key(weights.path)
        parents = {key[:at] for at, char in enumerate(key) if char == "/"}
        if key in taken or key in folders or parents & taken.keys():
            raise _wrong(
                f"weights {number}",
                f"path '{shown(weights.path)}' is in the ZIP already; leave one of them out",
            )
        taken[key] = weights.path


def _python(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("python", f'is {said(value)}; write it as text, such as python = "3.11"')
    if value not in PYTHONS:
        raise _wrong("python", f"is '{shown(value)}'; it can be one of {', '.join(PYTHONS)}")
    return value


def _timeout(value: Any, limit: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise _wrong("timeout_s", f"is {said(value)}; it must be a number of seconds above 0")
    if value > limit:
        raise _wrong("timeout_s", f"is {said(value)}, and the limit here is {limit:g} seconds")
    return float(value)


def _memory(value: Any, limit: int) -> int:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]*)", value.strip()) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif found and found[2].lower() in _UNITS:
        size = int(float(found[1]) * _UNITS[found[2].lower()])
    else:
        raise _wrong("memory", f'is {said(value)}; write bytes or a text such as "512MiB" or "4GiB"')
    if not MEMORY_MIN <= size <= limit:
        raise _wrong("memory", f"is {said(value)}; it can be {amount(MEMORY_MIN)} to {amount(limit)}")
    return size


def _isolation(value: Any) -> str:
    if value not in ISOLATIONS or not isinstance(value, str):
        raise _wrong("isolation", f"is {said(value)}; it can be one of {', '.join(ISOLATIONS)}")
    return value


def _weights(value: Any) -> tuple[Weights, ...]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong("weights", "must be tables: [[weights]] with path, url and sha256")
    if len(value) > WEIGHTS_MAX:
        raise _wrong("weights", f"has {len(value)} tables, and the limit is {WEIGHTS_MAX}; pack several into one file")
    found: list[Weights] = []
    for number, item in enumerate(value, 1):
        key = f"weights {number}"
        for name in item:
            if name not in ("path", "url", "sha256"):
                raise _wrong(key, f"has the unknown key {shown(name)}; it takes path, url and sha256")
        for name in ("path", "url", "sha256"):
            if not isinstance(item.get(name), str):
                raise _wrong(key, f"has no text under {name}; it needs path, url and sha256")
        path, url, sha256 = item["path"], item["url"], item["sha256"]
        if why := name_fault(path):
            raise _wrong(key, f"path '{shown(path)}' {why}")
        if len(url) > URL_CHARS_MAX or not url.isprintable() or " " in url or not _is_https(url):
            raise _wrong(key, f"url '{shown(url)}' is no https address; the builder fetches over https only")
        if not _SHA256.fullmatch(sha256):
            raise _wrong(key, f"sha256 '{shown(sha256)}' has not the 64 hexadecimal digits that `sha256sum` prints")
        found.append(Weights(path, url, sha256.lower()))
    return tuple(found)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _wrong(key: str, why: str) -> Exception:
    return fault(PackageCode.CONFIG_INVALID, f"{NAME}: {key}{' ' if key else ''}{why}")
