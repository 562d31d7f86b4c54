"""Every route of the gateway, walked by a stranger: what is private is not there, what is public is only read.

The table below names each route. A route that is in the application and not in the table fails the first test, so
nobody adds one without saying who may use it.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar.routes import HTTPRoute

from services.api.app import create_app
from services.api.frame import Frame
from shared.db import Pool
from shared.storage import ObjectStore
from tests.integration.api.conftest import SignUp
from tests.integration.api.nouns import built_version, create_model, ended_job, ok, problem, user_id
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

Key = tuple[str, str]

OPEN: set[Key] = {
    ("POST", "/api/users/register"),
    ("POST", "/api/users/login"),
    ("POST", "/api/users/refresh"),
    ("POST", "/api/users/logout"),
    ("GET", "/api/health"),
    ("GET", "/metrics"),
}
"""Without a token; nothing of any tenant is there. Pages below /docs are open as well."""

OWN: set[Key] = {
    ("GET", "/api/users/me"),
    ("GET", "/api/users/me/usage"),
    ("POST", "/api/users/me/password"),
    ("GET", "/api/users/me/sessions"),
    ("DELETE", "/api/users/me/sessions"),
    ("POST", "/api/live/ticket"),
    ("POST", "/api/models"),
    ("GET", "/api/models"),
    ("GET", "/api/jobs"),
    ("GET", "/api/jobs/batch"),
}
"""Act on the caller alone: no id of anybody else goes in. What the lists show is tested below."""


@dataclass(frozen=True)
class Visit:
    """A request about somebody else's object: what a public model answers; a private one is not there (404)."""

    method: str
    path: str
    public: int
    body: dict[str, Any] | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """Fields of the body that take an id: name → which."""

    @property
    def key(self) -> Key:
        return self.method, self.path


VISITS = [
    Visit("GET", "/api/models/{model_id}", 200),
    Visit("PATCH", "/api/models/{model_id}", 403, {"name": "mine now", "is_public": True}),
    Visit("DELETE", "/api/models/{model_id}", 403),
    Visit("GET", "/api/models/{model_id}/versions", 200),
    Visit("POST", "/api/models/versions", 403, {"version_number": "v9"}, {"model_id": "model_id"}),
    Visit("GET", "/api/models/versions/{version_id}", 200),
    Visit("DELETE", "/api/models/versions/{version_id}", 403),
    Visit("GET", "/api/models/versions/{version_id}/logs", 403),
    Visit("POST", "/api/models/versions/{version_id}/build", 403),
    Visit("POST", "/api/models/versions/{version_id}/cancel", 403),
    Visit("POST", "/api/models/versions/{version_id}/parts", 403, {"numbers": [1]}),
    Visit("POST", "/api/models/versions/{version_id}/parts/complete", 403),
    Visit("POST", "/api/jobs", 201, {}, {"version_id": "version_id"}),
    Visit("POST", "/api/models/{model_id}/predict", 202, {}),
    Visit("POST", "/api/models/versions/{version_id}/predict", 202, {}),
    # a job is its user's alone, on a public model as well
    Visit("GET", "/api/jobs/{job_id}", 404),
    Visit("DELETE", "/api/jobs/{job_id}", 404),
    Visit("POST", "/api/jobs/{job_id}/run", 404),
    Visit("POST", "/api/jobs/{job_id}/cancel", 404),
    Visit("GET", "/api/jobs/{job_id}/outputs", 404),
    Visit("GET", "/api/jobs/{job_id}/logs", 404),
    Visit("POST", "/api/jobs/batch", 201, {}, {"version_id": "version_id"}),
    # and so is a batch
    Visit("GET", "/api/jobs/batch/{batch_id}", 404),
    Visit("DELETE", "/api/jobs/batch/{batch_id}", 404),
    Visit("POST", "/api/jobs/batch/{batch_id}/run", 404),
    Visit("POST", "/api/jobs/batch/{batch_id}/cancel", 404),
    Visit("GET", "/api/jobs/batch/{batch_id}/inputs", 404),
    Visit("GET", "/api/jobs/batch/{batch_id}/outputs", 404),
    Visit("GET", "/api/jobs/batch/{batch_id}/archive", 404),
    Visit("DELETE", "/api/users/me/sessions/{session_id}", 404),
]
TABLES = {"model": "models", "version": "versions", "job": "jobs", "batch": "batches", "session": "sessions"}


def routes(parts: TestPlatform) -> dict[Key, bool]:
    """Every route of the application, those outside the OpenAPI document included; True for documented ones."""
    frame = create_app(parts.env)
    assert isinstance(frame, Frame)
    found: dict[Key, bool] = {}
    for route in frame._app.routes:  # type: ignore[attr-defined]
        assert isinstance(route, HTTPRoute), route
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                found[method, route.path_format.rstrip("/") or "/"] = bool(handler.resolve_include_in_schema())
    return found


def is_open(key: Key) -> bool:
    return key in OPEN or key[1] == "/docs" or key[1].startswith("/docs/")


def is_admin(key: Key) -> bool:
    return key[1].startswith("/api/admin")


@pytest.fixture
def all_routes(parts: TestPlatform) -> dict[Key, bool]:
    return routes(parts)


def fill(path: str, ids: dict[str, str]) -> str:
    """Put ids in; any other parameter becomes a random UUID."""
    parts = [ids.get(part[1:-1], str(uuid4())) if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


async def go(client: httpx.AsyncClient, visit: Visit, ids: dict[str, str]) -> httpx.Response:
    body = None if visit.body is None else {**visit.body, **{name: ids[of] for name, of in visit.fields.items()}}
    # nobody runs the jobs here: no request may wait for one
    return await client.request(visit.method, fill(visit.path, ids), json=body, headers={"Prefer": "respond-async"})


def test_every_route_is_in_the_table(all_routes: dict[Key, bool]) -> None:
    table = OPEN | OWN | {visit.key for visit in VISITS}
    found = {key for key in all_routes if not is_admin(key) and not (is_open(key) and key not in OPEN)}
    assert found - table == set(), "a new route: say here who may use it"
    assert table - found == set(), "a route that is gone: take it out of the table"
    undocumented = {key for key, documented in all_routes.items() if not documented and not is_open(key)}
    assert undocumented == set(), "a route for users must be in the OpenAPI document"


async def test_nothing_without_a_token(api: httpx.AsyncClient, all_routes: dict[Key, bool]) -> None:
    closed = [key for key in all_routes if not is_open(key)]
    assert len(closed) > 20
    for method, path in closed:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = await api.request(method, fill(path, {}), headers=headers)
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
            assert answer.json()["code"] == "UNAUTHORIZED"
            assert "www-authenticate" in answer.headers


async def test_operator_routes_are_not_for_users(sign_up: SignUp, all_routes: dict[Key, bool]) -> None:
    bob = await sign_up()
    for method, path in filter(is_admin, all_routes):
        answer = await bob.request(method, fill(path, {}), json={} if method != "GET" else None)
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"


class Tenant:
    """A user with a model, a version, a job, a batch and a session, and the rows as they were."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.ids: dict[str, str] = {}

    @classmethod
    async def make(cls, ada: httpx.AsyncClient, pool: Pool, storage: ObjectStore, *, is_public: bool) -> "Tenant":
        tenant, owner = cls(pool), await user_id(ada)
        model = await create_model(ada, is_public=is_public)
        version = await built_version(pool, model)
        session = await pool.fetchval("SELECT id FROM sessions WHERE user_id = $1", owner)
        tenant.ids = {
            "model_id": model,
            "version_id": version,
            "job_id": await ended_job(pool, storage, version, owner),
            "batch_id": (await ok(await ada.post("/api/jobs/batch/", json={"version_id": version}), 201))["batch_id"],
            "session_id": str(session),
        }
        return tenant

    async def rows(self) -> list[dict[str, Any]]:
        found = []
        for noun, table in TABLES.items():
            row = await self.pool.fetchrow(f"SELECT * FROM {table} WHERE id = $1", UUID(self.ids[f"{noun}_id"]))
            assert row is not None, f"the {noun} is gone"
            found.append({**row, "last_used_at": None})
        return found


def without_place(answer: httpx.Response) -> dict[str, Any]:
    return {k: v for k, v in answer.json().items() if k not in ("instance", "request_id")}


async def test_what_is_private_is_not_there(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada, bob = await sign_up(), await sign_up()
    tenant = await Tenant.make(ada, pool, storage, is_public=False)
    before = await tenant.rows()
    for visit in VISITS:
        answer = await go(bob, visit, tenant.ids)
        assert answer.status_code == 404, f"{visit}: {answer.status_code}"
        problem(answer, 404, "NOT_FOUND")
        missing = await go(bob, visit, {name: str(uuid4()) for name in tenant.ids})
        assert without_place(answer) == without_place(missing), visit
        assert answer.headers.keys() == missing.headers.keys(), visit
        assert await tenant.rows() == before, visit


async def test_what_is_public_is_read_and_run(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada, bob = await sign_up(), await sign_up()
    tenant = await Tenant.make(ada, pool, storage, is_public=True)
    before = await tenant.rows()
    for visit in VISITS:
        answer = await go(bob, visit, tenant.ids)
        assert answer.status_code == visit.public, f"{visit}: {answer.status_code}"
        if visit.public >= 400:
            problem(answer, visit.public, {403: "FORBIDDEN", 404: "NOT_FOUND"}[visit.public])
        assert await tenant.rows() == before, visit


async def test_lists_show_nothing_of_others(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada, bob = await sign_up(), await sign_up()
    private = await Tenant.make(ada, pool, storage, is_public=False)
    public = await Tenant.make(ada, pool, storage, is_public=True)
    models = await ok(await bob.get("/api/models/"))
    assert [model["id"] for model in models["items"]] == [public.ids["model_id"]]
    for tenant in (private, public):
        for query in ({}, {"version_id": tenant.ids["version_id"]}, {"model_id": tenant.ids["model_id"]}):
            assert (await ok(await bob.get("/api/jobs/", params=query)))["items"] == []
    assert (await ok(await bob.get("/api/jobs/batch/")))["items"] == []
    sessions = await ok(await bob.get("/api/users/me/sessions"))
    assert private.ids["session_id"] not in str(sessions)


async def test_an_operators_token_opens_no_private_model(sign_up: SignUp, pool: Pool, storage: ObjectStore) -> None:
    ada, operator = await sign_up(), await sign_up()
    tenant = await Tenant.make(ada, pool, storage, is_public=False)
    await pool.execute("UPDATE users SET role = 'admin' WHERE id = $1", await user_id(operator))
    problem(await operator.get(f"/api/models/{tenant.ids['model_id']}"), 404, "NOT_FOUND")
    problem(await operator.get(f"/api/jobs/{tenant.ids['job_id']}/outputs"), 404, "NOT_FOUND")
