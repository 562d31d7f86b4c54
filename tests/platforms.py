"""A whole platform of a test's own: other ports, folder and instance label than any that runs beside it."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.embedded.platform import can_bind

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections (32768 and more)."""
    for port in random.sample(range(10_000, 20_000), 1000):
        if can_bind(port):
            return port
    raise RuntimeError("no free port between 10000 and 20000")


class TestPlatform:
    """Started by the project's own launcher; `env` is what the launcher wrote into clinai.env."""

    __test__ = False

    def __init__(self, data: Path, instance: str, **settings: str) -> None:
        self.data = data
        self.instance = instance
        self.env: dict[str, str] = {}
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CLINAI_")}
        self._environ = {
            **clean,
            "CLINAI_DATA": str(data),
            "CLINAI_INSTANCE": instance,
            "CLINAI_PORTS": "auto",
            **settings,
        }

    def start(self, *arguments: str) -> "TestPlatform":
        """Start it and wait until it is ready; raises with the launcher's words when it does not come up."""
        self.deploy("up", *arguments, timeout_s=600)
        pairs = (line.split("=", 1) for line in (self.data / "clinai.env").read_text().splitlines() if "=" in line)
        self.env = dict(pairs)
        return self

    def stop(self) -> None:
        """Stop every part; its data stay."""
        self.deploy("down", timeout_s=90)

    def remove(self) -> None:
        """Stop every part; nothing of it stays, in its folder or in the engine."""
        self.deploy("reset", "--yes", timeout_s=180)

    def deploy(self, *arguments: str, timeout_s: float = 120) -> str:
        """Run `python -m deploy …` for this platform and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy", *arguments],
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"deploy {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Parts with their states and pids."""
        found: dict[str, Any] = json.loads(self.deploy("status", "--json"))
        return found

    def part(self, action: str, name: str) -> None:
        """`kill` (SIGKILL, restarted by the supervisor), `stop` or `start` one part."""
        self.deploy("part", action, name)

    @property
    def url(self) -> str:
        """Address of the edge."""
        return f"http://127.0.0.1:{self.env['CLINAI_EDGE_PORT']}"

    @property
    def environ(self) -> dict[str, str]:
        """Environment of a process that belongs to this platform, for instance the admin command."""
        return {**self._environ, **self.env}
