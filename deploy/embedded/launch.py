"""Bring a platform up and down: what stands between the command line and the supervisor."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

from deploy.embedded import control, engine, gvisor, processes, registry
from deploy.embedded.parts import NAMES, needs_engine, nodes, select
from deploy.embedded.platform import ROOT, LauncherError, Platform
from deploy.embedded.supervisor import Supervisor
from shared.logging import configure_logging
from shared.settings import Instance, load

Say = Callable[[str], None]
DOWN_SILENCE_S = 60.0
"""A supervisor that says nothing for that long while it stops its parts is stuck; the longest grace is shorter."""
ENGINE_LOOK_S = 5.0


def up(platform: Platform, only: str, without: str, say: Say) -> None:
    """Start the platform unless it runs, and return when every part is ready.

    Interrupted or failed, it stops what it started. Raises LauncherError with one line that says what to mend.
    """
    names, mine = select(only, without), False
    try:
        try:
            events = control.ask(platform.control_socket, {"op": "watch"}, timeout_s=None)
            first = next(events)
        except (ConnectionError, StopIteration):
            _look(platform, names, say)
            mine = True  # also when we are interrupted while it starts
            _start(platform, names)
            events = control.ask(platform.control_socket, {"op": "watch"}, timeout_s=None)
            first = next(events)
        if not mine and (missing := set(names) - {s["name"] for s in first["states"]}):
            say(f"already running without {', '.join(sorted(missing))}; `down` first to change that")
        _await_ready(first, events, say)
    except BaseException as error:
        if mine:
            say("stopping what was started")
            down(platform, lambda _: None)
        if isinstance(error, KeyboardInterrupt):
            raise LauncherError("interrupted") from None
        raise


def _look(platform: Platform, names: list[str], say: Say) -> None:
    """Clear the way: no leftovers, room on the disk, an engine where one is needed."""
    if leftovers := processes.left_behind(platform.data):
        say(f"an earlier supervisor died; stopping the {len(leftovers)} processes it left behind")
        processes.end(leftovers, 10.0)
    free = shutil.disk_usage(platform.data).free
    if free < platform.disk_min_bytes:
        raise LauncherError(
            f"the disk of {platform.data} has {free >> 20} MB left; {platform.disk_min_bytes >> 20} MB is the least to "
            "start with: make room (`docker system df` shows the engine's share), or let CLINAI_DATA name a folder on "
            "another disk"
        )
    if needs_engine(names) or ("registry" in names and registry.binary(platform) is None):
        engine.ensure(platform.docker_host, say)
        gvisor.ensure(platform.docker_host, os.environ.get("CLINAI_SANDBOX_RUNTIME", ""), say)


def _start(platform: Platform, names: list[str]) -> None:
    """Start the supervisor and return when it listens."""
    log = platform.logs / "supervisor.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "run", "--only", ",".join(names)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, "CLINAI_DATA": str(platform.data)},
        )  # fmt: skip
    try:
        while True:  # until it listens; another `up` may have been quicker, and then ours ends with ALREADY_RUNNING
            try:
                next(control.ask(platform.control_socket, {"op": "status"}))
            except (ConnectionError, StopIteration):
                if process.poll() not in (None, ALREADY_RUNNING):
                    raise LauncherError(
                        f"the supervisor ended at once: {_last_line(log.read_text())} ({log})"
                    ) from None
                time.sleep(0.03)
            else:
                return
    except BaseException:
        process.terminate()  # it may not listen yet; nobody else knows of it then
        process.wait(DOWN_SILENCE_S)
        raise


def _await_ready(first: dict[str, Any], events: Any, say: Say) -> None:
    started = time.monotonic()
    if first["failed"]:
        raise LauncherError(first["failed"])
    if first["ready"]:
        return
    for event in events:
        match event["event"]:
            case "progress":
                say(f"{event['name']}: {event['line']}")
            case "state" if event["state"] == "ready":
                say(f"{event['name']} ready {event['message'] or f'after {time.monotonic() - started:.1f} s'}")
            case "state" if event["state"] == "restarting":
                say(f"{event['name']} {event['message']}")
            case "failed":
                raise LauncherError(f"{event['name']}: {event['message']}")
            case "ready":
                return
            case "stopping" | "stopped":
                raise LauncherError("the platform is being stopped")
    raise LauncherError("the supervisor has ended; see supervisor.log in the data folder's logs")


def down(platform: Platform, say: Say) -> None:
    """Stop everything of this platform, also what a killed supervisor left behind; harmless when nothing runs."""
    pid = None
    try:
        for event in control.ask(platform.control_socket, {"op": "down"}, timeout_s=DOWN_SILENCE_S):
            if event["event"] == "snapshot":
                pid = event["pid"]
            elif event["event"] == "state" and event["state"] == "stopped":
                say(f"{event['name']} stopped")
    except (ConnectionError, TimeoutError):
        if pid := pid or _supervisor(platform):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    if pid is not None and not processes.wait_gone(pid, 30):
        say(f"the supervisor (pid {pid}) is stuck; killing it")
        os.kill(pid, signal.SIGKILL)
    if leftovers := processes.left_behind(platform.data):
        say(f"stopping {len(leftovers)} processes without a supervisor")
        processes.end(leftovers, 15.0)


def _supervisor(platform: Platform) -> int | None:
    """Pid of a supervisor that lives but does not answer."""
    path = platform.run / "supervisor.lock"
    with contextlib.suppress(OSError, ValueError), path.open() as lock:
        pid = int(lock.read())
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return pid
    return None


def reset(platform: Platform, say: Say) -> None:
    """Stop the platform and remove its data folder and what it keeps in the engine."""
    down(platform, say)
    try:
        if engine.answers(platform.docker_host):
            registry.remove(platform)
            asyncio.run(_remove_engine_objects(platform))
        else:
            say(
                f"the engine does not answer: what it keeps of this platform stays there; once it answers, find it "
                f"with `docker images --filter label=clinai.instance={platform.instance}`"
            )
    except OSError as error:
        say(f"the engine was not cleaned: {error}")
    if platform.sockets.parent != platform.run:
        shutil.rmtree(platform.sockets, ignore_errors=True)
    shutil.rmtree(platform.data)
    say(f"removed {platform.data}")


async def _remove_engine_objects(platform: Platform) -> None:
    import aiodocker

    wanted = {"label": [f"clinai.instance={platform.instance}"]}
    async with aiodocker.Docker(url=platform.docker_host) as docker:
        for container in await docker.containers.list(all=True, filters=wanted):
            await container.delete(force=True)
        images = await docker.images.list(filters=wanted)
        while images:
            # an image cannot go before those made from it: each round takes what nothing depends on
            left = [image for image in images if not await _removed(docker, image["Id"])]
            if len(left) == len(images):
                raise OSError(f"{len(left)} images are in use by other platforms or containers")
            images = left


async def _removed(docker: Any, image_id: str) -> bool:
    """Remove an image; False when others depend on it."""
    import aiodocker

    try:
        await docker.images.delete(image_id, force=True)
    except aiodocker.DockerError as error:
        if error.status == 409:
            return False
        if error.status != 404:  # went with an image made from it
            raise
    return True


ALREADY_RUNNING = 3


def run(platform: Platform, only: str, without: str) -> int:
    """Be the supervisor, in the foreground, until SIGTERM, SIGINT or `down`."""
    lock = (platform.run / "supervisor.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until this process ends, however it ends
    except BlockingIOError:
        return ALREADY_RUNNING
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    configure_logging("supervisor", load(Instance))
    names = select(only, without)
    asyncio.run(_supervise(platform, names))
    lock.close()
    return 0


async def _supervise(platform: Platform, names: list[str]) -> None:
    log = structlog.get_logger()
    log.info("starting", parts=names, pid=os.getpid(), data=str(platform.data))
    platform.write_env_file()
    platform.write_passwords()
    supervisor, stop = Supervisor(platform, nodes(platform, names)), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await control.serve(platform, supervisor, stop)
    watch = asyncio.create_task(_watch_engine(platform)) if needs_engine(names) else None
    try:
        await supervisor.run(stop)
    finally:
        if watch:
            watch.cancel()
        platform.control_socket.unlink(missing_ok=True)
        server.close()
        log.info("ended")


async def _watch_engine(platform: Platform) -> None:
    """Say when the engine stops answering, and start it again when it was a launcher that started it."""
    log, answered = structlog.get_logger(), True
    while True:
        await asyncio.sleep(ENGINE_LOOK_S)
        now = await asyncio.to_thread(engine.answers, platform.docker_host)
        if now != answered:
            (log.info if now else log.error)("the container engine " + ("answers again" if now else "does not answer"))
        answered = now
        if not now:
            try:
                await asyncio.to_thread(engine.restart_if_ours, lambda line: log.warning(line))
            except LauncherError as error:
                log.error("engine not started", message=str(error))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def addresses(platform: Platform) -> list[str]:
    """Lines that tell a person where everything is."""
    p = platform.ports
    return [
        f"web page       http://127.0.0.1:{p['edge']}/",
        f"API            http://127.0.0.1:{p['edge']}/api   (reference: http://127.0.0.1:{p['edge']}/docs)",
        f"live events    ws://127.0.0.1:{p['edge']}/ws   NATS: 127.0.0.1:{p['nats']}",
        f"passwords      {platform.passwords}",
        f"settings       {platform.data / 'clinai.env'}   logs: {platform.logs}",
    ]


__all__ = ["NAMES", "addresses", "down", "reset", "run", "up"]
