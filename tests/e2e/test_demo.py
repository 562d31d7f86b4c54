"""`make demo` as a stranger sees it, on the session's platform."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from deploy.demo_client import Client
from deploy.embedded.platform import Platform
from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.e2e


def test_each_run_ends_with_the_output_image_and_the_addresses(platform: TestPlatform) -> None:
    first = platform.deploy("demo", timeout_s=300).splitlines()
    second = platform.deploy("demo").splitlines()

    for said in (first, second):
        states = ("» version QUEUED", "» version BUILDING", "» version READY")
        assert_in_order(said, *states, "» job QUEUED", "» job RUNNING", "» job SUCCEEDED")
        # events and log lines are streams of their own: neither waits for the other
        assert_in_order(said, "  │ == Fetching the package", "  │ == Checking the package", "» version READY")
        picture, folder = Path(last(said, "output image")), Path(last(said, "output folder"))
        assert picture.parent == folder
        with Image.open(picture) as image, Image.open(ROOT / "example-model" / "sample.jpg") as sample:
            assert (image.mode, image.size) == ("L", sample.size)
        address = platform.url.replace("127.0.0.1", "localhost")
        assert said[-1].split() == ["API", "reference", f"{address}/docs"]
        assert last(said, "web page") == f"{address}/"
    assert "signed in as demo" in "\n".join(second)
    assert last(first, "output folder") != last(second, "output folder")


def test_an_interrupt_cancels_what_ran_and_leaves_the_platform(platform: TestPlatform) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deploy", "demo"], cwd=ROOT, env=platform.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        number = next(line for line in demo.stdout if "uploading README.md" in line).split()[2].rstrip(":")
        assert next(line for line in demo.stdout if line == "» version BUILDING\n")
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=60)

    assert demo.returncode == 1
    assert said.startswith("error: interrupted; ")
    assert asyncio.run(states(platform))[number] == "CANCELED"
    assert platform.status()["ready"]


async def states(platform: TestPlatform) -> dict[str, str]:
    """Status of each version of the demo's model, by number."""
    async with Client(platform.url, "demo", Platform.open(platform.environ).secrets["demo_password"]) as client:
        assert not await client.sign_in()
        model = (await client.call("GET", "/api/models/"))["items"][0]["id"]
        versions = (await client.call("GET", f"/api/models/{model}/versions"))["items"]
    return {version["version_number"]: version["status"] for version in versions}


def assert_in_order(lines: list[str], *wanted: str) -> None:
    """Each wanted line comes after the one before it."""
    rest = iter(lines)
    for line in wanted:
        assert line in rest, f"{line!r} is missing or too early in:\n" + "\n".join(lines)


def last(lines: list[str], label: str) -> str:
    """What stands behind a label in the closing lines."""
    return next(line for line in lines[-6:] if line.startswith(label)).removeprefix(label).split("(")[0].strip()
