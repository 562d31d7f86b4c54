"""What bench measures with: CPU accounts, pictures, profiles, ratios; and the peers' list against the model's."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.bench.cpu import each, spent_between, tree_seconds
from tests.bench.load import beyond_idling, middle, told
from tests.bench.peers import gray
from tests.bench.peers.environment import REQUIREMENTS
from tests.bench.pictures import photo, thing
from tests.bench.predict import ROUND, ratios
from tests.bench.profile import lesson
from tests.bench.sides import PACKAGE

BURN = """
import os, sys, time
if not (child := os.fork()):
    while time.process_time() < 0.3: pass
    os._exit(0)
if sys.argv[1] == "wait": os.waitpid(child, 0)
print("burnt" if sys.argv[1] == "wait" else "forked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["wait", "leave"])
def test_cpu_of_a_tree_counts_children_that_run_and_those_that_have_ended(how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", BURN, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 30
        while (spent := tree_seconds(process.pid)) < 0.29 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.communicate(b"")
    assert 0.29 <= spent < 2
    assert tree_seconds(process.pid) == 0.0, "a process that has gone is no error"


def test_cpu_is_told_per_job_the_most_first() -> None:
    spent = spent_between({"api": 1.0, "gone": 5.0, "engine": 3.0}, {"api": 1.5, "new": 0.1, "engine": 2.0})
    assert spent == {"api": 0.5, "new": pytest.approx(0.1), "engine": 0.0}
    a_job = each(spent, 100)
    assert list(a_job) == ["api", "new", "engine"]
    assert told(a_job) == "6 ms: api 5, new 1"


def test_what_the_parts_spend_while_the_peer_works_is_no_cost_of_a_job() -> None:
    us = {"api": 2.0, "engine": 3.0, "client": 1.0, "litserve": 0.1, "new": 0.5}
    peers = {"api": 0.5, "engine": 4.0, "client": 1.5, "litserve": 9.0}
    assert beyond_idling(us, peers, 1.0) == {"api": 1.5, "engine": 0.0, "client": 1.0, "new": 0.5}
    assert beyond_idling(us, peers, 0.5)["api"] == 1.75


def test_cpu_of_several_slices_is_the_middle_of_each_part() -> None:
    assert middle([{"api": 1.0, "engine": 90.0}, {"api": 3.0, "engine": 5.0}, {"api": 2.0}]) == {
        "engine": 5.0,
        "api": 2.0,
    }


def test_ratios_are_of_medians_round_by_round() -> None:
    assert ratios([2.0] * ROUND + [9.0] * ROUND, [1.0] * ROUND + [3.0] * ROUND) == [2.0, 3.0]


@pytest.mark.parametrize(("picture", "least", "most"), [(photo(), 200_000, 400_000), (thing(), 30_000, 80_000)])
def test_pictures_have_the_size_they_are_said_to_have(picture: bytes, least: int, most: int) -> None:
    with Image.open(io.BytesIO(picture)) as found:
        assert (found.format, found.size, found.mode) == ("PNG", (640, 480), "RGB")
    assert least < len(picture) < most


def test_the_model_is_the_same_on_every_side(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(thing())
    assert gray.run(str(source), str(tmp_path)) == {"width": 640, "height": 480}
    with Image.open(tmp_path / "gray.png") as found:
        assert (found.mode, found.size) == ("L", (640, 480))
    pinned = re.search(r"^pillow==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert pinned is not None
    assert PACKAGE["requirements.txt"] == f"Pillow=={pinned[1]}\n"


def test_a_profile_counts_a_function_once_a_stack() -> None:
    said = lesson("main (a.py:1);work (a.py:2);work (a.py:3) 3\nmain (a.py:1);send (b.py:9) 1\n")
    own, whole = said.split("with all that is called\n")
    assert own.splitlines()[1:3] == [" 75.0% work (a.py)", " 25.0% send (b.py)"]
    assert whole.splitlines() == ["100.0% main (a.py)", " 75.0% work (a.py)", " 25.0% send (b.py)"]
