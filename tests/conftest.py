"""Fixtures for everything that needs a whole platform: one for the session, of our own; and who runs which file when.

`make test` gives each file to one of several processes (pytest-xdist, loadfile), and each process has platforms of its
own, so a test may rely on nothing that another file did.
"""

import io
import os
import secrets
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.client import Client
from tests.platforms import TestPlatform

QUICK = {
    "CLINAI_LEASE_S": "6",
    "CLINAI_HEARTBEAT_S": "1",
    "CLINAI_SWEEP_EVERY_S": "0.5",
    "CLINAI_RELAY_EVERY_S": "0.3",
    "CLINAI_REEMIT_AFTER_S": "3",
    "CLINAI_ACK_WAIT_S": "6",
}
"""Recovery in seconds, not half minutes: the same mechanism with other numbers."""

LONGEST = (
    "e2e/test_web.py",
    "chaos/test_parts_away.py",
    "integration/builder/test_interruptions.py",
    "chaos/test_power_cuts.py",
    "integration/launcher/test_lifecycle.py",
    "e2e/test_isolation.py",
    "hostile/test_ends.py",
    "hostile/test_warm.py",
    "integration/builder/test_hostile_builds.py",
)
"""Files that take longest, longest first: they begin before all others, so that none is left alone at the end."""
PROCESS_BYTES = 3 << 30
"""What one process of tests needs: two platforms, their sandboxes and builds."""
PROCESSES_MAX = 8
"""The longest file takes about an eighth of the whole."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than there are cores (`-n auto`), since many tests wait; fewer where memory is short."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores + 1, PROCESSES_MAX, psutil.virtual_memory().total // PROCESS_BYTES))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first when several processes share the work; tests of one file keep their order."""
    if not hasattr(config, "workerinput"):
        return
    here = Path(__file__).parent
    begins = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: begins.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def platform() -> Iterator[TestPlatform]:
    """A whole running platform on ports and in a folder of its own; its points of crash can be armed."""
    with tempfile.TemporaryDirectory(prefix="clinai-test-") as folder:
        data = Path(folder)
        crash = data / "crash"
        crash.mkdir()
        running = TestPlatform(data, f"test-{secrets.token_hex(4)}", CLINAI_CRASH_DIR=str(crash), **QUICK)
        try:
            yield running.start()
        finally:
            running.remove()


@pytest.fixture
async def client(platform: TestPlatform) -> AsyncIterator[Client]:
    """A new user of the platform."""
    async with Client(platform.url) as user:
        yield user


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small colourful PNG."""
    image = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn) for turn in (0, 90, 180)])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def make_zip(files: dict[str, str | bytes]) -> bytes:
    """A ZIP of the files given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
