"""A build that is canceled, killed or let down by a part of the platform, at each of its steps."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

import aiodocker
import msgspec
import pytest

from services.builder import registry
from services.builder.reconcile import remove_unfinished
from shared import transitions
from tests.conftest import make_zip
from tests.integration.builder.conftest import (
    MODEL,
    WORKER,
    Builder,
    containers,
    folders,
    index_settings,
    model_images,
    package,
    until,
)
from tests.platforms import ROOT, TestPlatform

pytestmark = pytest.mark.integration

PHASES = ["fetch", "check", "resolve", "dependencies", "image", "smoke_test", "push"]
SLOW = "import time\ntime.sleep(3)\n" + MODEL


async def handed_back(builder: Builder, id: UUID) -> bool:
    """Whether the first attempt is over, for whatever reason but an end."""
    row = await builder.row(id)
    assert row["error_code"] is None
    return row["status"] == "QUEUED" or row["epoch"] > 1


async def cancel(builder: Builder, id: UUID) -> None:
    """Cancel as the gateway does."""
    row = await transitions.move(
        builder.parts.pool, "version", "cancel_version", id=id, message="canceled by its owner"
    )
    assert row is not None
    await builder.parts.outbox.publish(id)


@pytest.mark.parametrize("phase", PHASES)
async def test_cancel_leaves_nothing(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform, phase: str, tmp_path: Path
) -> None:
    # requirements of its own in each run, so that there is something to install
    files = {"predict.py": f"# {phase}\n{SLOW}", "requirements.txt": "./own\n"}
    files |= {"own/setup.py": f"# {phase}\nfrom setuptools import setup\nsetup(name='own', version='1')\n"}
    id = await builder.version(make_zip(files))
    async with builder.working():
        await builder.parts.outbox.publish(id)
        await builder.phase(id, phase)
        await cancel(builder, id)

        async def gone() -> bool:
            return not await containers(docker, parts) and not folders(tmp_path)

        await until(gone)
        row = await builder.row(id)
        assert (row["status"], row["error_code"]) == ("CANCELED", "CANCELED")
        assert await model_images(docker, id) == []
        key = f"logs/versions/{id}/{row['epoch']}.log"
        log = await builder.parts.storage.read(key, limit_bytes=1 << 20)
        assert log is not None
        # a push of a small image may end in the moment of the cancel: then only the commit is refused
        late = phase == "push" and b"READY after" in log
        assert late or b"Stopped: the build was canceled" in log
        # the worker is free again
        assert (await builder.build(package()))["status"] == "READY"


async def builder_process(builder: Builder, parts: TestPlatform, crash: Path) -> asyncio.subprocess.Process:
    """`python -m services.builder` of this session's platform, with points of crash."""
    environ = {
        **os.environ,
        **parts.environ,
        "CLINAI_WORKER_ID": WORKER,
        "CLINAI_CRASH_DIR": str(crash),
        "CLINAI_BUILDER_METRICS_PORT": "",
        "CLINAI_METRICS_PORT": "",
        "CLINAI_CA_BUNDLE": index_settings().ca_bundle,
        "CLINAI_LEASE_S": "6",
        "CLINAI_HEARTBEAT_S": "1",
        "CLINAI_SWEEP_EVERY_S": "0.5",
        "CLINAI_RELAY_EVERY_S": "0.3",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.builder", cwd=ROOT, env=environ, stdout=asyncio.subprocess.DEVNULL
    )


async def ready(builder: Builder, process: asyncio.subprocess.Process) -> bool:
    """Whether the process has said that it takes work."""
    assert process.returncode is None
    state = await builder.parts.pool.fetchval(
        "SELECT state FROM workers WHERE id = $1 AND pid = $2", WORKER, process.pid
    )
    return bool(state == "ready")


POINTS = ["claimed", "dependencies", "smoke_test", "push", "log", "handled", "committed"]
"""Where something may be left in the engine; tests/chaos goes through all of them with the whole platform."""


async def test_killed_between_any_two_steps(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One process after the other is killed, each at the next point; every version becomes READY, once."""
    crash = tmp_path_factory.mktemp("crash")
    process = await builder_process(builder, parts, crash)
    try:
        for point in POINTS:
            # an end is published after the last point, so what is armed now is not met by the version before
            (crash / f"version.{point}").touch()
            id = await builder.version(package(source=f"# killed at {point}\n{MODEL}"))
            await builder.parts.outbox.publish(id)
            async with asyncio.timeout(60):
                assert await process.wait() == -signal.SIGKILL
            assert not (crash / f"version.{point}").exists()
            process = await builder_process(builder, parts, crash)
            await until(lambda process=process: ready(builder, process), 60)  # type: ignore[misc]
            row = await builder.ended(id, timeout_s=60)
            assert row["status"] == "READY", (point, await builder.log(row))
            await until(lambda id=id: all_sent(builder, id))  # type: ignore[misc]
            assert await registry.digest_of(docker, row["docker_image"]) == row["docker_image_digest"]
            assert await containers(docker, parts) == []
            assert await model_images(docker, id) == [row["docker_image"]], point
            events = await builder.parts.pool.fetch("SELECT type FROM outbox WHERE object_id = $1 ORDER BY rev", id)
            names = [event["type"] for event in events]
            assert names.count("version.ready") == 1, (point, names)
            assert names[-1] == "version.ready", (point, names)
        process.terminate()
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def all_sent(builder: Builder, id: UUID) -> bool:
    """Whether every event of a version has been sent."""
    waiting = "SELECT count(*) FROM outbox WHERE object_id = $1 AND published_at IS NULL"
    return not await builder.parts.pool.fetchval(waiting, id)


async def test_image_of_a_version_that_is_not_ready_goes_at_the_next_start(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform
) -> None:
    async with builder.working():
        ready, gone = await builder.build(package(source="# 1\n" + MODEL)), await builder.build(package())
    await builder.parts.pool.execute("UPDATE versions SET status = 'QUEUED' WHERE id = $1", gone["id"])
    for worker, left in (("somebody-else", [gone["docker_image"]]), (WORKER, [])):
        await remove_unfinished(docker, builder.parts.pool, instance=parts.instance, worker=worker)
        assert await model_images(docker, gone["id"]) == left
    assert await model_images(docker, ready["id"]) == [ready["docker_image"]]


async def test_registry_away_is_tried_again(builder: Builder, parts: TestPlatform) -> None:
    async with builder.working() as handler:
        await handler.warm_up()
        parts.part("stop", "registry")
        try:
            id = await builder.version(package(source="# no registry\n" + MODEL))
            await builder.parts.outbox.publish(id)
            await builder.phase(id, "push")
            await until(lambda: handed_back(builder, id), 60)
            said = await builder.parts.storage.read(f"logs/versions/{id}/1.log", limit_bytes=1 << 20)
            assert said is not None
            assert b"The platform failed here (push: " in said
        finally:
            parts.part("start", "registry")
        await asyncio.sleep(2)
        await builder.parts.outbox.relay_once(older_than_s=0)
        row = await builder.ended(id)
    assert row["status"] == "READY", await builder.log(row)
    assert row["epoch"] >= 2


async def test_engine_that_loses_the_container_is_tried_again(
    builder: Builder, docker: aiodocker.Docker, parts: TestPlatform
) -> None:
    """As when the engine restarts: the container under way is gone, the next attempt works."""
    files = {"predict.py": MODEL, "requirements.txt": "./own\n"}
    files |= {
        "own/setup.py": "import time\nfrom setuptools import setup\ntime.sleep(4)\nsetup(name='own', version='1')\n"
    }
    id = await builder.version(make_zip(files))
    async with builder.working():
        await builder.parts.outbox.publish(id)
        await builder.phase(id, "resolve")
        running = await until(lambda: containers(docker, parts))
        await asyncio.sleep(1)
        for container in running:
            await docker.containers.container(container).delete(force=True)
        await until(lambda: handed_back(builder, id))
        await asyncio.sleep(1.5)
        await builder.parts.outbox.relay_once(older_than_s=0)
        row = await builder.ended(id)
    assert row["status"] == "READY", await builder.log(row)
    assert row["epoch"] == 2


async def test_a_lost_lease_discards_the_image(builder: Builder, docker: aiodocker.Docker) -> None:
    id = await builder.version(package(source=SLOW))
    async with builder.working():
        await builder.parts.outbox.publish(id)
        await builder.phase(id, "smoke_test")
        await builder.parts.pool.execute("UPDATE versions SET epoch = epoch + 1, worker = 'newer' WHERE id = $1", id)

        async def removed() -> bool:
            return not await model_images(docker, id)

        await until(removed)
    row = await builder.row(id)
    assert (row["status"], row["epoch"], row["docker_image"]) == ("BUILDING", 2, None)


async def test_a_stopping_builder_hands_back(builder: Builder) -> None:
    builder.parts = type(builder.parts)(
        **{**vars(builder.parts), "work": msgspec.structs.replace(builder.parts.work, stop_grace_s=0.1)}
    )
    id = await builder.version(package(source="import time\ntime.sleep(10)\n" + MODEL))
    async with builder.working():
        await builder.parts.outbox.publish(id)
        await builder.phase(id, "smoke_test")
    row = await builder.row(id)
    assert (row["status"], row["worker"]) == ("QUEUED", None)
