"""Only what changed is done again: wheels kept on this host, layers that others stand on, locks of the last minutes."""

import asyncio
from pathlib import Path
from typing import Any

import aiodocker
import msgspec
import pytest

from services.builder.container import BuildContainer
from services.builder.network import NETWORK
from services.builder.wheels import WheelsAway
from tests.integration.builder.conftest import MODEL, Builder, MakeOwner, index_settings, package
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


def uses(*modules: str) -> str:
    """A model that imports these."""
    return "".join(f"import {module}\n" for module in modules) + MODEL


def wheels_of(parts: TestPlatform) -> list[Path]:
    """The wheels that builders of this session keep."""
    return sorted((parts.data / "cache" / "wheels").glob("[0-9a-f]*"))


async def layers(docker: aiodocker.Docker, image: str) -> list[str]:
    """Digests of an image's unpacked layers."""
    found: list[str] = (await docker.images.inspect(image))["RootFS"]["Layers"]
    return found


async def test_a_new_wheel_is_one_more_layer_on_what_is_there(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform
) -> None:
    async with builder.working():
        few = await builder.build(package("Pillow==11.3.0\n", uses("PIL.Image")))
        more = await builder.build(package("Pillow==11.3.0\nsix==1.17.0\n", uses("PIL.Image", "six")))
    log = await builder.log(more)
    assert more["status"] == "READY", log
    assert "adding six==1.17.0" in log
    assert "Downloading pillow" not in log
    below, above = (row["package_info"]["dependency_image"] for row in (few, more))
    assert (await layers(docker, above))[:-1] == await layers(docker, below)
    grown = (await docker.images.inspect(above))["Size"] - (await docker.images.inspect(below))["Size"]
    assert 0 < grown < 1_000_000
    assert await installed(docker, above) >= {"PIL", "six.py", "pillow-11.3.0.dist-info", "six-1.17.0.dist-info"}
    assert {path.stat().st_mode & 0o777 for path in wheels_of(parts)} == {0o400}


async def test_another_version_of_a_wheel_leaves_nothing_of_the_old_one(
    builder: Builder, docker: aiodocker.Docker
) -> None:
    async with builder.working():
        old = await builder.build(package("zipp==3.20.2\nidna==3.10\n", uses("zipp", "idna")))
        new = await builder.build(package("zipp==3.21.0\nidna==3.10\n", uses("zipp", "idna")))
    log = await builder.log(new)
    assert [old["status"], new["status"]] == ["READY", "READY"], log
    assert "1 of 2 wheels are here already" in log  # idna
    below = await layers(docker, old["package_info"]["dependency_image"])
    above = await layers(docker, new["package_info"]["dependency_image"])
    assert above[:-1] == below[:-1]  # the base
    assert not {name for name in await installed(docker, new["docker_image"]) if "3.20" in name}


async def test_a_wheel_changed_on_the_disk_does_not_reach_an_image(builder: Builder, parts: TestPlatform) -> None:
    async with builder.working():
        first = await builder.build(package("MarkupSafe==3.0.2\ncycler==0.12.1\n", uses("markupsafe")))
        [kept] = [
            path for path in wheels_of(parts) if f"markupsafe==3.0.2 \\\n    --hash=sha256:{path.name}" in first["lock"]
        ]
        whole = kept.read_bytes()
        kept.chmod(0o600)
        kept.write_bytes(whole[:-100] + b"e" * 100)
        second = await builder.build(package("MarkupSafe==3.0.2\nlocket==1.0.0\n", uses("markupsafe")))
    log = await builder.log(second)
    assert second["status"] == "READY", log
    assert "downloading markupsafe" in log.lower()
    assert kept.read_bytes() == whole


async def test_wheels_that_cannot_be_fetched_here_are_fetched_by_the_build(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the engine is on another host, which alone reaches the index."""

    async def away(*_: object, **__: object) -> None:
        raise WheelsAway("no way from here")

    monkeypatch.setattr("services.builder.wheels.WheelStore.gather", away)
    async with builder.working():
        row = await builder.build(package("sniffio==1.3.1\n", uses("sniffio")))
    assert row["status"] == "READY", await builder.log(row)


async def test_the_installer_has_neither_network_nor_credentials(
    builder: Builder, docker: aiodocker.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = msgspec.structs.replace(index_settings(), no_proxy="marker-of-the-index.example")
    monkeypatch.setattr("tests.integration.builder.conftest.index_settings", lambda: index)
    seen: list[tuple[str, str]] = []
    run = BuildContainer.run

    async def watched(self: BuildContainer, *arguments: Any, **options: Any) -> Any:
        about = await self._container.show()
        files = b"".join([chunk async for chunk in self.get("/build")])
        secret = "told" if b"marker-of-the-index" in files + str(about).encode() else "not told"
        seen.append((about["HostConfig"]["NetworkMode"], secret))
        return await run(self, *arguments, **options)

    monkeypatch.setattr(BuildContainer, "run", watched)
    async with builder.working():
        row = await builder.build(package("toolz==1.0.0\n", uses("toolz")))
    assert row["status"] == "READY", await builder.log(row)
    assert seen == [(NETWORK, "told"), ("none", "not told")]


async def test_new_code_asks_neither_index_nor_installer(builder: Builder) -> None:
    async with builder.working():
        first = await builder.build(package("six==1.17.0\n", f"# 1\n{MODEL}"))
        second = await builder.build(package("six==1.17.0\n", f"# 2\n{MODEL}"))
    log = await builder.log(second)
    assert second["status"] == "READY", log
    assert "Resolved within the last" in log
    assert "are installed already" in log
    assert second["lock"] == first["lock"]


async def test_two_builds_at_once_resolve_and_install_once(builder: Builder, make_owner: MakeOwner) -> None:
    packages = [package("attrs==25.3.0\n", f"# {n}\nimport attr\n{MODEL}") for n in range(2)]
    async with builder.working():
        ids = [await builder.version(packages[0]), await builder.version(packages[1], owner_id=await make_owner("bob"))]
        rows = await asyncio.gather(*(builder.ended(id) for id in ids))
    assert [row["status"] for row in rows] == ["READY", "READY"]
    logs = [await builder.log(row) for row in rows]
    for once in ("Resolved 1 package in", "Downloading attrs", "Installed 1 package", "Requirements take"):
        assert sum(once in log for log in logs) == 1, once
    assert rows[0]["package_info"]["dependency_image"] == rows[1]["package_info"]["dependency_image"]


async def installed(docker: aiodocker.Docker, image: str) -> set[str]:
    """What lies in the site-packages of an image."""
    script = "import os, glob; print(*os.listdir(glob.glob('/opt/venv/lib/python3*/site-packages')[0]), sep='\\n')"
    config = {
        "Image": image,
        "Cmd": ["/usr/local/bin/python", "-c", script],
        "HostConfig": {"NetworkMode": "none"},
    }
    container = await docker.containers.create(config)
    try:
        await container.start()
        assert (await container.wait())["StatusCode"] == 0
        return set("".join(await container.log(stdout=True)).split())
    finally:
        await container.delete(force=True)
