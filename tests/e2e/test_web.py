"""Every path of the web page in a browser: the tests of web/e2e against the session's platform, a case a file."""

import os
import signal
import subprocess
import sys

import pytest

from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.e2e

LONGEST_S = 1800
"""A file takes half a minute; this ends one that hangs where its own limits do not."""

FILES = sorted(path.name for path in (ROOT / "web" / "e2e").glob("*.e2e.ts"))


@pytest.fixture(scope="module")
def browser() -> str:
    """Path of the Chromium that deploy/chromium.sh finds."""
    found = subprocess.run([ROOT / "deploy" / "chromium.sh"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture(scope="module")
def page(platform: TestPlatform) -> str:
    """Address of the built page: a platform that was started without one shows another."""
    assert (ROOT / "web" / "dist" / "index.html").exists(), "web/dist has no page: make web, then run the tests again"
    assert (ROOT / "web" / "node_modules" / ".stamp").exists(), "web/node_modules is not as locked: make web"
    return platform.url


def test_there_are_files_to_run() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES)
def test_page(file: str, platform: TestPlatform, page: str, browser: str) -> None:
    environment = {
        **os.environ,
        **platform.environ,
        "CLINAI_URL": page,
        "CHROMIUM": browser,
        "PYTHON": sys.executable,
        "NO_COLOR": "1",
    }
    # a group of its own: npm, vitest and what they started go together
    with subprocess.Popen(
        [ROOT / "deploy" / "web.sh", "e2e", f"e2e/{file}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as tests:
        try:
            told, _ = tests.communicate(timeout=LONGEST_S)
        except BaseException:
            os.killpg(tests.pid, signal.SIGKILL)
            raise
    if tests.returncode:
        pytest.fail(f"{file} ended with {tests.returncode}:\n{told[-20_000:]}", pytrace=False)
    print(told)
