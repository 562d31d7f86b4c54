"""Find, name and end processes of a platform, also those an earlier supervisor left behind."""

import contextlib
import os
import signal
from pathlib import Path

import psutil

MARK = "CLINAI_PART_OF"
"""Every part runs with this variable naming its data folder; children inherit it. Unlike a recorded pid it is there
from the first instant of a process, and no other process can have it by chance."""


def left_behind(data: Path) -> list[psutil.Process]:
    """Processes that belong to the platform in `data`, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(data):
                found.append(process)
    return found


def end(processes: list[psutil.Process], grace_s: float) -> None:
    """Ask processes to stop, kill what is still there after `grace_s`, and wait until all are gone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            # PostgreSQL waits for its clients on SIGTERM and stops at once, cleanly, on SIGINT
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=10)


def kill_group(pid: int) -> None:
    """Kill what is left of the process group that a part led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def same_process(pid: int, created: float) -> bool:
    """Tell whether `pid` is still the process that was recorded with this start time."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 2.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_gone(pid: int, timeout_s: float) -> bool:
    """Wait until a process that is not our child has ended."""
    try:
        psutil.Process(pid).wait(timeout_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def who_listens(port: int) -> str:
    """Name the process that holds a TCP port, as far as we may see: "pid 12 (nginx)"."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    break
                with contextlib.suppress(psutil.Error):
                    return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
                return f"pid {connection.pid}"
    return "another process"
