"""From an uploaded package to a READY version, with every part real."""

import asyncio
import re
from uuid import UUID

import aiodocker
import pytest

from services.builder import registry
from shared.registry import open_registry
from tests.conftest import make_zip
from tests.integration.builder.conftest import MODEL, Builder, MakeOwner, package

pytestmark = pytest.mark.integration

EXAMPLE = package(
    "Pillow\nnumpy\n",
    "from pathlib import Path\nfrom PIL import Image\nimport numpy\n\n"
    "def run(input_path, output_dir):\n"
    "    print('graying')\n"
    "    Image.open(input_path).convert('L').save(Path(output_dir) / 'gray.png')\n"
    "    return {'mean': float(numpy.asarray(Image.open(input_path)).mean())}\n",
)


async def live_lines(builder: Builder, id: UUID) -> list[str]:
    """Lines of a version on the stream LOGS."""
    row = await builder.row(id)
    subscription = await builder.parts.bus.js.subscribe(
        f"log.version.{row['owner_id']}.{id}", stream="LOGS", ordered_consumer=True
    )
    lines = []
    try:
        while not (lines and lines[-1].startswith(("READY", "FAILED", "Stopped"))):
            lines.append((await subscription.next_msg(timeout=5)).data.decode())
    finally:
        await subscription.unsubscribe()
    return lines


async def test_example_becomes_ready_and_new_code_takes_the_same_requirements(
    builder: Builder, docker: aiodocker.Docker
) -> None:
    async with builder.working() as handler:
        await handler.warm_up()
        row = await builder.build(EXAMPLE)
        assert row["status"] == "READY", await builder.log(row)
        names = [phase["name"] for phase in row["phases"]]
        assert names == ["fetch", "check", "resolve", "dependencies", "image", "smoke_test", "push"]
        assert all(phase["ms"] > 0 for phase in row["phases"])
        print(row["phases"])
        assert row["docker_image"].endswith(f"/clinai/model-{row['id']}:1")
        assert row["docker_image_digest"] == await registry.digest_of(docker, row["docker_image"])
        assert "pillow==" in row["lock"]
        assert "--hash=sha256:" in row["lock"]
        assert row["package_info"]["dependency_image"].startswith(builder.parts.engine.registry)
        assert await builder.parts.storage.head(row["upload_key"]) is None
        log = await builder.log(row)
        assert "graying" in log
        assert log.splitlines() == await live_lines(builder, row["id"])
        assert row["build_logs"] == log.rstrip("\n")

        source = "import PIL\n" + MODEL
        again = await builder.build(package("Pillow\nnumpy\n", source))
        assert again["status"] == "READY", await builder.log(again)
        print(again["phases"])
        assert "are installed already" in await builder.log(again)
        assert again["lock"] == row["lock"]
        assert again["docker_image_digest"] != row["docker_image_digest"]
        for built, limit_s in ((row, 10.0), (again, 4.0)):
            took = (built["finished_at"] - built["queued_at"]).total_seconds()
            print(f"built in {took:.2f} s, to be under {limit_s:g}")


async def test_identical_package_is_not_built_twice(
    builder: Builder, docker: aiodocker.Docker, make_owner: MakeOwner
) -> None:
    data = package(source="# the same for all\nprint('a line of the model')\n" + MODEL)
    async with builder.working():
        first = await builder.build(data)
        second = await builder.build(data)
        other = await builder.build(data, owner_id=await make_owner("bob"))
    assert [row["status"] for row in (first, second, other)] == ["READY"] * 3
    about = first["package_info"]
    for row in (second, other):
        assert [phase["name"] for phase in row["phases"]] == ["fetch", "check"]
        assert row["docker_image_digest"] == first["docker_image_digest"]
        # under a name of its own, which the registry knows and a runner pulls
        assert row["docker_image"].endswith(f"/clinai/model-{row['id']}:1")
        assert await registry.digest_of(docker, row["docker_image"]) == row["docker_image_digest"]
        assert (row["package_info"], row["lock"], row["image_bytes"]) == (about, first["lock"], first["image_bytes"])
        assert row["package_path"] == first["package_path"]
    # of somebody else's build nothing is told
    log = await builder.log(other)
    assert "known" in log
    assert "line of the model" not in log
    assert not {str(first["id"]), str(first["owner_id"]), str(second["id"])} & set(re.findall(r"[0-9a-f-]{36}", log))


async def test_an_image_with_something_built_from_source_is_its_owners_only(
    builder: Builder, make_owner: MakeOwner
) -> None:
    files = {"predict.py": "import own\n" + MODEL, "requirements.txt": "./own\n"}
    files |= {"own/setup.py": "from setuptools import setup\nsetup(name='own', version='1', py_modules=['own'])\n"}
    data = make_zip({**files, "own/own.py": ""})
    async with builder.working():
        first = await builder.build(data)
        again = await builder.build(data)
        other = await builder.build(data, owner_id=await make_owner("bob"))
    assert [row["status"] for row in (first, again, other)] == ["READY"] * 3, await builder.log(first)
    assert again["docker_image_digest"] == first["docker_image_digest"]
    assert other["docker_image_digest"] != first["docker_image_digest"]


@pytest.mark.parametrize("gone", ["image", "layer"])
async def test_identical_package_whose_image_is_gone_is_built_again(
    builder: Builder, docker: aiodocker.Docker, gone: str
) -> None:
    data = package(source=f"# {gone}\n{MODEL}")
    async with builder.working():
        first = await builder.build(data)
        repository = f"clinai/model-{first['id']}"
        async with open_registry(builder.parts.engine.registry) as store:
            if gone == "image":
                assert await store.delete(repository, first["docker_image_digest"])
            else:
                manifest = await store.manifest(repository, first["docker_image_digest"])
                assert manifest is not None
                status, _, _ = await store._send("DELETE", f"/v2/{repository}/blobs/{manifest.layers[-1].digest}")
                assert status == 202
        again = await builder.build(data)
    assert again["status"] == "READY", await builder.log(again)
    assert "smoke_test" in [phase["name"] for phase in again["phases"]]


async def test_a_changed_sandbox_tests_an_identical_package_again(builder: Builder) -> None:
    data = package(source=f"# limits\n{MODEL}")
    async with builder.working():
        await builder.build(data)
    async with builder.working(builder.handler(memory_bytes=1 << 30)):
        again = await builder.build(data)
    assert "smoke_test" in [phase["name"] for phase in again["phases"]]


async def test_two_builds_of_one_set_of_requirements_install_it_once(builder: Builder) -> None:
    packages = [package("six==1.17.0\n", f"# {n}\nimport six\n{MODEL}") for n in range(2)]
    async with builder.working():
        ids = [await builder.version(data) for data in packages]
        rows = await asyncio.gather(*(builder.ended(id) for id in ids))
    assert [row["status"] for row in rows] == ["READY", "READY"]
    logs = [await builder.log(row) for row in rows]
    assert sum("Requirements take" in log for log in logs) == 1
    assert sum("are installed already" in log for log in logs) == 1
