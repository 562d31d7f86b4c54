"""The commands of the README work as printed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.e2e


def test_the_whole_path_with_curl(platform: TestPlatform, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## The whole path with curl")[2]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert block is not None
    script = block[1].replace("http://localhost:8000", platform.url)
    shutil.copytree(ROOT / "example-model", tmp_path / "example-model")

    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "== Checking the package" in done.stdout
    with Image.open(tmp_path / "output_image.png") as image:
        assert (image.format, image.mode) == ("PNG", "L")
