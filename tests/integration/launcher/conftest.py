"""Platforms of the backing parts and the edge; each test may have several, and all are stopped at its end."""

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.embedded import control, processes
from deploy.embedded.platform import Platform
from tests.platforms import TestPlatform

MakePlatform = Callable[..., TestPlatform]


@pytest.fixture(scope="module")
def running() -> Iterator[TestPlatform]:
    """One platform with every part that needs no service, for tests that leave it as it was."""
    with tempfile.TemporaryDirectory(prefix="clinai-launcher-") as folder:
        platform = TestPlatform(Path(folder), f"launcher-{secrets.token_hex(4)}")
        try:
            yield platform.start("--only", "postgres,nats,storage,registry,edge")
        finally:
            platform.stop()


@pytest.fixture
def make_platform() -> Iterator[MakePlatform]:
    """Make platforms that are not started yet; settings by keyword."""
    with contextlib.ExitStack() as stack:

        def make(**settings: str) -> TestPlatform:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="clinai-launcher-"))
            platform = TestPlatform(Path(folder), f"launcher-{secrets.token_hex(4)}", **settings)
            stack.callback(platform.stop)
            return platform

        yield make


def processes_of(platform: TestPlatform) -> list[psutil.Process]:
    """Every process of a platform: supervisor, parts and their children."""
    supervisors = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("CLINAI_DATA") == str(platform.data) and "deploy" in process.cmdline():
                supervisors.append(process)
    return supervisors + processes.left_behind(platform.data)


def ask(platform: TestPlatform, **request: str) -> Iterator[dict[str, Any]]:
    """Answers of the platform's supervisor, asked directly."""
    return control.ask(Platform.open(platform.environ).control_socket, request, timeout_s=30)


def pids(platform: TestPlatform) -> dict[str, int]:
    """Pid of each running part."""
    return {state["name"]: state["pid"] for state in next(ask(platform, op="status"))["states"] if state["pid"]}
