"""Weights, settings of the index, and room on the engine's disk."""

import asyncio
import shutil
from types import SimpleNamespace
from typing import Any

import aiodocker
import msgspec
import pytest

from services.builder import registry, room
from services.builder.index import index_access
from services.builder.room import Room, dependency_images, make_room, unused
from tests.integration.builder.conftest import MODEL, Builder, index_settings, package
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def test_unused_dependency_images_go_oldest_first(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = builder.parts.pool
    async with builder.working():
        kept = await builder.build(package("six==1.17.0\n"))
        old = await builder.build(package("six==1.16.0\n", source=f"# old\n{MODEL}"))
    references = {name: row["package_info"]["dependency_image"] for name, row in (("kept", kept), ("old", old))}
    assert len(set(references.values())) == 2
    await pool.execute("UPDATE versions SET status = 'FAILED' WHERE id = $1", old["id"])

    async def names(days: float) -> list[str]:
        return [image.reference for image in await unused(docker, pool, instance=parts.instance, days=days)]

    known = [image.reference for image in await dependency_images(docker, pool, instance=parts.instance)]
    assert set(references.values()) <= set(known)
    assert references["old"] in await names(0)
    assert references["kept"] not in await names(0)
    assert references["old"] not in await names(1)

    full = Room(min_free_bytes=1 << 60)
    assert await make_room(docker, pool, Room(min_free_bytes=1), instance=parts.instance, busy=[]) == 0
    assert await make_room(docker, pool, full, instance=parts.instance, busy=[references["old"]]) >= 1
    assert await registry.present(docker, references["old"])
    assert not await registry.present(docker, kept["docker_image"])  # the registry gives it back
    assert await registry.digest_of(docker, kept["docker_image"]) == kept["docker_image_digest"]

    # enough is free after the first: the others stay
    assert await registry.pull(docker, kept["docker_image"])
    usage = iter([0, 1 << 60])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(usage, 1 << 60)))
    assert await make_room(docker, pool, Room(), instance=parts.instance, busy=[]) == 1
    assert not await registry.present(docker, references["old"])
    assert await registry.present(docker, kept["docker_image"])


async def test_removed_dependency_image_comes_back_from_the_registry(
    builder: Builder, docker: aiodocker.Docker
) -> None:
    async with builder.working() as handler:
        first = await builder.build(package("six==1.17.0\n", source=f"# 1\n{MODEL}"))
        reference = first["package_info"]["dependency_image"]
        await handler.dependencies.pushed(reference)
        await registry.remove_image(docker, first["docker_image"])
        await registry.remove_image(docker, reference)
        second = await builder.build(package("six==1.17.0\n", source=f"# 2\n{MODEL}"))
    assert second["status"] == "READY", await builder.log(second)
    assert "are installed already" in await builder.log(second)


async def test_secrets_of_the_index_are_in_no_log_and_no_image(
    builder: Builder, docker: aiodocker.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = msgspec.structs.replace(
        index_settings(), extra_index_url="https://reader:s3cret-of-the-index@127.0.0.1:9/simple"
    )
    monkeypatch.setattr("tests.integration.builder.conftest.index_settings", lambda: index)
    async with builder.working():
        away = await builder.build(package("six==1.17.0\n", source=f"# away\n{MODEL}"))
    log = await builder.log(away)
    assert away["error_code"] == "RESOLUTION_FAILED"
    assert "127.0.0.1:9" in log
    assert "s3cret" not in log + away["error_message"]
    index = msgspec.structs.replace(index_settings(), https_proxy="", no_proxy="s3cret-of-the-index.example")
    monkeypatch.setattr("tests.integration.builder.conftest.index_settings", lambda: index)
    async with builder.working():
        row = await builder.build(package("six==1.17.0\n", source=f"# with a secret\n{MODEL}"))
    assert row["status"] == "READY", await builder.log(row)
    image = await docker.images.inspect(row["docker_image"])
    assert "s3cret" not in str(image)
    assert [value for value in image["Config"]["Env"] if value.startswith(("UV_", "SSL_", "NO_PROXY"))] == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/w.bin", "https"),
        ("https://127.0.0.1:1/w.bin", "no public address"),
        ("https://169.254.169.254/latest", "no public address"),
        ("https://localhost/w.bin", "no public address"),
    ],
)
async def test_weights_are_not_fetched_from_this_host(builder: Builder, url: str, says: str) -> None:
    toml = f'[[weights]]\npath = "w.bin"\nurl = "{url}"\nsha256 = "{"0" * 64}"\n'
    async with builder.working():
        row = await builder.build(package(clinai__toml=toml))
    assert row["status"] == "FAILED"
    assert row["error_code"] in ("INSTALL_FAILED", "CONFIG_INVALID")
    assert says in row["error_message"], row["error_message"]


def test_a_torch_backend_of_none_leaves_torch_to_the_index() -> None:
    settings = index_settings()
    assert index_access(settings).environment["UV_TORCH_BACKEND"] == "cpu"
    changed = msgspec.structs.replace(settings, torch_backend="none")
    assert "UV_TORCH_BACKEND" not in index_access(changed).environment


@pytest.mark.parametrize("field", ["index_url", "extra_index_url", "find_links"])
def test_a_path_of_this_host_is_no_index(field: str) -> None:
    values: dict[str, Any] = {field: "/opt/wheels"}
    with pytest.raises(SystemExit, match=f"CLINAI_{field.upper()}"):
        index_access(msgspec.structs.replace(index_settings(), **values))


async def test_room_is_kept_for_ever(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that does not answer is asked again."""
    looked = asyncio.Event()

    async def fail(*_: Any, **__: Any) -> Any:
        looked.set()
        raise OSError("away")

    monkeypatch.setattr(room, "unused", fail)
    task = asyncio.create_task(room.keep_room(docker, builder.parts.pool, Room(), instance=parts.instance, busy=set))
    async with asyncio.timeout(5):
        await looked.wait()
    assert not task.done()
    task.cancel()
