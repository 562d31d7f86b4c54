"""Start, stop, and everything that may go wrong between: a part, the supervisor or a person ends something."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.launcher.conftest import MakePlatform, ask, pids, processes_of
from tests.platforms import ROOT, TestPlatform

SMALL = ("--only", "postgres,nats")


def test_every_part_is_ready_and_starting_again_changes_nothing(running: TestPlatform) -> None:
    before = running.status()

    assert before["ready"]
    assert {part["name"]: part["state"] for part in before["parts"]} == dict.fromkeys(
        ("postgres", "nats", "storage", "registry", "edge", "migrations"), "ready"
    )
    said = running.deploy("up")
    assert f"http://127.0.0.1:{running.env['CLINAI_EDGE_PORT']}/docs" in said
    assert pids(running) == {part["name"]: part["pid"] for part in before["parts"] if part["pid"]}


def test_secrets_are_for_their_owner_only(running: TestPlatform) -> None:
    for name in ("secrets.json", "clinai.env", "passwords.txt", "run/s3.json", "run/nats-server.conf"):
        mode = stat.S_IMODE((running.data / name).stat().st_mode)
        assert mode == 0o600, f"{name} has mode {mode:o}"


def test_what_users_upload_is_closed_to_other_accounts_of_the_machine(running: TestPlatform) -> None:
    """All but the way to the sockets: logs, objects, images and the bus's store are the platform's alone."""
    folders = [path for path in running.data.iterdir() if path.is_dir() and path.name != "run"]
    assert {"logs", "nats", "postgres", "registry", "storage"} <= {path.name for path in folders}
    for path in folders:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == 0o700, f"{path.name} has mode {mode:o}"
    assert not stat.S_IMODE((running.data / "run").stat().st_mode) & 0o066


def test_only_edge_and_bus_listen_beyond_loopback(running: TestPlatform) -> None:
    mine = {process.pid for process in processes_of(running)}
    public = {
        connection.laddr.port
        for connection in psutil.net_connections("tcp")
        if connection.pid in mine
        and connection.status == psutil.CONN_LISTEN
        and connection.laddr.ip not in ("127.0.0.1", "::1")
    }

    assert public == {int(running.env[f"CLINAI_{name}_PORT"]) for name in ("EDGE", "STORAGE_PUBLIC", "NATS")}


def test_the_bus_lets_nobody_in_without_its_password(running: TestPlatform) -> None:
    with socket.create_connection(("127.0.0.1", int(running.env["CLINAI_NATS_PORT"])), timeout=5) as bus:
        bus.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        answer = b""
        while chunk := bus.recv(4096):
            answer += chunk

    assert b"Authorization Violation" in answer


def test_stopping_leaves_no_process_and_the_next_start_finds_what_was_there(make_platform: MakePlatform) -> None:
    platform = make_platform().start(*SMALL)
    first = platform.env

    platform.stop()

    assert processes_of(platform) == []
    assert not platform_runs(platform)
    platform.stop()  # once more does no harm
    assert platform.start(*SMALL).env == first


def test_two_platforms_stand_side_by_side(running: TestPlatform, make_platform: MakePlatform) -> None:
    other = make_platform().start(*SMALL)
    ports = [{v for k, v in platform.env.items() if k.endswith("_PORT")} for platform in (running, other)]
    assert not ports[0] & ports[1]
    assert running.env["CLINAI_INSTANCE"] != other.env["CLINAI_INSTANCE"]
    before = pids(running)

    other.stop()

    assert running.status()["ready"]
    assert pids(running) == before


@pytest.mark.parametrize("name", ["nats", "storage", "registry", "edge", "postgres"])
def test_a_part_that_dies_is_started_again(running: TestPlatform, name: str) -> None:
    before, events = pids(running), ask(running, op="watch")
    next(events)

    assert next(ask(running, op="kill", part=name))["pid"] == before[name]

    died = next(event for event in events if event["event"] == "state" and event["state"] == "restarting")
    assert (died["name"], died["message"].partition(";")[0]) == (name, "killed by signal 9")
    assert next(event for event in events if event["event"] == "ready")
    after = pids(running)
    assert after.pop(name) != before.pop(name)
    assert after == before


def test_a_part_stopped_by_hand_stays_stopped_until_it_is_started(running: TestPlatform) -> None:
    running.part("stop", "registry")
    assert "registry" not in pids(running)

    running.part("start", "registry")

    assert "registry" in pids(running)
    assert running.status()["ready"]


def test_a_taken_port_is_one_line_that_names_the_setting(make_platform: MakePlatform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        platform = make_platform(CLINAI_NATS_PORT=str(port))

        done = up(platform, *SMALL)

    assert done.returncode == 1
    line = f"error: nats: port {port} is taken (by pid {os.getpid()} ({psutil.Process().name()})): set CLINAI_NATS_PORT"
    assert done.stderr.strip() == line
    assert processes_of(platform) == []


def test_a_wrong_port_is_said_before_anything_starts(make_platform: MakePlatform) -> None:
    done = up(make_platform(), *SMALL, CLINAI_EDGE_PORT="eighty")

    assert (done.returncode, done.stderr.strip()) == (1, "error: CLINAI_EDGE_PORT=eighty is no port number")


def test_after_the_supervisor_was_killed_a_start_clears_up_and_begins_anew(make_platform: MakePlatform) -> None:
    platform = make_platform().start(*SMALL)
    before = pids(platform)
    os.kill(platform.status()["supervisor_pid"], signal.SIGKILL)
    assert not platform_runs(platform)

    said = platform.deploy("up", *SMALL)

    assert "an earlier supervisor died" in said
    assert platform.status()["ready"]
    assert not set(before.values()) & set(pids(platform).values())


def test_after_the_supervisor_was_killed_down_stops_what_it_left(make_platform: MakePlatform) -> None:
    platform = make_platform().start(*SMALL)
    os.kill(platform.status()["supervisor_pid"], signal.SIGKILL)

    platform.stop()

    assert processes_of(platform) == []


@pytest.mark.parametrize("moment", ["at once", "with the first part ready"])
def test_an_interrupted_start_leaves_nothing(make_platform: MakePlatform, moment: str) -> None:
    platform = make_platform()
    command = [sys.executable, "-m", "deploy", "up", "--only", "postgres,nats,storage,registry,edge"]
    with subprocess.Popen(
        command, cwd=ROOT, env=platform.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as started:  # fmt: skip
        assert started.stdout is not None
        if moment == "at once":
            wait_until(lambda: (platform.data / "run" / "supervisor.lock").exists())
        else:
            assert "ready" in started.stdout.readline()
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does
        _, stderr = started.communicate(timeout=60)

    assert started.returncode == 1
    assert stderr.strip() == "error: interrupted"
    assert processes_of(platform) == []
    assert platform.start(*SMALL).status()["ready"]


def test_too_little_room_is_said_before_anything_starts(make_platform: MakePlatform) -> None:
    platform = make_platform(CLINAI_DISK_MIN_BYTES=str(1 << 60))

    done = up(platform, *SMALL)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the disk of {platform.data} has ")
    assert "CLINAI_DATA" in done.stderr
    assert processes_of(platform) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_one_line(make_platform: MakePlatform) -> None:
    platform = make_platform()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", platform.data], check=True)
    try:
        filling = subprocess.run(["dd", "if=/dev/zero", f"of={platform.data}/filler"], capture_output=True, check=False)
        assert filling.returncode != 0

        done = up(platform, *SMALL)

        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "CLINAI_DATA moves the data folder" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    finally:
        subprocess.run(["umount", platform.data], check=True)


def test_logs_are_readable_and_an_unknown_part_is_named(running: TestPlatform) -> None:
    said = running.deploy("logs", "supervisor", "--no-follow", "-n", "500")
    assert "supervisor  " in said
    assert "info    ready  part=nats" in said

    with pytest.raises(RuntimeError, match="no log of nobody"):
        running.deploy("logs", "nobody", "--no-follow")


def test_reset_removes_the_folder(make_platform: MakePlatform) -> None:
    platform = make_platform().start(*SMALL)

    platform.deploy("reset", "--yes")

    assert not (platform.data / "secrets.json").exists()
    assert processes_of(platform) == []
    Path(platform.data).mkdir(exist_ok=True)


def up(platform: TestPlatform, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`up` with its streams apart, and settings for this once."""
    return subprocess.run(
        [sys.executable, "-m", "deploy", "up", *arguments], cwd=ROOT, env=platform.environ | settings,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def platform_runs(platform: TestPlatform) -> bool:
    """Whether `status` says that it is ready, by its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "status"], cwd=ROOT, env=platform.environ, capture_output=True, check=False
    )
    return done.returncode == 0


def wait_until(condition: object, timeout_s: float = 30) -> None:
    """Ask until a condition of another process holds."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
