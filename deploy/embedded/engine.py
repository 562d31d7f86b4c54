"""The container engine: use the one that is there; on Debian and Ubuntu install and start one when there is none.

An engine we start is the machine's: every platform and every other program may use it, so `down` leaves it running and
`python -m deploy engine stop` stops it.
"""

import asyncio
import contextlib
import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.embedded import processes
from deploy.embedded.platform import LauncherError
from deploy.embedded.probes import answered
from deploy.embedded.probes import engine as probe

Progress = Callable[[str], None]
DEFAULT_HOST = "unix:///var/run/docker.sock"
STATE = Path("/var/run/clinai-engine.json")
LOG = Path("/var/log/clinai-engine.log")
START_TIMEOUT_S = 60.0
APT = ["-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30"]


def answers(docker_host: str) -> bool:
    """Tell whether an engine answers at this address."""
    return asyncio.run(answered(probe(docker_host)))


def ensure(docker_host: str, say: Progress) -> None:
    """Return when an engine answers at `docker_host`; installs and starts one where that is ours to do.

    Asks first on a terminal. Raises LauncherError with one line that says what to do instead.
    """
    if answers(docker_host):
        return
    if docker_host not in (DEFAULT_HOST, "unix:///run/docker.sock"):
        raise LauncherError(
            f"the container engine at {docker_host} does not answer (DOCKER_HOST or docker context names it)"
        )
    if _may_join_group():
        _run_again_in_group("docker")
    if Path("/var/run/docker.sock").exists() and not os.access("/var/run/docker.sock", os.W_OK):
        raise LauncherError(
            "/var/run/docker.sock may not be used by this account: add it to the group docker, then sign in again"
        )
    if not _debian():
        raise LauncherError("no container engine answers: install Docker Engine or Docker Desktop, or set DOCKER_HOST")
    root = as_root()
    installed = shutil.which("dockerd", path=_path()) is not None
    plan = "start the Docker engine" if installed else "install Debian's docker.io package and start it"
    if root is None:
        raise LauncherError(
            f"no container engine answers, and without root or sudo I cannot {plan}: do that, or set DOCKER_HOST"
        )
    say(f"no container engine answers: about to {plan}")
    if sys.stdin.isatty() and input(f"  may I {plan}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        raise LauncherError("stopped: a container engine is needed; start one, or set DOCKER_HOST")
    if not installed:
        install(root, ["docker.io", "iptables"], say)
    _start(root, say)


def restart_if_ours(say: Progress) -> None:
    """Start the engine again when it was started by us and has died."""
    if _ours_has_died() and (root := as_root()) is not None:
        say("the container engine has died; starting it again")
        _start(root, say)


def stop() -> str:
    """Stop the engine that a launcher started; returns a line that says what happened."""
    state = _state()
    root = as_root() or []
    if state is None or not processes.same_process(*state):
        return "no engine that a launcher started is running"
    subprocess.run([*root, "rm", "-f", str(STATE)], check=False)  # first: no supervisor shall start it again
    subprocess.run([*root, "kill", "-TERM", str(state[0])], check=False)
    gone = processes.wait_gone(state[0], 30)
    return "the engine has stopped" if gone else f"the engine (pid {state[0]}) has not stopped after 30 s"


def install(root: list[str], packages: list[str], say: Progress) -> None:
    """Install Debian packages; raises LauncherError with apt's reason."""
    with _no_service_starts(root):
        for args in (["update", *APT], ["install", "-y", "--no-install-recommends", *APT, *packages]):
            say(f"apt-get {args[0]}" + (f" {packages[0]}" if args[0] == "install" else ""))
            environment = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a"]
            done = subprocess.run(
                [*root, *environment, "apt-get", *args],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                reason = next((x for x in done.stderr.splitlines() if x.startswith("E:")), done.stderr.strip()[-300:])
                raise LauncherError(f"apt-get {args[0]} failed: {reason}")


@contextlib.contextmanager
def _no_service_starts(root: list[str]) -> Iterator[None]:
    """Without systemd, keep apt from starting the daemon itself: it would hold apt's pipes and our terminal."""
    policy = Path("/usr/sbin/policy-rc.d")
    if _systemd() or policy.exists():
        yield
        return
    subprocess.run(
        [*root, "sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' > {policy} && chmod 755 {policy}"], check=False
    )
    try:
        yield
    finally:
        subprocess.run([*root, "rm", "-f", str(policy)], check=False)


def _start(root: list[str], say: Progress) -> None:
    if _systemd():
        subprocess.run([*root, "systemctl", "start", "docker"], check=False, capture_output=True)
        if root:  # not root ourselves: the engine's socket belongs to the group docker
            subprocess.run([*root, "usermod", "-aG", "docker", pwd.getpwuid(os.getuid()).pw_name], check=False)
            _run_again_in_group("docker")
        _await(say)
        return
    for attempt in ("as it is", "with legacy iptables"):
        say("starting the Docker engine")
        _spawn(root)
        if _await(say):
            return
        last_words = _last_words()
        if attempt == "as it is" and "iptables" in last_words and Path("/usr/sbin/iptables-legacy").exists():
            say("the kernel has no nftables for it; switching to legacy iptables")
            for name in ("iptables", "ip6tables"):
                alternative = ["update-alternatives", "--set", name, f"/usr/sbin/{name}-legacy"]
                subprocess.run([*root, *alternative], check=False, capture_output=True)
            continue
        raise LauncherError(f"the Docker engine does not start (log: {LOG}): {last_words}")


def _spawn(root: list[str]) -> None:
    """Start dockerd in a session of its own, and record which process it is."""
    group = grp.getgrgid(os.getgid()).gr_name if root else "docker"
    script = (
        f"setsid dockerd --group {group} >>{LOG} 2>&1 </dev/null & pid=$!; "
        f'printf "{{\\"pid\\": %d, \\"created\\": %s}}" $pid "$(date +%s)" > {STATE}; echo $pid'
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLINAI_")} | {"PATH": _path()}
    subprocess.run([*root, "sh", "-c", script], env=environment, check=True, capture_output=True)


def _await(say: Progress) -> bool:
    """Wait until the engine answers or has ended."""
    deadline, said = time.monotonic() + START_TIMEOUT_S, time.monotonic()
    while time.monotonic() < deadline:
        if answers(DEFAULT_HOST):
            return True
        if not _systemd() and _ours_has_died():
            return False
        if time.monotonic() - said > 10:
            said = time.monotonic()
            say("still waiting for the engine")
        time.sleep(0.1)
    raise LauncherError(
        f"the Docker engine did not answer within {START_TIMEOUT_S:.0f} s (log: {LOG}): {_last_words()}"
    )


def _state() -> tuple[int, float] | None:
    """(pid, start time) of the engine that a launcher started last."""
    try:
        state = json.loads(STATE.read_text())
        return int(state["pid"]), float(state["created"])
    except (OSError, ValueError, KeyError):
        return None


def started_by_us() -> int | None:
    """Pid of the engine that a launcher started and that still runs."""
    state = _state()
    return state[0] if state is not None and processes.same_process(*state) else None


def _ours_has_died() -> bool:
    state = _state()
    return state is not None and not processes.same_process(*state)


def _last_words() -> str:
    with contextlib.suppress(OSError):
        lines = LOG.read_text(errors="replace").splitlines()[-20:]
        errors = [line for line in lines if "level=error" in line or "level=fatal" in line or line.startswith("failed")]
        return (errors or lines or [""])[-1][-400:]
    return ""


def _systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _debian() -> bool:
    with contextlib.suppress(OSError):
        text = Path("/etc/os-release").read_text()
        return shutil.which("apt-get") is not None and any(name in text for name in ("debian", "ubuntu"))
    return False


def as_root() -> list[str] | None:
    """Prefix of commands that need root; None when we cannot have it. May ask for a password on a terminal."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    options = [] if sys.stdin.isatty() else ["-n"]
    allowed = (
        subprocess.run(["sudo", *options, "true"], check=False, capture_output=not sys.stdin.isatty()).returncode == 0
    )
    return ["sudo", *options] if allowed else None


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _may_join_group() -> bool:
    """The account was put into the group docker after this session began."""
    with contextlib.suppress(KeyError):
        group = grp.getgrnam("docker")
        member = pwd.getpwuid(os.getuid()).pw_name in group.gr_mem
        return member and group.gr_gid not in os.getgroups() and Path("/var/run/docker.sock").exists()
    return False


def _run_again_in_group(group: str) -> None:
    """Replace this process by itself with `group` among its groups; `sg` needs no new sign-in for that."""
    if shutil.which("sg") and os.environ.get("CLINAI_IN_GROUP") != group:
        import shlex

        os.environ["CLINAI_IN_GROUP"] = group
        os.execvp("sg", ["sg", group, "-c", shlex.join([sys.executable, "-m", "deploy", *sys.argv[1:]])])  # noqa: S606
