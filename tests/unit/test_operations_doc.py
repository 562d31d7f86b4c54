"""docs/operations.md names every setting with its default, every port and every metric."""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

import services
import shared
from deploy.embedded.platform import NOT_KEPT, PORTS
from shared.settings import Group
from tests.platforms import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text()
ROWS = dict(re.findall(r"^\| `(CLINAI_[A-Z_]+)` \| (.*?) \|", TEXT, re.MULTILINE))
NOT_FOR_PEOPLE = {"CLINAI_PART_OF", "CLINAI_IN_GROUP", "CLINAI_NATS_PASSWORD", "CLINAI_WEB_ROOT"}
"""How the launcher marks and configures its own processes."""


def _groups() -> list[type[Group]]:
    """Every settings class there is, found by importing everything."""
    for package in (shared, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".inside" not in module.name:
                importlib.import_module(module.name)
    return Group.__subclasses__()


GROUPS = _groups()


def _shown(default: Any) -> str:
    if default in ("", None):
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_settings(group: type[Group]) -> None:
    """A setting that is added or whose default changes is told to operators."""
    for field in msgspec.structs.fields(group):
        name = f"{group.prefix}{field.name.upper()}"
        assert ROWS.get(name) == ("required" if field.required else _shown(field.default)), name


def test_ports() -> None:
    """The launcher's ports."""
    assert {setting: ROWS.get(setting) for setting, _ in PORTS.values()} == {
        setting: f"`{default}`" for setting, default in PORTS.values()
    }


def test_nothing_is_left_out_or_made_up() -> None:
    """Whatever the code calls CLINAI_… is in the text, and the tables name nothing that the code does not know."""
    known = {f"{group.prefix}{field.name.upper()}" for group in GROUPS for field in msgspec.structs.fields(group)}
    known |= {setting for setting, _ in PORTS.values()} | NOT_KEPT
    assert set(ROWS) <= known
    sources = [path for folder in ("services", "shared", "deploy") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in sources for name in _names(path)}
    assert {name for name in named if name not in TEXT} <= NOT_FOR_PEOPLE


def _names(path: Path) -> set[str]:
    return set(re.findall(r"\bCLINAI_[A-Z_]*[A-Z]\b(?!_)", path.read_text()))


def test_metrics() -> None:
    """Every metric of ours that any service registers."""
    ours = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("clinai_")}
    assert len(ours) > 5
    assert [name for name in ours if name not in TEXT] == []
