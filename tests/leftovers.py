"""What a platform has in the container engine, and what it may have when all is quiet."""

import asyncio
import json
import subprocess
from collections import defaultdict
from typing import Any

from tests.platforms import TestPlatform

GONE_S = 15.0
"""A sandbox that is of no more use is removed beside the next job, not before its own job's end."""


def containers(platform: TestPlatform, kind: str) -> list[str]:
    """Engine containers of this platform; `kind` is `sandbox` or `build`."""
    labels = [f"label=clinai.instance={platform.instance}", f"label=clinai.kind={kind}"]
    found = subprocess.run(
        ["docker", "ps", "-aq", "--filter", labels[0], "--filter", labels[1]],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


def labels_of(container: str) -> dict[str, str]:
    """Labels of a container; none when it has gone meanwhile."""
    command = ["docker", "inspect", "--format", "{{json .Config.Labels}}", container]
    done = subprocess.run(command, capture_output=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def waiting(platform: TestPlatform, version_id: str) -> dict[str, list[str]]:
    """Containers that wait with this version loaded, by tenant."""
    found: dict[str, list[str]] = defaultdict(list)
    for id_ in containers(platform, "sandbox"):
        labels = labels_of(id_)
        if labels.get("clinai.version") == version_id and "clinai.tenant" in labels:
            found[labels["clinai.tenant"]].append(id_)
    return found


def left_behind(platform: TestPlatform, version_id: str, *, at_once: int = 1) -> list[str]:
    """Containers that should not be there: everything but loaded models that wait for their tenant.

    Of this version no more may wait for one tenant than `at_once` of its jobs have run at the same time.
    """
    found = {id_: labels for id_ in containers(platform, "sandbox") if (labels := labels_of(id_))}
    used = [id_ for id_, labels in found.items() if "clinai.tenant" not in labels]
    too_many = [id_ for group in waiting(platform, version_id).values() for id_ in group[at_once:]]
    return used + too_many + containers(platform, "build")


async def nothing_left(platform: TestPlatform, version_id: str, *, at_once: int = 1) -> None:
    """Wait until nothing is left behind; raises AssertionError naming what stays."""
    for _ in range(int(GONE_S / 0.2)):
        if not (found := left_behind(platform, version_id, at_once=at_once)):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"left behind: {[(id_, labels_of(id_)) for id_ in found]}")
