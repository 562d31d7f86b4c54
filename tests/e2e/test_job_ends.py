"""Every way a job can end, through the whole platform: its code, its message, and nothing left behind."""

import asyncio
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.e2e.conftest import OBEDIENT
from tests.leftovers import containers, labels_of, nothing_left, waiting
from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e

BAD_ENDS = [
    ("raise", "MODEL_ERROR", "the sky is not an image"),
    ("eat memory", "OUT_OF_MEMORY", "256"),
    ("nothing", "NO_OUTPUT", ""),
    ("fill disk", "DISK_LIMIT", ""),
    ("fill tmp", "DISK_LIMIT", ""),
    ("link", "OUTPUT_TYPE_FORBIDDEN", "link"),
    ("list", "RESULT_NOT_DICT", "list"),
    ("set", "RESULT_NOT_JSON", "a"),
    ("big result", "RESULT_TOO_LARGE", ""),
    ("segfault", "CRASHED", "SIGSEGV"),
    ("exit", "NO_RESULT", ""),
    ("fork bomb", "PROCESS_LIMIT", ""),
    ("many files", "OUTPUT_LIMIT", "1000"),
]


@pytest.mark.parametrize(("do", "code", "says"), BAD_ENDS, ids=[end[0] for end in BAD_ENDS])
async def test_bad_end_has_its_code(
    platform: TestPlatform, owner: Client, obedient: dict[str, Any], photo: bytes, do: str, code: str, says: str
) -> None:
    await ends(platform, owner, obedient["id"], photo, do, code, says)


async def test_a_job_past_its_time_limit(
    platform: TestPlatform, owner: Client, impatient: dict[str, Any], photo: bytes
) -> None:
    await ends(platform, owner, impatient["id"], photo, "hang", "TIMEOUT", "2 s")


async def ends(
    platform: TestPlatform, owner: Client, version_id: str, photo: bytes, do: str, code: str, says: str
) -> None:
    """Run a job that comes to a bad end, and check what is told of it and that nothing is left."""
    waited = max(map(len, waiting(platform, version_id).values()), default=0)  # for jobs of other tests
    job = await owner.run(version_id, photo, {"do": do})
    assert (job["status"], job["error_code"]) == ("FAILED", code), job
    assert job["error_message"]
    assert says in job["error_message"].replace(",", "")
    assert (await owner.get(f"/api/jobs/{job['id']}/outputs"))["outputs"] == []
    await nothing_left(platform, version_id, at_once=max(1, waited))


async def test_gigabyte_of_prints_succeeds_with_a_cut_log(
    owner: Client, obedient: dict[str, Any], photo: bytes
) -> None:
    job = await owner.run(obedient["id"], photo, {"do": "print", "mebibytes": 24})
    assert job["status"] == "SUCCEEDED", job
    text = (await owner.http.get(f"/api/jobs/{job['id']}/logs")).text
    assert len(text) < 5 << 20
    assert "cut" in text.splitlines()[-1]


async def test_job_after_all_that_succeeds(owner: Client, obedient: dict[str, Any], photo: bytes) -> None:
    job = await owner.run(obedient["id"], photo, {"do": "subfolder"})
    assert job["status"] == "SUCCEEDED", job
    assert job["result"] == {"did": "subfolder", "bytes": len(photo), "name": "image.png"}
    outputs = await owner.outputs(job["id"])
    assert outputs == {"copy.bin": photo, "extra/mask.txt": b"1"}


@pytest.mark.parametrize("isolation", ["fork", "container"])
async def test_cancel_of_a_running_job(platform: TestPlatform, owner: Client, photo: bytes, isolation: str) -> None:
    toml = f'isolation = "{isolation}"\n'
    version = await owner.build(make_zip({"predict.py": OBEDIENT, "requirements.txt": "", "clinai.toml": toml}))
    job_id = await owner.submit(version["id"], photo, {"do": "hang"})
    await owner.until(f"/api/jobs/{job_id}", lambda job: job["status"] == "RUNNING")
    async with asyncio.timeout(30):  # RUNNING it is before it has its sandbox, which would stay for the next job
        while "doing hang" not in (await owner.http.get(f"/api/jobs/{job_id}/logs")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    for _ in range(200):
        found = {id_: labels_of(id_) for id_ in containers(platform, "sandbox")}
        if mine := [id_ for id_, labels in found.items() if labels.get("clinai.version") == version["id"]]:
            break
        await asyncio.sleep(0.05)
    [sandbox] = mine
    if isolation == "container":
        assert (found[sandbox]["clinai.job"], found[sandbox]["clinai.epoch"]) == (job_id, "1")
    await owner.post(f"/api/jobs/{job_id}/cancel")
    job = await owner.job_end(job_id)
    assert job["status"] == "CANCELED"
    after = await owner.run(version["id"], photo, {"do": ""})
    assert after["status"] == "SUCCEEDED"
    await nothing_left(platform, version["id"])
    assert sandbox not in containers(platform, "sandbox")


async def test_parameters_have_the_defaults_that_the_package_declares(owner: Client, photo: bytes) -> None:
    package = make_zip(
        {
            "predict.py": "def run(input_path, output_dir, params):\n    return params\n",
            "requirements.txt": "",
            "clinai.toml": "[parameters.threshold]\ntype = 'number'\ndefault = 0.5\n"
            "[parameters.label]\ntype = 'string'\ndefault = 'cat'\n",
        }
    )
    version = await owner.build(package)
    assert version["status"] == "READY", version
    job = await owner.run(version["id"], photo, {"label": "dog"})
    assert job["result"] == {"threshold": 0.5, "label": "dog"}
