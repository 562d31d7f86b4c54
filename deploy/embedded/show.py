"""What a person sees of a platform: its status and its logs."""

import json
import selectors
import subprocess
import time
from typing import Any

from deploy.embedded import control, engine
from deploy.embedded.platform import LauncherError, Platform
from deploy.embedded.supervisor import memory_bytes


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
    """Print the logs of one part or of all, each line with its part's name, JSON made readable."""
    wanted = [platform.logs / f"{part}.log"] if part else sorted(platform.logs.glob("*.log"))
    if not wanted or not all(path.exists() for path in wanted):
        known = ", ".join(sorted(p.stem for p in platform.logs.glob("*.log"))) or "none yet"
        raise LauncherError(f"no log of {part or 'any part'} in {platform.logs}; there are: {known}")
    command = ["tail", "-q", "-n", str(lines), *(["-F"] if follow else [])]
    tails = {
        path.stem: subprocess.Popen([*command, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for path in wanted
    }
    with selectors.DefaultSelector() as selector:
        for name, tail in tails.items():
            selector.register(tail.stdout, selectors.EVENT_READ, name)  # type: ignore[arg-type]
        try:
            while selector.get_map():
                for key, _ in selector.select():
                    line = key.fileobj.readline()  # type: ignore[union-attr]
                    if not line:
                        selector.unregister(key.fileobj)
                        continue
                    print(f"{key.data:<11} {readable(line.decode(errors='replace').rstrip())}", flush=True)
        except KeyboardInterrupt:
            pass
        finally:
            for tail in tails.values():
                tail.terminate()
                tail.wait()


def readable(line: str) -> str:
    """One log line for a person: time, level, event, then the other fields; what is not JSON stays as it is."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict):
        return line
    moment = str(fields.pop("timestamp", fields.pop("time", "")))[11:19]
    level = str(fields.pop("level", ""))
    event = str(fields.pop("event", fields.pop("msg", "")))
    trace = str(fields.pop("exception", ""))
    rest = " ".join(f"{k}={v}" for k, v in fields.items() if k not in ("service", "ts") and v not in (None, ""))
    return f"{moment} {level:<7} {event}{'  ' + rest if rest else ''}" + (f"\n{trace}" if trace else "")
