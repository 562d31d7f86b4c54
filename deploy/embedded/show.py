"""What a person sees of a platform: its status and its logs."""

import json
import os
import re
import selectors
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.embedded import control, engine
from deploy.embedded.platform import LauncherError, Platform
from deploy.embedded.supervisor import memory_bytes

BACKLOG_BYTES = 4 * 1024**2
"""What is read of the end of a log to find its last lines."""
TIME = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)")
EPOCH = re.compile(r'"ts":(\d{9,}(?:\.\d+)?)')
"""How Caddy tells the time."""
REQUEST = ("request.method", "request.uri", "response.status")


def status(platform: Platform) -> dict[str, Any]:
    """State of every part as plain data; `running` is false when there is no supervisor."""
    answer: dict[str, Any] = {
        "data": str(platform.data), "instance": platform.instance, "running": False, "ready": False, "parts": [],
    }  # fmt: skip
    try:
        snapshot = next(control.ask(platform.control_socket, {"op": "status"}, timeout_s=5))
    except (ConnectionError, StopIteration, TimeoutError):
        return answer
    states = snapshot["states"]
    for state in states:
        state["memory_bytes"] = memory_bytes(state["pid"]) if state["pid"] else 0
    return answer | {
        "running": True, "ready": snapshot["ready"], "failed": snapshot["failed"], "supervisor_pid": snapshot["pid"],
        "supervisor_memory_bytes": memory_bytes(snapshot["pid"], with_children=False),
        "parts": states, "ports": platform.ports,
        "engine": {"host": platform.docker_host, "answers": engine.answers(platform.docker_host)},
    }  # fmt: skip


def status_lines(found: dict[str, Any]) -> list[str]:
    """The same for reading."""
    if not found["running"]:
        return [f"not running ({found['data']}); start it with `make up`"]
    lines = [f"{'part':<18}{'state':<12}{'pid':>8}{'memory':>10}{'restarts':>10}  "]
    for part in found["parts"]:
        memory = f"{part['memory_bytes'] >> 20} MB" if part["memory_bytes"] else ""
        restarts = str(part["restarts"]) if part["kind"] == "part" else ""
        note = part["message"] if part["state"] != "ready" else _since(part["since"])
        lines.append(f"{part['name']:<18}{part['state']:<12}{part['pid'] or '':>8}{memory:>10}{restarts:>10}  {note}")
    total = found["supervisor_memory_bytes"] + sum(p["memory_bytes"] for p in found["parts"])
    own = f"{found['supervisor_memory_bytes'] >> 20} MB"
    lines.append(f"{'supervisor':<18}{'':<12}{found['supervisor_pid']:>8}{own:>10}{'':>10}  {total >> 20} MB in all")
    reachable = "answers" if found["engine"]["answers"] else "DOES NOT ANSWER"
    return [*lines, f"engine {found['engine']['host']}: {reachable}", "ready" if found["ready"] else "not ready"]


def _since(moment: float) -> str:
    seconds = int(time.time() - moment)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def logs(platform: Platform, part: str, lines: int, *, follow: bool) -> None:
    """Print the last lines of one log or of all, by time, then what comes; each with its part's name, JSON readable."""
    wanted = [platform.logs / f"{part}.log"] if part else sorted(platform.logs.glob("*.log"))
    if not wanted or not all(path.exists() for path in wanted):
        known = ", ".join(sorted(p.stem for p in platform.logs.glob("*.log"))) or "none yet"
        raise LauncherError(f"no log of {part or 'any part'} in {platform.logs}; there are: {known}")
    sizes = {path: path.stat().st_size for path in wanted}
    written = [entry for path in wanted for entry in _last(path, sizes[path], lines)]
    for _, name, line in sorted(written, key=lambda entry: entry[0]):
        _print(name, line)
    if follow:
        _follow(sizes)


def _last(path: Path, size: int, lines: int) -> list[tuple[str, str, str]]:
    """(time, part, line) of the last lines of the first `size` bytes; a line without a time takes the one before."""
    with path.open("rb") as file:
        file.seek(max(0, size - BACKLOG_BYTES))
        text = file.read(size - file.tell()).decode(errors="replace")
    found, moment = [], ""
    for line in text.splitlines()[-lines:] if lines else []:
        moment = time_of(line) or moment
        found.append((moment, path.stem, line))
    return found


def _follow(sizes: dict[Path, int]) -> None:
    """Print what the files get after these sizes, until interrupted."""
    tails = {
        path.stem: subprocess.Popen(
            ["tail", "-q", "-c", f"+{size + 1}", "-F", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for path, size in sizes.items()
    }
    begun: dict[str, bytes] = dict.fromkeys(tails, b"")
    with selectors.DefaultSelector() as selector:
        for name, tail in tails.items():
            selector.register(tail.stdout, selectors.EVENT_READ, name)  # type: ignore[arg-type]
        try:
            while selector.get_map():
                for key, _ in selector.select():
                    # not readline(): what it reads ahead would wait unseen for the next line to come
                    chunk = os.read(key.fd, 1 << 16)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    *whole, begun[key.data] = (begun[key.data] + chunk).split(b"\n")
                    for line in whole:
                        _print(key.data, line.decode(errors="replace"))
        except KeyboardInterrupt:
            pass
        finally:
            for tail in tails.values():
                tail.terminate()
                tail.wait()


def _print(part: str, line: str) -> None:
    print(f"{part:<11} {readable(line.rstrip())}", flush=True)


def time_of(line: str) -> str:
    """Time of a line of any part, in an order that sorts; empty when it has none."""
    if found := TIME.search(line):
        year, month, day, clock = found.groups()
        return f"{year}-{month}-{day}T{clock}"
    if found := EPOCH.search(line):
        return datetime.fromtimestamp(float(found[1]), UTC).isoformat(timespec="microseconds")
    return ""


def readable(line: str) -> str:
    """One log line for a person: time, level, event, then the other fields; what is not JSON stays as it is."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict):
        return line
    moment = time_of(line)[11:19]
    for name in ("timestamp", "time", "ts", "service"):
        fields.pop(name, None)
    level = str(fields.pop("level", ""))
    event = str(fields.pop("event", fields.pop("msg", "")))
    trace = str(fields.pop("exception", ""))
    if "http.request.method" in fields:  # the registry's: the request matters, not every header of it
        event += "  " + " ".join(str(fields.get(f"http.{name}", "")) for name in REQUEST)
        fields = {k: v for k, v in fields.items() if k == "err.message"}
    rest = " ".join(f"{k}={v}" for k, v in fields.items() if v not in (None, ""))
    return f"{moment} {level:<7} {event}{'  ' + rest if rest else ''}" + (f"\n{trace}" if trace else "")
