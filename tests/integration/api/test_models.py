"""Models over the API: shapes, lists in pages, change and removal."""

import asyncio

import httpx
import pytest

from shared.db import Pool
from shared.storage import ObjectStore
from tests.integration.api.conftest import SignUp
from tests.integration.api.nouns import built_version, create_model, ended_job, ok, problem, user_id

pytestmark = pytest.mark.integration


async def test_a_model_is_made_read_and_changed(sign_up: SignUp) -> None:
    ada = await sign_up()
    me = await ok(await ada.get("/api/users/me"))
    body = {"name": "  Edges ", "description": "finds edges", "is_public": False}
    made = await ok(await ada.post("/api/models/", json=body), 201)
    assert made["name"] == "Edges"
    assert (made["owner_id"], made["owner"], made["is_public"]) == (me["id"], me["username"], False)
    assert await ok(await ada.get(f"/api/models/{made['id']}")) == made
    changed = await ok(await ada.patch(f"/api/models/{made['id']}", json={"is_public": True}))
    assert (changed["name"], changed["description"], changed["is_public"]) == ("Edges", "finds edges", True)
    assert changed["updated_at"] > made["updated_at"]
    assert changed["created_at"] == made["created_at"]
    only_name = await ok(await ada.post("/api/models", json={"name": "x"}), 201)
    assert (only_name["description"], only_name["is_public"]) == ("", False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "description": "y" * 10_001}, "description"),
        ({"name": "x", "description": "a\0\n"}, "description"),
        ({"name": "x", "is_public": "yes"}, "is_public"),
    ],
)
async def test_a_wrong_field_is_named(sign_up: SignUp, body: dict[str, object], field: str) -> None:
    ada = await sign_up()
    problem(await ada.post("/api/models/", json=body), 400, "INVALID_REQUEST", field)
    if body:
        model = await create_model(ada)
        problem(await ada.patch(f"/api/models/{model}", json=body), 400, "INVALID_REQUEST", field)


async def test_the_longest_name_fits(sign_up: SignUp) -> None:
    ada = await sign_up()
    name = "é🙂" * 100
    assert (await ok(await ada.post("/api/models/", json={"name": name}), 201))["name"] == name


async def every_page(client: httpx.AsyncClient, path: str, **query: object) -> list[list[str]]:
    """Ids page by page, until there is no next cursor."""
    pages: list[list[str]] = []
    cursor = None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        page = await ok(await client.get(path, params=asked))
        pages.append([item["id"] for item in page["items"]])
        if (cursor := page["next_cursor"]) is None:
            return pages


async def test_lists_have_own_and_public_models_newest_first(sign_up: SignUp) -> None:
    ada, bob = await sign_up(), await sign_up()
    wanted = []
    for n in range(7):
        owner, public = (ada, n % 2 == 0) if n < 4 else (bob, True)
        wanted.append(await create_model(owner, f"m{n}", is_public=public))
    await create_model(bob, "hidden")
    assert await every_page(ada, "/api/models/") == [wanted[::-1]]
    pages = await every_page(ada, "/api/models/", limit=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [id_ for page in pages for id_ in page] == wanted[::-1]
    assert await every_page(ada, "/api/models/", limit=7) == [wanted[::-1]]


async def test_a_page_stays_where_it_was_when_models_come_and_go(sign_up: SignUp) -> None:
    ada = await sign_up()
    ids = [await create_model(ada, f"m{n}") for n in range(4)]
    first = await ok(await ada.get("/api/models/", params={"limit": 2}))
    await create_model(ada, "newer")
    await ok(await ada.delete(f"/api/models/{ids[3]}"), 204)
    rest = await ok(await ada.get("/api/models/", params={"limit": 2, "cursor": first["next_cursor"]}))
    assert [model["id"] for model in rest["items"]] == [ids[1], ids[0]]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "cursor=%F0%9F%99%82", "cursor=AA"]
)
async def test_a_wrong_page_is_refused(sign_up: SignUp, query: str) -> None:
    ada = await sign_up()
    problem(await ada.get(f"/api/models/?{query}"), 400, "INVALID_REQUEST", query.split("=")[0])


async def test_a_removed_model_takes_versions_jobs_and_objects_along(
    sign_up: SignUp, pool: Pool, storage: ObjectStore
) -> None:
    ada = await sign_up()
    model, kept = await create_model(ada, "goes"), await create_model(ada, "stays")
    version = await built_version(pool, model)
    job = await ended_job(pool, storage, version, await user_id(ada))
    await ok(await ada.delete(f"/api/models/{model}"), 204)
    for path in (f"models/{model}", f"models/versions/{version}", f"jobs/{job}"):
        problem(await ada.get(f"/api/{path}"), 404, "NOT_FOUND")
    assert [key async for key, _ in storage.list_keys(f"jobs/{job}/")] == []
    await ok(await ada.get(f"/api/models/{kept}"))
    problem(await ada.delete(f"/api/models/{model}"), 404, "NOT_FOUND")


async def test_two_changes_at_once_both_hold(sign_up: SignUp) -> None:
    ada = await sign_up()
    model = await create_model(ada)
    await asyncio.gather(
        ada.patch(f"/api/models/{model}", json={"name": "new"}),
        ada.patch(f"/api/models/{model}", json={"description": "newer"}),
    )
    found = await ok(await ada.get(f"/api/models/{model}"))
    assert (found["name"], found["description"]) == ("new", "newer")
