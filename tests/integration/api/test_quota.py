"""What a user's versions take, and the operator's quota for it."""

from collections.abc import AsyncIterator

import pytest

from shared.db import Pool
from tests.integration.api.conftest import SignUp, serving_openly
from tests.integration.api.nouns import built_version, create_model, create_version, ok, problem, put
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

V = "/api/models/versions"
USAGE = "/api/users/me/usage"
QUOTA = 10_000


@pytest.fixture(scope="module")
async def gateway(parts: TestPlatform) -> AsyncIterator[str]:
    """A gateway whose users may have 10,000 bytes each."""
    async with serving_openly(parts, CLINAI_LIMIT_USER_BYTES=str(QUOTA)) as url:
        yield url


async def test_what_versions_share_counts_once(sign_up: SignUp, pool: Pool) -> None:
    ada, bob = await sign_up(), await sign_up()
    empty = {"versions": 0, "package_bytes": 0, "image_bytes": 0, "quota_bytes": QUOTA}
    assert await ok(await ada.get(USAGE)) == empty
    model = await create_model(ada)
    await built_version(pool, model, "1", package_size=1000, image_bytes=3000)
    await built_version(pool, model, "2", package_size=1000, image_bytes=3000)
    own = {"package_path": "packages/sha256/" + "e" * 64, "docker_image_digest": "sha256:" + "f" * 64}
    await built_version(pool, model, "3", package_size=20, image_bytes=300, **own)
    failed = {"package_path": None, "package_size": None, "docker_image": None, "docker_image_digest": None}
    await built_version(pool, model, "4", status="FAILED", upload_size=5000, **failed)
    taken = {"versions": 4, "package_bytes": 1020, "image_bytes": 3300, "quota_bytes": QUOTA}
    assert await ok(await ada.get(USAGE)) == taken
    assert await ok(await bob.get(USAGE)) == empty


async def test_a_build_needs_room_and_gets_it_back(sign_up: SignUp, pool: Pool) -> None:
    ada, bob = await sign_up(), await sign_up()
    model = await create_model(ada)
    old = await built_version(pool, model, "1", package_size=1000, image_bytes=4000)
    waiting = await create_version(ada, model, "2")
    await put(waiting["upload_url"], b"x" * 2000)
    await ok(await ada.post(f"{V}/{waiting['version_id']}/build"), 202)
    assert (await ok(await ada.get(USAGE)))["package_bytes"] == 3000
    made = await create_version(ada, model, "3")
    await put(made["upload_url"], b"x" * 3001)
    route = f"{V}/{made['version_id']}/build"
    problem(await ada.post(route), 413, "QUOTA_EXCEEDED", "CLINAI_LIMIT_USER_BYTES", "Delete versions")
    assert (await ok(await ada.get(f"{V}/{made['version_id']}")))["status"] == "UPLOADING"
    await ok(await ada.delete(f"{V}/{old}"), 204)
    await ok(await ada.post(route), 202)
    # another user's room is theirs
    other = await create_version(bob, await create_model(bob), "1")
    await put(other["upload_url"], b"x" * 9000)
    await ok(await bob.post(f"{V}/{other['version_id']}/build"), 202)


async def test_parts_are_not_even_begun_without_room(sign_up: SignUp) -> None:
    ada = await sign_up()
    made = await create_version(ada, await create_model(ada))
    route = f"{V}/{made['version_id']}/parts"
    problem(await ada.post(route, json={"size": QUOTA + 1}), 413, "QUOTA_EXCEEDED")
    await ok(await ada.post(route, json={"size": QUOTA}))
