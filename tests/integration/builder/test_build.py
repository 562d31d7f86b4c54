"""From an uploaded package to a READY version, with every part real."""

import asyncio
from uuid import UUID

import aiodocker
import pytest

from services.builder import registry
from tests.integration.builder.conftest import MODEL, Builder, MakeOwner, model_images, package

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
    data = package(source="# the same for all\n" + MODEL)
    async with builder.working():
        first = await builder.build(data)
        second = await builder.build(data)
        other = await builder.build(data, owner_id=await make_owner("bob"))
    assert [row["status"] for row in (first, second, other)] == ["READY"] * 3
    assert (second["docker_image"], second["docker_image_digest"]) == (
        first["docker_image"],
        first["docker_image_digest"],
    )
    assert [phase["name"] for phase in second["phases"]] == ["fetch", "check"]
    assert await model_images(docker, second["id"]) == []
    # another owner's package is another's business, though its bytes be the same
    assert other["docker_image"] != first["docker_image"]


async def test_two_builds_of_one_set_of_requirements_install_it_once(builder: Builder) -> None:
    packages = [package("six==1.17.0\n", f"# {n}\nimport six\n{MODEL}") for n in range(2)]
    async with builder.working():
        ids = [await builder.version(data) for data in packages]
        rows = await asyncio.gather(*(builder.ended(id) for id in ids))
    assert [row["status"] for row in rows] == ["READY", "READY"]
    logs = [await builder.log(row) for row in rows]
    assert sum("Requirements take" in log for log in logs) == 1
    assert sum("are installed already" in log for log in logs) == 1
