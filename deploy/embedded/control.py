"""The supervisor's Unix socket: JSON lines in both directions.

Requests: {"op": "watch" | "status" | "down"} and {"op": "stop" | "start" | "kill", "part": name}. `watch` and `down`
stream events until the connection or the platform ends; the others get one answer.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.embedded.platform import LauncherError, Platform
from deploy.embedded.supervisor import Supervisor


async def serve(platform: Platform, supervisor: Supervisor, stop: asyncio.Event) -> asyncio.Server:
    """Listen for commands; only our own user can connect."""
    path = platform.control_socket
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                request = json.loads(await reader.readline())
                async for answer in _answer(supervisor, stop, request):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_unix_server(session, path)
    path.chmod(0o600)
    return server


async def _answer(supervisor: Supervisor, stop: asyncio.Event, request: dict[str, Any]) -> Any:
    match request.get("op"):
        case "status":
            yield _snapshot(supervisor)
        case "watch" | "down" as op:
            events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            end = supervisor.listen(events.put_nowait)
            try:
                yield _snapshot(supervisor)
                if op == "down":
                    stop.set()
                while (event := await events.get())["event"] != "stopped":
                    yield event
                yield event
            finally:
                end()
        case "stop" | "start" | "kill" as op:
            try:
                name = str(request.get("part"))
                if op == "stop":
                    await supervisor.halt(name)
                elif op == "start":
                    await supervisor.resume(name)
                else:
                    yield {"event": "done", "name": name, "state": "killed", "pid": supervisor.kill(name)}
                    return
                yield {"event": "done", **asdict(supervisor.states[name])}
            except LauncherError as error:
                yield {"event": "error", "message": str(error)}
        case other:
            yield {"event": "error", "message": f"no operation {other!r}"}


def _snapshot(supervisor: Supervisor) -> dict[str, Any]:
    states = [asdict(state) for state in supervisor.states.values()]
    found = {"ready": supervisor.ready, "failed": supervisor.failed, "states": states}
    return {"event": "snapshot", "pid": os.getpid(), **found}


def ask(path: Path, request: dict[str, Any], timeout_s: float | None = 120.0) -> Iterator[dict[str, Any]]:
    """Send one request from a command and yield its answers. Raises ConnectionError when no supervisor listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise ConnectionError(f"no platform is running ({path}: {error.strerror})") from None
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            for line in lines:
                yield json.loads(line)
