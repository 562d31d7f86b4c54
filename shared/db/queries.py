"""Named queries: one `.sql` file a noun in `sql/`, a comment a query (aiosql, https://nackjicholson.github.io/aiosql)."""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter

SQL = Path(__file__).parent / "sql"


class _Adapter(AsyncPGAdapter):
    """Runs a query on a pool or a connection alike: asyncpg has the same methods on both.

    aiosql's own looks through every attribute of the pool at each query to find out which it was given, which takes
    as long as the query, and keeps a connection for as long as its rows are read.
    """

    def _in_order(self, query_name: str, parameters: dict[str, Any]) -> list[Any]:
        return [parameters[name] for name in self.var_sorted[query_name]]

    async def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:
        for row in await conn.fetch(sql, *self._in_order(query_name, parameters)):
            yield row

    async def select_one(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:
        return await conn.fetchrow(sql, *self._in_order(query_name, parameters))

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self._in_order(query_name, parameters))

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self._in_order(query_name, parameters))


aiosql.register_adapter("clinai", _Adapter)


@cache
def load_queries(noun: str) -> Any:
    """Load `sql/<noun>.sql`; each query is a coroutine function `queries.<name>(connection, **parameters)`.

    Suffixes in the SQL file: `^` one row or None, `$` one value or None, none: list of rows, `!` status only.
    """
    return aiosql.from_path(SQL / f"{noun}.sql", "clinai", mandatory_parameters=False)
