"""What nobody refers to is found and goes; everything else stays."""

import asyncio
import json
from uuid import UUID

import pytest

from shared.ids import new_id
from shared.registry import Registry
from shared.removal import OrphanReport, delete_orphans, find_orphans
from shared.removal import orphan_images as images
from tests.integration.admin.conftest import OpenParts, World


def names(report: OrphanReport, kind: str) -> set[str]:
    return {orphan.name for orphan in report.orphans if orphan.kind == kind}


async def test_a_platform_in_order_has_none(open_parts: OpenParts, world: World) -> None:
    """Rows, their objects and images, work under way: nothing of it is an orphan, without any grace."""
    ada = await world.user()
    model = await world.model(ada)
    version = await world.version(model, b"A")
    await world.job(version, ada)
    await open_parts.storage.delete_prefix("quarantine/")  # as a runner does after the end
    await world.queued(version, ada)
    building = await world.version(model, b"B")
    await open_parts.pool.execute("UPDATE versions SET status = 'BUILDING' WHERE id = $1", building)

    report = await find_orphans(open_parts, grace_h=0)
    assert report.orphans == []
    assert report.problems == []


async def test_objects_without_a_row(open_parts: OpenParts, world: World) -> None:
    """Only what the rows do not know goes; the grace keeps what is young."""
    ada = await world.user()
    version = await world.version(await world.model(ada), b"A", image=False)
    job = await world.job(version, ada)
    await open_parts.storage.delete_prefix("quarantine/")
    kept = await world.keys()
    loose = {
        f"jobs/{new_id()}/1/out.png",
        f"logs/jobs/{new_id()}/1.log",
        f"logs/versions/{new_id()}/1.log",
        f"quarantine/{new_id()}",
        f"packages/sha256/{'0' * 64}",
        f"inputs/sha256/{'0' * 64}",
        f"jobs/{job}/0/out.png",  # an attempt that was overtaken
    }
    for key in loose:
        await open_parts.storage.put(key, b"loose")
    upload = await open_parts.storage.start_multipart("quarantine/begun")
    await open_parts.storage.put("elsewhere/file", b"not ours")

    assert (await find_orphans(open_parts, grace_h=24)).orphans == []
    found = await find_orphans(open_parts, grace_h=0)
    assert names(found, "object") == loose
    assert names(found, "upload") == {f"quarantine/begun {upload}"}
    assert found.total_bytes == 5 * len(loose)
    assert await world.keys() == kept | loose | {"elsewhere/file"}  # looking removed nothing

    gone = await delete_orphans(open_parts, found)
    assert names(gone, "object") == loose
    assert await world.keys() == kept | {"elsewhere/file"}
    assert (await find_orphans(open_parts, grace_h=0)).orphans == []


async def test_what_came_to_use_meanwhile_stays(open_parts: OpenParts, world: World) -> None:
    """Each thing is looked at again before it goes."""
    package = b"come back"
    version = await world.version(await world.model(await world.user()), package, image=False)
    row = await open_parts.pool.fetchrow("DELETE FROM versions WHERE id = $1 RETURNING *", version)
    found = await find_orphans(open_parts, grace_h=0)
    assert len(names(found, "object")) == 2  # package and log
    await open_parts.pool.execute(
        "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key, status, epoch, package_path)"
        " VALUES ($1, $2, $3, '1', 'k', 'READY', 1, $4)",
        *(version, row["model_id"], row["owner_id"], row["package_path"]),
    )
    assert (await delete_orphans(open_parts, found)).orphans == []
    assert row["package_path"] in await world.keys()


async def test_images_without_a_version(open_parts: OpenParts, world: World, registry: Registry) -> None:
    """Registry and engine: images of versions that are gone, attempts that were overtaken, unused dependencies."""
    model = await world.model(await world.user())
    base, base_digest = await world.image(None, repository="clinai/deps")
    version = await world.version(model, b"A", image=False)
    reference, digest = await world.image(version, base=base)
    await open_parts.pool.execute(
        "UPDATE versions SET docker_image = $2, docker_image_digest = $3 WHERE id = $1", version, reference, digest
    )
    _, overtaken = await world.image(version, epoch=0)
    lost = new_id()
    _, lost_digest = await world.image(lost)
    _, unused = await world.image(None, epoch=2, repository="clinai/deps")

    assert (await find_orphans(open_parts, grace_h=24)).orphans == []
    found = await find_orphans(open_parts, grace_h=0)
    assert names(found, "manifest") == {
        f"clinai/model-{version}@{overtaken}",
        f"clinai/model-{lost}@{lost_digest}",
        f"clinai/deps@{unused}",
    }
    assert len(names(found, "image")) == 3
    assert all(orphan.bytes >= 1000 for orphan in found.orphans)

    gone = await delete_orphans(open_parts, found)
    assert len(gone.orphans) == 6
    assert gone.problems == []
    assert await registry.digest(f"clinai/model-{version}", "1") == digest
    assert await registry.digest("clinai/deps", "1") == base_digest
    assert await registry.tags(f"clinai/model-{lost}") == []
    left = await open_parts.docker.images.list(
        filters={"label": [f"clinai.instance={open_parts.instance.instance}", "clinai.kind=image"]}
    )
    assert {tag for image in left for tag in image["RepoTags"]} == {base, reference}
    assert (await find_orphans(open_parts, grace_h=0)).orphans == []


async def test_images_of_another_instance_are_not_ours(open_parts: OpenParts, world: World) -> None:
    """Registry and engine may be shared: without our label nothing is judged."""
    other = OpenParts(**{**vars(open_parts), "instance": type(open_parts.instance)(instance="somebody-else")})
    lost = new_id()
    await world.image(lost)
    assert (await find_orphans(other, grace_h=0)).orphans == []
    assert len((await find_orphans(open_parts, grace_h=0)).orphans) == 2


async def test_a_ready_version_without_image_or_package_is_a_problem(open_parts: OpenParts, world: World) -> None:
    """It is said, and nothing is removed for it."""
    version = await world.version(await world.model(await world.user()), b"A")
    await open_parts.storage.delete_prefix("packages/")
    await open_parts.pool.execute(
        "UPDATE versions SET docker_image_digest = $2 WHERE id = $1", version, f"sha256:{'1' * 64}"
    )
    report = await find_orphans(open_parts, grace_h=24)
    assert report.orphans == []
    assert {line.split(":")[0] for line in report.problems} == {f"version {version}"}
    assert {line.split(": ")[1].split(";")[0] for line in report.problems} == {
        "its package is not in storage",
        "READY, but its image is not in the registry",
    }


@pytest.fixture
def no_container_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CONTAINER_GRACE_S", 0.0)


async def test_containers_nobody_works_on(open_parts: OpenParts, world: World, no_container_grace: None) -> None:
    """A sandbox of a job that ended, of an older attempt, of none or of a dead runner; one in use or in wait stays."""
    ada = await world.user()
    version = await world.version(await world.model(ada), b"A", image=False)
    reference, _ = await world.image(version)
    running = await world.queued(version, ada)
    await open_parts.pool.execute("UPDATE jobs SET status = 'RUNNING', epoch = 2 WHERE id = $1", running)

    async def sandbox(job: UUID, epoch: int) -> str:
        labels = {
            "clinai.instance": open_parts.instance.instance,
            "clinai.kind": "sandbox",
            "clinai.job": str(job),
            "clinai.version": str(version),
            "clinai.epoch": str(epoch),
        }
        config = {"Image": reference, "Cmd": ["/never"], "Labels": labels}
        return str((await open_parts.docker.containers.create(config)).id)

    async def waiting(worker: str) -> str:
        labels = {
            "clinai.instance": open_parts.instance.instance,
            "clinai.kind": "sandbox",
            "clinai.version": str(version),
            "clinai.tenant": str(ada),
            "clinai.worker": worker,
        }
        config = {"Image": reference, "Cmd": ["/never"], "Labels": labels}
        return str((await open_parts.docker.containers.create(config)).id)

    for worker, silent_s in (("alive", 1), ("dead", 3600)):
        await open_parts.pool.execute(
            "INSERT INTO workers (id, service, host, pid, state, heartbeat_at)"
            " VALUES ($1, 'runner', 'here', 1, 'ready', now() - make_interval(secs => $2))",
            worker,
            silent_s,
        )
    kept = {await sandbox(running, 2), await waiting("alive")}
    loose = {await sandbox(running, 1), await sandbox(new_id(), 1), await waiting("dead")}
    try:
        found = await find_orphans(open_parts, grace_h=24)
        assert names(found, "container") == loose
        assert names(await delete_orphans(open_parts, found), "container") == loose
    finally:
        label = json.dumps({"label": [f"clinai.instance={open_parts.instance.instance}", "clinai.kind=sandbox"]})
        left = await open_parts.docker.containers.list(all="1", filters=label)
        await asyncio.gather(*[container.delete(force=True) for container in left])
        await open_parts.pool.execute("DELETE FROM workers WHERE id IN ('alive', 'dead')")
    assert {container.id for container in left} == kept


async def test_rows_past_their_time(open_parts: OpenParts, world: World) -> None:
    """Versions never uploaded; failed ones when asked for; dead letters of what has ended."""
    model = await world.model(await world.user())
    never, failed, ready = [await world.version(model, name, image=False) for name in (b"1", b"2", b"3")]
    await open_parts.pool.execute(
        "UPDATE versions SET status = 'UPLOADING', created_at = now() - interval '2 days' WHERE id = $1", never
    )
    await open_parts.pool.execute(
        "UPDATE versions SET status = 'FAILED', updated_at = now() - interval '40 days' WHERE id = $1", failed
    )
    letters = {}
    for name, object_id in (("ended", ready), ("unknown", None)):
        letters[name] = new_id()
        await open_parts.pool.execute(
            "INSERT INTO dead_letters (id, kind, stream, consumer, stream_seq, deliveries, object_id)"
            " VALUES ($1, 'max_deliver', 'EVENTS', $2, 1, 20, $3)",
            *(letters[name], name, object_id),
        )
    found = await find_orphans(open_parts, grace_h=0)
    assert names(found, "version") == {str(never)}
    assert names(found, "dead letter") == {str(letters["ended"])}

    found = await find_orphans(open_parts, grace_h=0, failed_days=30)
    assert names(found, "version") == {str(never), str(failed)}
    await delete_orphans(open_parts, found)
    assert await open_parts.pool.fetch("SELECT id FROM versions") == [(ready,)]
    assert await open_parts.pool.fetch("SELECT id FROM dead_letters") == [(letters["unknown"],)]


async def test_events_that_do_not_leave_are_a_problem(open_parts: OpenParts, world: World) -> None:
    """The outbox is never cleaned up: an event in it still has to go out."""
    ada = await world.user()
    await world.queued(await world.version(await world.model(ada), b"A", image=False), ada)
    await open_parts.pool.execute("UPDATE outbox SET publish_after = now() - interval '1 hour'")
    report = await find_orphans(open_parts, grace_h=0)
    assert [line for line in report.problems if line.startswith("outbox: 1 events wait for the bus")]
    await delete_orphans(open_parts, report)
    assert await world.count("outbox") == 1
