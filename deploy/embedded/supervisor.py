"""Keeps the parts of a platform running: starts them in order of readiness, restarts what dies, stops in reverse.

One asyncio task a part. A part that dies is restarted for ever, backoff capped; everything that happens is written to
`<data>/logs/supervisor.log` and told to whoever watches over the control socket (`control.py`).
"""

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import structlog

from deploy.embedded import processes
from deploy.embedded.parts import BACKING, EDGE, Node, Part, Step, listening
from deploy.embedded.platform import LauncherError, Platform, can_bind, write_private
from deploy.embedded.probes import answered

BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
SETTLED_S = 30.0
"""A part that lived this long starts again without waiting when it dies."""
FIRST_STARTS = 4
"""So often may a part fail to become ready, before it ever was, until the start of the platform counts as failed."""
PROBE_EVERY_S = 0.05
STILL_WAITING_S = 10.0
LOG_MAX_BYTES = 64 << 20

log = structlog.get_logger()
Listener = Callable[[dict[str, Any]], None]


@dataclass
class State:
    """What is known about one part or step."""

    name: str
    kind: str
    state: str = "waiting"
    """waiting, starting, ready, restarting, stopped, failed; a step that is done is ready."""
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    message: str = ""


class Supervisor:
    """Runs a set of nodes until told to stop."""

    def __init__(self, platform: Platform, nodes: list[Node]) -> None:
        self._platform = platform
        self._nodes = {node.name: node for node in nodes}
        self.states = {
            n.name: State(n.name, "part" if isinstance(n, Part) else "step", since=time.time()) for n in nodes
        }
        self._ready = {node.name: asyncio.Event() for node in nodes}
        self._halted: dict[str, asyncio.Event] = {}
        """Parts stopped by hand; the event ends the stop."""
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: set[Listener] = set()
        self._stopping = False
        self.failed = ""

    # -- what happens is told to log and listeners

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @property
    def ready(self) -> bool:
        """Whether everything selected is ready (parts stopped by hand do not count)."""
        return all(s.state in ("ready", "stopped") for s in self.states.values())

    def _tell(self, event: str, **fields: Any) -> None:
        for listener in list(self._listeners):
            listener({"event": event, **fields})

    def _set(self, name: str, state: str, message: str = "", **changes: Any) -> None:
        entry = self.states[name]
        entry.state, entry.message, entry.since = state, message, time.time()
        for key, value in changes.items():
            setattr(entry, key, value)
        write_private(
            self._platform.run / "parts.json", json.dumps([asdict(s) for s in self.states.values()], indent=1)
        )
        (log.warning if state in ("restarting", "failed") else log.info)(
            state, part=name, pid=entry.pid, message=message
        )
        self._tell("state", **asdict(entry))
        if self.ready:
            self._tell("ready")

    def _progress(self, name: str) -> Callable[[str], None]:
        loop, home = asyncio.get_running_loop(), threading.get_ident()

        def say(line: str) -> None:
            log.info("progress", part=name, message=line)
            if threading.get_ident() == home:
                self._tell("progress", name=name, line=line)  # at once: before the state that follows it
            else:
                loop.call_soon_threadsafe(lambda: self._tell("progress", name=name, line=line))

        return say

    # -- running

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it running until `stop` is set, then stop everything."""
        for name, node in self._nodes.items():
            keep = self._keep(node) if isinstance(node, Part) else self._once(node)
            self._tasks[name] = asyncio.create_task(keep, name=name)
        rotate = asyncio.create_task(self._rotate_logs())
        try:
            await stop.wait()
        finally:
            rotate.cancel()
            await self._stop_all()

    async def _needs(self, node: Node) -> None:
        for name in node.needs:
            if name in self._ready:
                await self._ready[name].wait()

    async def _once(self, step: Step) -> None:
        await self._needs(step)
        self._set(step.name, "starting")
        try:
            await step.run(self._progress(step.name))
        except LauncherError as error:
            self._fail(step.name, str(error))
        except Exception as error:  # a step must never end unseen
            log.exception("step failed", part=step.name)
            self._fail(step.name, f"{type(error).__name__}: {error}")
        else:
            self._set(step.name, "ready")
            self._ready[step.name].set()

    def _fail(self, name: str, message: str) -> None:
        self.failed = self.failed or f"{name}: {message}"
        self._set(name, "failed", message)
        self._tell("failed", name=name, message=message)

    async def _keep(self, part: Part) -> None:
        await self._needs(part)
        failures = 0
        while not self._stopping:
            if halted := self._halted.get(part.name):
                await halted.wait()
                failures = 0
            started = time.monotonic()
            ended = await self._live(part)
            if self._stopping:
                return
            if part.name in self._halted:
                self._set(part.name, "stopped", "stopped by hand", pid=None)
                continue
            failures = 0 if time.monotonic() - started > SETTLED_S else failures + 1
            delay = 0.0 if failures == 0 else BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]
            entry = self.states[part.name]
            self._set(part.name, "restarting", f"{ended}; again in {delay:g} s", pid=None, restarts=entry.restarts + 1)
            if failures >= FIRST_STARTS and not self._ready[part.name].is_set():
                self._tell("failed", name=part.name, message=ended)
                self.failed = f"{part.name}: {ended}"
            await asyncio.sleep(delay)

    async def _live(self, part: Part) -> str:
        """One life of a part, from its start to its end; returns how it ended."""
        self._set(part.name, "starting")
        if complaint := _taken(listening(self._platform, part)):
            return complaint
        mark = self._log_path(part.name).stat().st_size if self._log_path(part.name).exists() else 0
        try:
            if part.prepare is not None:
                await asyncio.to_thread(part.prepare, self._progress(part.name))
            process = await self._spawn(part)
        except (LauncherError, OSError) as error:
            return str(error)
        except Exception as error:  # a part must never be left unstarted unseen
            log.exception("part not started", part=part.name)
            return f"{type(error).__name__}: {error}"
        self._running[part.name] = process
        self._set(part.name, "starting", pid=process.pid)
        probing = asyncio.create_task(self._probe(part))
        try:
            code = await process.wait()
        finally:
            probing.cancel()
            self._running.pop(part.name, None)
            processes.kill_group(process.pid)
        return _how_it_ended(code, self._log_path(part.name), mark)

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        environment = part.environment() | {processes.MARK: str(self._platform.data)}
        with self._log_path(part.name).open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *part.command(), cwd=part.cwd, env=environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, user=part.user, group=part.user, extra_groups=[] if part.user else None,
            )  # fmt: skip

    async def _probe(self, part: Part) -> None:
        started = said = time.monotonic()
        while not await answered(part.ready()):
            if time.monotonic() - said > STILL_WAITING_S:
                said = time.monotonic()
                self._progress(part.name)(f"still starting after {said - started:.0f} s")
            await asyncio.sleep(PROBE_EVERY_S)
        self._ready[part.name].set()
        self._set(part.name, "ready", f"after {time.monotonic() - started:.1f} s")

    # -- stopping, and single parts

    async def _stop_all(self) -> None:
        self._stopping = True
        self._tell("stopping")
        log.info("stopping")
        for task in self._tasks.values():
            if task.get_name() not in self._running:
                task.cancel()
        for layer in range(EDGE, BACKING - 1, -1):
            names = [n for n in self._running if (p := self._nodes[n]) and isinstance(p, Part) and p.layer == layer]
            await asyncio.gather(*(self._stop(name) for name in names))
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.to_thread(processes.end, processes.left_behind(self._platform.data), 5.0)
        self._tell("stopped")

    async def _stop(self, name: str) -> None:
        part, process = self._nodes[name], self._running[name]
        assert isinstance(part, Part)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(part.stop_signal)
        try:
            async with asyncio.timeout(part.grace_s):
                await process.wait()
        except TimeoutError:
            log.warning("killed", part=name, message=f"did not stop within {part.grace_s:g} s")
            processes.kill_group(process.pid)
            await process.wait()
        self._set(name, "stopped", pid=None)

    async def halt(self, name: str) -> None:
        """Stop one part and leave it stopped."""
        self._part(name)
        self._halted.setdefault(name, asyncio.Event())
        if name in self._running:
            await self._stop(name)

    async def resume(self, name: str) -> None:
        """Start one part that was stopped by hand, and return when it is ready."""
        self._part(name)
        self._ready[name].clear()
        if halted := self._halted.pop(name, None):
            halted.set()
        elif self.states[name].state == "ready":
            return
        await self._ready[name].wait()

    def kill(self, name: str) -> int | None:
        """End one part with SIGKILL, as a power cut would; it is restarted like any part that dies. Returns its pid."""
        self._part(name)
        process = self._running.get(name)
        if process is not None:
            processes.kill_group(process.pid)
        return process.pid if process else None

    def _part(self, name: str) -> None:
        if not isinstance(self._nodes.get(name), Part):
            raise LauncherError(f"no part called {name} is part of this platform")

    # -- logs

    def _log_path(self, name: str) -> Path:
        return self._platform.logs / f"{name}.log"

    async def _rotate_logs(self) -> None:
        """Keep logs bounded: one that grew too long is copied aside and cut (parts append, so they go on at 0)."""
        while True:
            await asyncio.sleep(60)
            for path in self._platform.logs.glob("*.log"):
                if path.stat().st_size > LOG_MAX_BYTES:
                    await asyncio.to_thread(_rotate, path)


def _rotate(path: Path) -> None:
    import shutil

    shutil.copyfile(path, path.with_suffix(".log.1"))
    os.truncate(path, 0)


def _taken(ports: list[tuple[int, str]]) -> str | None:
    for port, setting in ports:
        if not can_bind(port):
            return f"port {port} is taken (by {processes.who_listens(port)}): set {setting}"
    return None


def _how_it_ended(code: int, path: Path, mark: int) -> str:
    """One line on a process's end: its own last words of this life, else its exit status."""
    status = f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(mark, path.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        if lines and code > 0:
            return f"{status}: {lines[-1][-300:]}"
    return status


def memory_bytes(pid: int, *, with_children: bool = True) -> int:
    """Memory of a part and its children, shared pages counted once (PSS) where the system tells."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *(parent.children(recursive=True) if with_children else ())]:
            with contextlib.suppress(psutil.Error):
                info = process.memory_full_info()
                total += getattr(info, "pss", 0) or info.rss
    return total
