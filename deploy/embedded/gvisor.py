"""gVisor under the sandboxes: `runsc` as a runtime of the container engine, when CLINAI_SANDBOX_RUNTIME asks for it.

An engine that a launcher started gets it by its configuration file and a SIGHUP, upon which dockerd reads the runtimes
anew; containers that run are not touched. Any other engine belongs to somebody else, who is told what to write.
"""

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path

import aiodocker

from deploy.embedded import engine
from deploy.embedded.engine import Progress
from deploy.embedded.platform import LauncherError

RUNTIME = "runsc"
ARGUMENTS = ["--platform=ptrace", "--network=none"]
"""ptrace runs everywhere, also inside a virtual machine; limits hold only without --ignore-cgroups."""
CONFIG = Path("/etc/docker/daemon.json")
RELOAD_TIMEOUT_S = 10.0


def ensure(docker_host: str, runtime: str, say: Progress) -> None:
    """Return when the engine knows the runtime that the setting names; registers `runsc` where that is ours to do.

    Raises LauncherError with one line that says what to do instead.
    """
    if not runtime or runtime in runtimes(docker_host):
        return
    pid, root = engine.started_by_us(), engine.as_root()
    if runtime != RUNTIME or pid is None or root is None or docker_host != engine.DEFAULT_HOST:
        raise LauncherError(
            f"CLINAI_SANDBOX_RUNTIME={runtime}, but the engine at {docker_host} has no such runtime: add it to its "
            'daemon.json ("runtimes", see docs/operations.md) and have it reload, or unset the setting'
        )
    if shutil.which(RUNTIME) is None:
        say("installing gVisor (Debian's package runsc)")
        engine.install(root, ["runsc"], say)
    say(f"registering {RUNTIME} in {CONFIG}")
    write(CONFIG, root)
    reload(pid, root, docker_host)


def runtimes(docker_host: str) -> list[str]:
    """Names of the runtimes that an engine has."""

    async def ask() -> list[str]:
        async with aiodocker.Docker(url=docker_host) as docker:
            return list((await docker.system.info())["Runtimes"])

    return asyncio.run(ask())


def write(config: Path, root: list[str]) -> None:
    """Add the runtime to an engine's configuration; what else it says stays. Raises LauncherError."""
    try:
        text = with_runtime(
            config.read_text() if config.exists() else "", shutil.which(RUNTIME) or f"/usr/bin/{RUNTIME}"
        )
    except ValueError as error:
        raise LauncherError(f"{config} is no JSON object ({error}): mend it, then start again") from None
    script = 'mkdir -p "$(dirname "$1")" && cat > "$1.new" && mv "$1.new" "$1"'
    subprocess.run([*root, "sh", "-c", script, "sh", str(config)], input=text.encode(), check=True)


def with_runtime(text: str, path: str) -> str:
    """Return a daemon.json that has the runtime besides what `text` says; raises ValueError."""
    config = json.loads(text or "{}")
    if not isinstance(config, dict) or not isinstance(config.setdefault("runtimes", {}), dict):
        raise ValueError("not an object, or its runtimes are none")
    config["runtimes"][RUNTIME] = {"path": path, "runtimeArgs": ARGUMENTS}
    return json.dumps(config, indent=2) + "\n"


def reload(pid: int, root: list[str], docker_host: str) -> None:
    """Have dockerd read its configuration, and await the runtime; raises LauncherError."""
    subprocess.run([*root, "kill", "-HUP", str(pid)], check=True)
    until = time.monotonic() + RELOAD_TIMEOUT_S
    while RUNTIME not in runtimes(docker_host):
        if time.monotonic() > until:
            raise LauncherError(f"the engine did not take {RUNTIME} from {CONFIG} (log: {engine.LOG})")
        time.sleep(0.1)
