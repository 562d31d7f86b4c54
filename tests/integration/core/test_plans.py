"""No query goes through a table that grows: the plans of every named query, on a database that is full."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from shared import settings
from shared.db import open_pool
from shared.db.queries import SQL, load_queries
from shared.settings import load
from shared.statuses import JobStatus
from tests.filling import Filled, fill, own_database
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

JOBS, VERSIONS = 100_000, 10_000
GROWING = {"jobs", "versions", "outbox", "sessions", "refresh_tokens"}
"""Tables that are large here: the planner has every reason to avoid going through them, and must be able to."""
SMALL = {"users", "models", "live_tickets", "dead_letters"}
"""Tables that are small here and may grow: a scan is what is left when the planner is forbidden to choose one."""
OF_FEW = {
    "jobs_open_idx",
    "jobs_deadline_idx",
    "versions_open_idx",
    "versions_deadline_idx",
    "outbox_unpublished_idx",
    "users_operators_idx",
}
"""Indexes of those rows only that are under way: as long as the queue, however long the table."""
SORTED_ROWS = 10_000
GOES_THROUGH_ALL = {  # each with the reason why it may
    "admin.disk": "weighs everything; at most every 30 s, and only while an operator looks",
    "admin.page_users": "counts what each account of a page has, by the index alone",
    "removal.ready_images": "compares all images with the registry's: an operator's clean-up",
    "removal.stale_dead_letters": "looks at every dead letter: an operator's clean-up",
    "removal.weigh": "adds up all that a removal would take",
}
NAMES = [
    f"{path.stem}.{name}"
    for path in sorted(SQL.glob("*.sql"))
    for name in load_queries(path.stem).available_queries
    if not name.endswith("_cursor") and f"{path.stem}.{name}" not in GOES_THROUGH_ALL
]


@pytest.fixture(scope="module")
async def filled(parts: TestPlatform) -> AsyncIterator[Filled]:
    """A hundred thousand jobs, ten thousand versions, two hundred users."""
    async with own_database(parts.env["CLINAI_DATABASE_URL"]) as url:
        yield await fill(url, jobs=JOBS, versions=VERSIONS)


@pytest.fixture
async def connection(filled: Filled) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it."""
    connection = await asyncpg.connect(filled.url)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of a plan and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def generic_plan(connection: asyncpg.Connection, sql: str) -> list[dict[str, Any]]:
    """The plan that serves whatever the parameters are, as a prepared statement comes to use it."""
    await connection.execute(f"PREPARE asked AS {sql}")
    try:
        count = await connection.fetchval(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'asked'"
        )
        values = f"({', '.join(['NULL'] * count)})" if count else ""
        found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{values}")
    finally:
        await connection.execute("DEALLOCATE asked")
    return list(nodes(json.loads(found)[0]["Plan"]))


def scans(plan: list[dict[str, Any]], tables: set[str]) -> list[str]:
    """Where a plan goes through a whole table, or looks for rows in the whole of an index."""
    return [
        f"{node['Node Type']} on {node['Relation Name']}: {node.get('Filter', '')}"
        for node in plan
        if node.get("Relation Name") in tables
        and (
            node["Node Type"] == "Seq Scan"
            or (
                node["Node Type"] in ("Index Scan", "Index Only Scan")
                and "Index Cond" not in node
                and node["Index Name"] not in OF_FEW
                and (tables is GROWING or "Filter" in node)
            )
        )
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_no_query_goes_through_a_table_that_grows(connection: asyncpg.Connection, name: str) -> None:
    noun, _, query = name.partition(".")
    sql = getattr(load_queries(noun), query).sql
    plan = await generic_plan(connection, sql)
    assert scans(plan, GROWING) == []
    assert [node for node in plan if node["Node Type"] == "Sort" and node["Plan Rows"] > SORTED_ROWS] == []
    await connection.execute("SET enable_seqscan = off")
    assert scans(await generic_plan(connection, sql), SMALL) == []


LISTS: dict[str, dict[str, Any]] = {
    "all": {},
    "one state that most have": {"statuses": ["SUCCEEDED"]},
    "one state that few have": {"statuses": ["CANCELED"]},
    "one state that nobody has": {"statuses": ["UPLOADING"], "at": timedelta(days=1)},
    "what is open": {"statuses": ["QUEUED", "RUNNING"]},
    "a model": {"model": True},
    "a model and a state": {"model": True, "statuses": ["FAILED"]},
    "a version": {"version": True},
    "a version that is not the model's": {"version": True, "other_model": True},
    "a day of last week": {"at": timedelta(days=7), "after": timedelta(days=8)},
    "a day that is long past": {"at": timedelta(days=5000), "after": timedelta(days=5001)},
    "the last page": {"at": timedelta(seconds=(JOBS - 100) * 30)},
}


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_of_jobs_reads_what_it_shows_and_little_more(
    parts: TestPlatform, filled: Filled, name: str, mode: str
) -> None:
    """Whatever the filter and however deep the page: for the user with half of all jobs, and for one with few."""
    wanted = LISTS[name]
    queries = load_queries("jobs")
    pool = await open_pool(load(settings.Database, {**parts.env, "CLINAI_DATABASE_URL": filled.url}))
    async with pool.acquire() as connection:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        other: UUID = await connection.fetchval("SELECT id FROM users WHERE id <> $1 LIMIT 1", filled.user_id)
        for user_id in (filled.user_id, other):
            job = await connection.fetchrow("SELECT * FROM jobs WHERE user_id = $1 AND status = 'SUCCEEDED'", user_id)
            models = await connection.fetch("SELECT id FROM models WHERE id <> $1 LIMIT 1", job["model_id"])
            now = datetime.now(UTC)
            values = {
                "user_id": user_id,
                "before_at": now - wanted.get("at", timedelta(0)),
                "before": UUID(int=2**128 - 1),
                "created_after": now - wanted.get("after", timedelta(days=10_000)),
                "statuses": wanted.get("statuses", list(JobStatus)),
                "version_id": job["version_id"] if "version" in wanted else None,
                "model_id": models[0]["id"]
                if "other_model" in wanted
                else job["model_id"]
                if "model" in wanted
                else None,
                "rows": 51,
                "result_bytes": 1000,
            }
            order = queries.driver_adapter.var_sorted["list_jobs"]
            statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.list_jobs.sql}"
            [(found,)] = await connection.fetch(statement, *[values[parameter] for parameter in order])
            plan = found[0]["Plan"]
            read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            dropped = sum(node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in nodes(plan))
            assert (dropped, scans(list(nodes(plan)), GROWING)) == (0, [])
            assert read < 30 * (plan["Actual Rows"] + 10)
    await pool.close()
