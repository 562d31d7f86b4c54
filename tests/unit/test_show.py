"""What `deploy logs` makes of the parts' log lines, and what a command says that cannot do its work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.show import readable, time_of
from tests.platforms import ROOT

SERVICE = '{"event": "request", "level": "info", "timestamp": "2026-11-24T16:08:04.5Z", "status": 202}'
CADDY = '{"level":"warn","ts":1795536484.25,"logger":"admin","msg":"admin endpoint disabled"}'
REGISTRY = (
    '{"level":"error","msg":"response completed with error","time":"2026-11-24T16:08:06.1Z","go.version":"go1.19.8",'
    '"http.request.method":"HEAD","http.request.uri":"/v2/x","http.response.status":404,"err.message":"blob unknown"}'
)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (SERVICE, "2026-11-24T16:08:04.5"),
        (CADDY, "2026-11-24T16:08:04.250000+00:00"),
        ("[19720] 2026/11/24 16:06:40.600775 [INF] Server is ready", "2026-11-24T16:06:40.600775"),
        ("2026-11-24 16:06:46.799 UTC [20167] LOG:  ready", "2026-11-24T16:06:46.799"),
        ("\tConnection matched a file", ""),
    ],
)
def test_the_time_of_every_part(line: str, moment: str) -> None:
    assert time_of(line) == moment


def test_lines_for_people() -> None:
    assert readable(SERVICE) == "16:08:04 info    request  status=202"
    assert readable(CADDY) == "16:08:04 warn    admin endpoint disabled  logger=admin"
    assert readable(REGISTRY).endswith("response completed with error  HEAD /v2/x 404  err.message=blob unknown")
    assert readable("plain text") == "plain text"


def test_every_line_of_a_burst_is_shown_at_once(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "builder.log"
    log.parent.mkdir()
    log.write_text("first\nsecond\n")
    with subprocess.Popen(
        [sys.executable, "-m", "deploy", "logs", "builder"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "CLINAI_DATA": str(tmp_path)},
        # who runs the tests in the background has given them a Ctrl-C that does nothing
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as shown:  # fmt: skip
        assert shown.stdout is not None
        try:
            said = [shown.stdout.readline() for _ in range(2)]
            with log.open("a") as file:
                file.write("third\nfourth\nfifth\n")
            said += [shown.stdout.readline() for _ in range(3)]
        finally:
            shown.send_signal(signal.SIGINT)
    assert [line.split()[1] for line in said] == ["first", "second", "third", "fourth", "fifth"]
    assert shown.returncode == 0


def test_an_engine_elsewhere_that_does_not_answer_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "engine", "ensure"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "CLINAI_DATA": str(tmp_path), "CLINAI_DOCKER_HOST": "tcp://127.0.0.1:9"},
    )  # fmt: skip
    [line] = done.stderr.splitlines()
    assert line.startswith("error: the container engine at tcp://127.0.0.1:9 does not answer")


def test_a_reset_without_an_engine_says_what_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "reset", "--yes"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "CLINAI_DATA": str(data), "CLINAI_INSTANCE": "x", "CLINAI_DOCKER_HOST": "tcp://127.0.0.1:9"},
    )  # fmt: skip
    assert "docker images --filter label=clinai.instance=x" in done.stdout
    assert not data.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["reset"], "nothing was removed; only the answer `yes`, or --yes, removes it"),
        (["part", "stop", "nats"], "no platform is running"),
        (["logs", "nobody"], "there are: none yet"),
    ],
)
def test_without_a_platform_or_an_answer_one_line_says_so(tmp_path: Path, command: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "CLINAI_DATA": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert (tmp_path / "secrets.json").exists()
