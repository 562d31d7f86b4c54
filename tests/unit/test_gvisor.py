"""gVisor in the engine's configuration: what is there stays, and nobody's broken file is overwritten."""

import json
from pathlib import Path

import pytest

from deploy.embedded import gvisor
from deploy.embedded.platform import LauncherError


def test_a_configuration_keeps_what_it_says(tmp_path: Path) -> None:
    config = tmp_path / "docker" / "daemon.json"
    gvisor.write(config, [])
    assert list(json.loads(config.read_text())["runtimes"]) == ["runsc"]
    config.write_text('{"mtu": 1400, "runtimes": {"kata": {"path": "/usr/bin/kata"}}}')
    gvisor.write(config, [])
    gvisor.write(config, [])
    found = json.loads(config.read_text())
    assert found["mtu"] == 1400
    assert found["runtimes"]["kata"] == {"path": "/usr/bin/kata"}
    assert "--ignore-cgroups" not in found["runtimes"]["runsc"]["runtimeArgs"]
    assert [path.name for path in config.parent.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"runtimes": []}'])
def test_a_broken_configuration_is_left_alone(tmp_path: Path, text: str) -> None:
    config = tmp_path / "daemon.json"
    config.write_text(text)
    with pytest.raises(LauncherError, match="no JSON object"):
        gvisor.write(config, [])
    assert config.read_text() == text
