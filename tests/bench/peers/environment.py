"""The environment of the peers: made at the first run as requirements.txt says, kept, made anew when that changes."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.platforms import ROOT

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
TIMEOUT_S = 600


@cache
def programs() -> Path:
    """The folder with the environment's programs; fetches packages when they are not as required.

    Raises RuntimeError with uv's words when they cannot be fetched.
    """
    folder = bench_folder() / "peers"
    as_required, found = REQUIREMENTS.read_text(), folder / "requirements.txt"
    if not found.exists() or found.read_text() != as_required:
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _uv(
            "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--requirements", str(REQUIREMENTS)
        )
        found.write_text(as_required)
    return folder / "bin"


def bench_folder() -> Path:
    """Where bench keeps what it has measured and what it needs to measure."""
    return Path(os.environ.get("CLINAI_DATA") or ROOT / ".clinai").absolute() / "bench"


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"the peers' environment could not be made: uv {arguments[0]}: {done.stderr[-2000:]}")
