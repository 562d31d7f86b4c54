"""Which part spends how much CPU: seconds of each part's processes, before and after a piece of work."""

import subprocess
from collections.abc import Mapping
from contextlib import suppress

import psutil

from tests.bench.group import Bench

ENGINE = ("dockerd", "containerd")
SHIM = "containerd-shim"
CLIENT, SANDBOXES, ENGINE_ROW = "client", "sandboxes", "engine"


class Accounts:
    """CPU seconds of a platform's parts, of the processes named besides, and of what all share.

    A part's processes are its tree, with those that have ended and were waited for, so that a sandbox's forked jobs
    and a database's connections count. `engine` is the whole machine's and may serve others, too; `client` is this
    process.
    """

    def __init__(self, bench: Bench, **others: int) -> None:
        self._bench = bench
        parts = {str(part["name"]): int(part["pid"]) for part in bench.platform.status()["parts"] if part["pid"]}
        self._roots = parts | others

    def read(self) -> dict[str, float]:
        """Seconds so far, by name."""
        spent = {name: tree_seconds(pid) for name, pid in self._roots.items()}
        spent[CLIENT] = own_seconds(psutil.Process())
        containers = self._containers()
        spent[SANDBOXES] = sum(map(tree_seconds, containers.values()))
        spent[ENGINE_ROW] = 0.0
        for process in psutil.process_iter(["name", "cmdline"]):
            name, words = process.info["name"] or "", process.info["cmdline"] or []
            if name in ENGINE or (name.startswith(SHIM) and not containers.keys().isdisjoint(words)):
                spent[ENGINE_ROW] += own_seconds(process)
        return spent

    def _containers(self) -> dict[str, int]:
        """The first process of each container of this platform, by the container's id."""
        ids = self._docker("ps", "--quiet", "--no-trunc", "--filter", f"label=clinai.instance={self._instance}")
        pairs = self._docker("inspect", "--format", "{{.Id}} {{.State.Pid}}", *ids) if ids else []
        return {container: int(pid) for container, pid in zip(pairs[::2], pairs[1::2], strict=True)}

    def _docker(self, *words: str) -> list[str]:
        done = subprocess.run([*self._bench.docker, *words], capture_output=True, text=True, check=False)
        return done.stdout.split()

    @property
    def _instance(self) -> str:
        return self._bench.platform.instance


def spent_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Seconds by name; what came or went in between counts as far as it is known, and never below 0."""
    return {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after}


def each(seconds: Mapping[str, float], count: int) -> dict[str, float]:
    """Milliseconds for one of `count`, the most first."""
    return dict(sorted(((name, spent * 1000 / count) for name, spent in seconds.items()), key=lambda pair: -pair[1]))


def tree_seconds(pid: int) -> float:
    """User and system time of a process and of all below it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return sum(own_seconds(one) for one in (process, *process.children(recursive=True)))
    return 0.0


def own_seconds(process: psutil.Process) -> float:
    """User and system time of a process and of those that it has waited for."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return float(sum(process.cpu_times()[:4]))
    return 0.0
