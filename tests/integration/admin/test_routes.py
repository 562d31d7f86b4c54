"""The operator's routes, through the real gateway."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.db import Pool
from shared.heartbeat import EVERY_S
from shared.ids import new_id
from shared.removal import WithParts
from tests.client import PASSWORD
from tests.integration.admin.conftest import World
from tests.integration.api.conftest import Person, SignUp, problem

ROUTES = (
    ("GET", "/api/admin/users"),
    ("PATCH", f"/api/admin/users/{new_id()}"),
    ("DELETE", f"/api/admin/users/{new_id()}"),
    ("GET", "/api/admin/queue"),
    ("GET", "/api/admin/workers"),
    ("GET", "/api/admin/dead-letters"),
    ("POST", f"/api/admin/dead-letters/{new_id()}/redrive"),
    ("DELETE", f"/api/admin/dead-letters/{new_id()}"),
    ("GET", "/api/admin/disk"),
    ("POST", "/api/admin/cleanup"),
)


@pytest.fixture
async def operator(open_parts: WithParts, sign_up: SignUp, pool: Pool) -> Person:
    """Somebody who was made an operator after signing in: the role counts at once."""
    person = await sign_up("boss")
    await pool.execute("UPDATE users SET role = 'admin' WHERE username = 'boss'")
    return person


async def get(client: httpx.AsyncClient, path: str) -> Any:
    return (await client.get(path)).raise_for_status().json()


async def dead_letter(pool: Pool, object_id: UUID | None) -> UUID:
    letter = new_id()
    await pool.execute(
        "INSERT INTO dead_letters (id, kind, stream, consumer, stream_seq, deliveries, object_id)"
        " VALUES ($1, 'max_deliver', 'EVENTS', $2, 1, 20, $3)",
        *(letter, str(letter), object_id),
    )
    return letter


async def test_operators_only(sign_up: SignUp, operator: Person, api: httpx.AsyncClient, pool: Pool) -> None:
    """Users get 403, strangers 401, and an operator who is one no more 403 with the same token."""
    user = await sign_up()
    for method, path in ROUTES:
        body = {"json": {}} if method in ("PATCH", "POST") else {}
        problem(await user.request(method, path, **body), 403, "FORBIDDEN")
        problem(await api.request(method, path, **body), 401, "UNAUTHORIZED")
    assert (await operator.get("/api/admin/users")).status_code == 200
    await pool.execute("UPDATE users SET role = 'user' WHERE username = 'boss'")
    problem(await operator.get("/api/admin/users"), 403, "FORBIDDEN")


async def test_users_in_pages(operator: Person, sign_up: SignUp) -> None:
    """Newest first, each once."""
    made = [(await sign_up()).username for _ in range(4)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await get(operator, f"/api/admin/users?limit=2{cursor}")
        assert len(page["items"]) <= 2
        assert all("hashed_password" not in item for item in page["items"])
        seen += [item["username"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [*reversed(made), "boss"]


async def test_disabling_signs_out_at_once(operator: Person, sign_up: SignUp, api: httpx.AsyncClient) -> None:
    """Access token, refresh token and password all stop working; enabling lets the user sign in again."""
    user = await sign_up()
    path = f"/api/admin/users/{user.id}"
    changed = (await operator.patch(path, json={"disabled": True})).raise_for_status().json()
    assert changed["disabled_at"]
    problem(await user.get("/api/users/me"), 401, "UNAUTHORIZED")
    refresh = {"refresh_token": user.tokens["refresh_token"]}
    assert (await api.post("/api/users/refresh", json=refresh)).status_code == 401
    login = {"username": user.username, "password": PASSWORD}
    assert (await api.post("/api/users/login", json=login)).status_code in (401, 403)

    again = (await operator.patch(path, json={"disabled": False})).raise_for_status().json()
    assert again["disabled_at"] is None
    assert (await api.post("/api/users/login", json=login)).status_code == 200
    problem(await operator.patch(f"/api/admin/users/{new_id()}", json={"disabled": True}), 404, "NOT_FOUND")
    problem(await operator.patch(path, json={"role": "king"}), 400, "INVALID_REQUEST")
    problem(await operator.patch(path, json={"disabeld": True}), 400, "INVALID_REQUEST")


async def test_the_last_operator_stays(operator: Person, sign_up: SignUp) -> None:
    """Neither demoted, nor disabled, nor removed; with a second one it may be."""
    path = f"/api/admin/users/{operator.id}"
    problem(await operator.patch(path, json={"role": "user"}), 409, "LAST_OPERATOR")
    problem(await operator.patch(path, json={"disabled": True}), 409, "LAST_OPERATOR")
    problem(await operator.delete(path), 409, "LAST_OPERATOR")
    second = await sign_up()
    assert (await operator.patch(f"/api/admin/users/{second.id}", json={"role": "admin"})).json()["role"] == "admin"
    assert (await operator.patch(path, json={"role": "user"})).json()["role"] == "user"
    assert (await second.get("/api/admin/users")).status_code == 200


async def test_deleting_a_user(operator: Person, sign_up: SignUp, world: World, pool: Pool) -> None:
    """Everything goes, and the answer says what; a second time there is nothing."""
    user = await sign_up()
    version = await world.version(await world.model(UUID(user.id)), b"A", image=False)
    await world.job(version, UUID(user.id))
    gone = (await operator.delete(f"/api/admin/users/{user.id}")).raise_for_status().json()
    assert (gone["models"], gone["versions"], gone["jobs"], gone["left"]) == (1, 1, 1, [])
    assert await world.keys() == set()
    assert await pool.fetchval("SELECT count(*) FROM users") == 1
    problem(await user.get("/api/users/me"), 401, "UNAUTHORIZED")
    assert (await operator.delete(f"/api/admin/users/{user.id}")).json()["jobs"] == 0


async def test_queue_and_workers(operator: Person, world: World) -> None:
    """What waits, for how long, and who could take it."""
    owner = UUID(operator.id)
    version = await world.version(await world.model(owner), b"A", image=False)
    for _ in range(2):
        await world.queued(version, owner)
    await world.parts.pool.execute("UPDATE jobs SET created_at = now() - interval '1 hour'")
    queue = await get(operator, "/api/admin/queue")
    [row] = queue["items"]
    assert (row["noun"], row["status"], row["count"]) == ("job", "QUEUED", 2)
    assert 3600 <= row["oldest_s"] < 3700
    assert "dead-letters" not in [consumer["name"] for consumer in queue["consumers"]]  # another stream's

    await world.parts.pool.execute(
        "INSERT INTO workers (id, service, host, pid, state, slots, busy, heartbeat_at)"
        " VALUES ('old', 'runner', 'h', 1, 'ready', 2, 1, now() - interval '1 minute')"
    )
    async with asyncio.timeout(3 * EVERY_S):  # the gateway of this file has its row again with its next heartbeat
        while len(workers := (await get(operator, "/api/admin/workers"))["items"]) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    found = {row["id"]: row for row in workers}
    assert found.pop("old")["alive"] is False
    [gateway] = found.values()
    assert (gateway["service"], gateway["alive"]) == ("api", True)


async def test_redriving_a_dead_letter(operator: Person, world: World, pool: Pool) -> None:
    """The object's last event goes out again under its ce-id; what has ended or is gone is refused."""
    owner = UUID(operator.id)
    version = await world.version(await world.model(owner), b"A", image=False)
    job, ended = await world.queued(version, owner), await world.job(version, owner)
    await world.parts.outbox.publish(job)
    before = await pool.fetchrow("SELECT id, emission FROM outbox WHERE object_id = $1", job)
    letter = await dead_letter(pool, job)
    [shown] = (await get(operator, "/api/admin/dead-letters"))["items"]
    assert (shown["id"], shown["status"], shown["redriven_at"]) == (str(letter), "QUEUED", None)

    subscription = await world.parts.bus.nc.subscribe("job.submitted.>")
    assert (await operator.post(f"/api/admin/dead-letters/{letter}/redrive")).status_code == 204
    message = await subscription.next_msg(timeout=5)
    await subscription.unsubscribe()
    assert message.headers is not None
    assert message.headers["ce-id"] == str(before["id"])
    assert message.headers["Nats-Msg-Id"] == f"{before['id']}:{before['emission'] + 1}"
    [shown] = (await get(operator, "/api/admin/dead-letters"))["items"]
    assert shown["redriven_at"]

    for hopeless in (await dead_letter(pool, ended), await dead_letter(pool, None), await dead_letter(pool, new_id())):
        path = f"/api/admin/dead-letters/{hopeless}"
        problem(await operator.post(f"{path}/redrive"), 409, "NOTHING_TO_REDRIVE")
        assert (await operator.delete(path)).status_code == 204
        problem(await operator.delete(path), 404, "NOT_FOUND")
        problem(await operator.post(f"{path}/redrive"), 404, "NOT_FOUND")
    assert len((await get(operator, "/api/admin/dead-letters"))["items"]) == 1


async def test_disk_by_model(operator: Person, world: World) -> None:
    """The largest first; what versions of a model share counts once; logs are weighed in storage."""
    owner = UUID(operator.id)
    small, large = await world.model(owner), await world.model(owner)
    await world.version(small, b"A", image=False)
    first = await world.version(large, b"x" * 1000, image=False)
    await world.version(large, b"x" * 1000, image=False)
    await world.job(first, owner)
    disk = await get(operator, "/api/admin/disk")
    assert [item["id"] for item in disk["items"]] == [str(large), str(small)]
    item = disk["items"][0]
    assert (item["package_bytes"], item["image_bytes"], item["versions"], item["jobs"]) == (1000, 10, 2, 1)
    assert (item["input_bytes"], item["output_bytes"]) == (len(b"picture"), len(b"output"))
    assert item["log_bytes"] == 2 * len(b"built") + len(b"ran")
    assert item["total_bytes"] == 1000 + 10 + 7 + 6 + 13
    assert 0 < disk["free_bytes"] < disk["disk_bytes"]


async def test_clean_up_is_a_dry_run_unless_told(operator: Person, world: World) -> None:
    """The same things are shown and then removed."""
    await world.parts.storage.put(f"jobs/{new_id()}/1/out.png", b"loose")
    dry = (await operator.post("/api/admin/cleanup", json={"grace_h": 0})).raise_for_status().json()
    assert (dry["dry_run"], dry["total_bytes"], len(dry["items"])) == (True, 5, 1)
    assert len(await world.keys()) == 1
    young = (await operator.post("/api/admin/cleanup", json={"dry_run": False})).raise_for_status().json()
    assert (young["dry_run"], young["items"]) == (False, [])
    done = (await operator.post("/api/admin/cleanup", json={"dry_run": False, "grace_h": 0})).raise_for_status().json()
    assert done["items"][0]["name"] == dry["items"][0]["name"]
    assert await world.keys() == set()
