"""Fixtures for everything that needs a whole platform: one for the session, of our own."""

import io
import secrets
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

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
