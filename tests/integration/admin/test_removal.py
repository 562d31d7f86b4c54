"""Removing things wholly, and only them."""

from hashlib import sha256
from uuid import UUID

import aiodocker
import pytest

from shared import transitions
from shared.errors import Conflict
from shared.ids import new_id
from shared.registry import Registry
from shared.removal import find_orphans, remove_job, remove_model, remove_user, remove_version, weigh
from tests.integration.admin.conftest import OpenParts, World


def key(kind: str, data: bytes) -> str:
    return f"{kind}/sha256/{sha256(data).hexdigest()}"


async def in_engine(parts: OpenParts, reference: str) -> bool:
    repository = reference.rsplit(":", 1)[0]
    return bool(await parts.docker.images.list(filters={"reference": [repository]}))


async def test_nothing_of_a_user_stays(open_parts: OpenParts, world: World, registry: Registry) -> None:
    """Rows, objects, images, sessions, events and log lines all go; another user's all stay."""
    ada, bob = await world.user(), await world.user()
    mine, theirs = await world.model(ada), await world.model(bob)
    my_version, their_version = await world.version(mine, b"A"), await world.version(theirs, b"B")
    await world.job(my_version, ada, b"one")
    await world.job(their_version, ada, b"two")
    kept = await world.job(their_version, bob, b"three")

    removed = await remove_user(open_parts, ada)

    assert (removed.users, removed.models, removed.versions, removed.jobs) == (1, 1, 1, 2)
    assert removed.left == []
    assert removed.images == 2  # one manifest, one image of the engine
    assert await world.keys() == {
        key("packages", b"B"),
        f"logs/versions/{their_version}/1.log",
        key("inputs", b"three"),
        f"jobs/{kept}/1/out.png",
        f"logs/jobs/{kept}/1.log",
        f"quarantine/{kept}",
    }
    assert await registry.tags(f"clinai/model-{my_version}") == []
    assert await registry.tags(f"clinai/model-{their_version}") == ["1"]
    assert not await in_engine(open_parts, f"{registry.host}/clinai/model-{my_version}:1")
    assert await in_engine(open_parts, f"{registry.host}/clinai/model-{their_version}:1")
    for table in ("users", "sessions", "refresh_tokens", "live_tickets", "models", "versions", "jobs"):
        assert await world.count(table) == 1, table
    assert await open_parts.pool.fetchval("SELECT count(*) FROM outbox WHERE object_id <> $1", kept) == 0
    assert await world.messages("EVENTS") == 3  # submitted, running, succeeded of the job that is kept
    assert await world.messages("LOGS") == 1


async def test_other_peoples_jobs_go_with_the_version_they_ran_on(open_parts: OpenParts, world: World) -> None:
    """Before it happens the number of them can be asked; their events and lines go, too."""
    ada, bob = await world.user(), await world.user()
    version = await world.version(await world.model(ada), b"A", image=False)
    await world.job(version, bob)

    weight = await weigh(open_parts, user=ada)
    assert (weight.models, weight.versions, weight.jobs, weight.jobs_of_others) == (1, 1, 1, 1)
    assert weight.total_bytes == 1 + 10 + len(b"picture") + len(b"output")
    assert (await weigh(open_parts, user=bob)).jobs_of_others == 0
    await remove_user(open_parts, ada)

    assert await world.count("jobs") == 0
    assert await world.keys() == set()
    assert await world.messages("EVENTS") == 0
    assert await world.messages("LOGS") == 0


async def test_what_others_share_stays(open_parts: OpenParts, world: World, registry: Registry) -> None:
    """A package, an input and an image that another row refers to outlive a removal, and go with the last one."""
    ada = await world.user()
    model, other = await world.model(ada), await world.model(ada)
    first = await world.version(model, b"same")
    second = await world.version(other, b"same", image_of=first)
    job = await world.job(first, ada)
    kept_job = await world.job(second, ada)

    await remove_job(open_parts, job)
    assert key("inputs", b"picture") in await world.keys()
    await remove_model(open_parts, model)

    assert key("packages", b"same") in await world.keys()
    assert key("inputs", b"picture") in await world.keys()
    assert await registry.tags(f"clinai/model-{first}") == ["1"]
    reference = await open_parts.pool.fetchval("SELECT docker_image FROM versions WHERE id = $1", second)
    assert await in_engine(open_parts, reference)

    removed = await remove_version(open_parts, second)
    assert removed.left == []
    assert removed.images == 2
    assert await registry.tags(f"clinai/model-{first}") == []
    assert not await in_engine(open_parts, reference)
    assert await world.keys() == set()
    assert await open_parts.pool.fetchval("SELECT count(*) FROM jobs WHERE id = $1", kept_job) == 0


async def test_an_image_under_two_names_goes_with_the_last(
    open_parts: OpenParts, world: World, registry: Registry
) -> None:
    """Versions of one package: each has a name of its own for the image, and either may be removed first."""
    ada, bob = await world.user(), await world.user()
    first = await world.version(await world.model(ada), b"same")
    second = await world.version(await world.model(bob), b"same", image_of=first)
    reference, digest = await open_parts.pool.fetchrow(
        "SELECT docker_image, docker_image_digest FROM versions WHERE id = $1", first
    )
    assert await registry.copy(f"clinai/model-{first}", digest, f"clinai/model-{second}", "1")
    named = reference.replace(str(first), str(second))
    await open_parts.pool.execute("UPDATE versions SET docker_image = $2 WHERE id = $1", second, named)

    removed = await remove_version(open_parts, first)
    assert (removed.images, removed.left) == (1, [])
    assert await registry.tags(f"clinai/model-{first}") == []
    assert await registry.digest(f"clinai/model-{second}", "1") == digest
    assert (await find_orphans(open_parts, grace_h=0)).orphans == []
    # every byte of it is still there to be pulled by whoever has the other name
    for name in [*(await open_parts.docker.images.inspect(reference))["RepoTags"]]:
        await open_parts.docker.images.delete(name, force=True)
    await open_parts.docker.images.pull(f"{named.rpartition(':')[0]}@{digest}")

    removed = await remove_version(open_parts, second)
    assert (removed.images, removed.left) == (2, [])
    assert await registry.tags(f"clinai/model-{second}") == []
    assert (await find_orphans(open_parts, grace_h=0)).orphans == []


async def test_every_attempts_image_goes(open_parts: OpenParts, world: World, registry: Registry) -> None:
    """An image that an earlier attempt pushed has no row; it is found by the repository."""
    version = await world.version(await world.model(await world.user()), b"A")
    await world.image(version, epoch=2)
    removed = await remove_version(open_parts, version)
    assert removed.images == 4
    assert await registry.tags(f"clinai/model-{version}") == []


async def test_workers_hear_that_they_must_stop(open_parts: OpenParts, world: World) -> None:
    """A removal cancels first, over the bus; the worker that comes back late can finish nothing."""
    ada = await world.user()
    version = await world.version(await world.model(ada), b"A", image=False)
    job = await world.queued(version, ada)
    row = await transitions.move(open_parts.pool, "job", "claim_job", id=job, worker="w", lease_s=60)
    assert row is not None
    canceled = await open_parts.bus.nc.subscribe("job.canceled.>")

    await remove_version(open_parts, version)

    message = await canceled.next_msg(timeout=5)
    assert message.subject == f"job.canceled.{ada}.{job}"
    assert not await transitions.renew(open_parts.pool, "job", id=job, epoch=row["epoch"], lease_s=60)
    assert not await transitions.ended_as(open_parts.pool, "job", job, row["epoch"], "SUCCEEDED")
    await canceled.unsubscribe()


async def test_unfinished_uploads_go(open_parts: OpenParts, world: World) -> None:
    """A version in the middle of a multipart upload leaves no parts behind."""
    version = await world.version(await world.model(await world.user()), b"A", image=False)
    upload = await open_parts.storage.start_multipart(f"quarantine/{version}")
    await open_parts.pool.execute(
        "UPDATE versions SET status = 'UPLOADING', upload_id = $2 WHERE id = $1", version, upload
    )
    assert [u async for _, u, _ in open_parts.storage.list_multiparts("quarantine/")] == [upload]
    await remove_version(open_parts, version)
    assert [u async for _, u, _ in open_parts.storage.list_multiparts("quarantine/")] == []


@pytest.mark.parametrize("remove", [remove_job, remove_version, remove_model, remove_user])
async def test_removing_what_is_gone_does_nothing(open_parts: OpenParts, world: World, remove: object) -> None:
    """A second call, after a lost answer, succeeds."""
    await world.user()
    assert callable(remove)
    removed = await remove(open_parts, new_id())
    assert (removed.users, removed.models, removed.versions, removed.jobs, removed.left) == (0, 0, 0, 0, [])
    assert await world.count("users") == 1


async def test_an_upload_being_copied_is_left_alone(open_parts: OpenParts, world: World) -> None:
    """Between a worker's look at the key and its note in the row, the package is told by the upload's size."""
    ada = await world.user()
    model = await world.model(ada)
    gone, building = await world.version(model, b"same", image=False), await world.version(model, b"x", image=False)
    await open_parts.pool.execute(
        "UPDATE versions SET status = 'BUILDING', package_path = NULL, package_sha256 = NULL, upload_size = 4"
        " WHERE id = $1",
        building,
    )
    await remove_version(open_parts, gone)
    assert key("packages", b"same") in await world.keys()


async def test_the_last_operator_stays(open_parts: OpenParts, world: World) -> None:
    """Nothing of the last one is touched; with a second one it may go."""
    first = await world.user("admin")
    version = await world.version(await world.model(first), b"A", image=False)
    job = await world.queued(version, first)
    with pytest.raises(Conflict) as refused:
        await remove_user(open_parts, first)
    assert refused.value.code == "LAST_OPERATOR"
    assert await open_parts.pool.fetchval("SELECT status FROM jobs WHERE id = $1", job) == "QUEUED"

    disabled: UUID = await world.user("admin")
    await open_parts.pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", disabled)
    with pytest.raises(Conflict):
        await remove_user(open_parts, first)
    await world.user("admin")
    assert (await remove_user(open_parts, first)).users == 1


async def test_a_part_that_is_away_is_named(open_parts: OpenParts, world: World) -> None:
    """Rows go all the same; what could not be reached is said."""
    version = await world.version(await world.model(await world.user()), b"A", image=False)
    away = OpenParts(
        open_parts.pool,
        open_parts.bus,
        open_parts.outbox,
        open_parts.storage,
        aiodocker.Docker(url="http://127.0.0.1:9"),
        type(open_parts.engine)(registry="127.0.0.1:9"),
        open_parts.instance,
    )
    try:
        removed = await remove_version(away, version)
    finally:
        await away.docker.close()
    assert removed.versions == 1
    assert [line.split(":")[0] for line in removed.left] == ["images in the registry", "images in the engine"]
    assert await world.count("versions") == 0
