"""Named queries: one `.sql` file a noun in `sql/`, a comment a query (aiosql, https://nackjicholson.github.io/aiosql)."""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql

SQL = Path(__file__).parent / "sql"


@cache
def load_queries(noun: str) -> Any:
    """Load `sql/<noun>.sql`; each query is a coroutine function `queries.<name>(connection, **parameters)`.

    Suffixes in the SQL file: `^` one row or None, `$` one value or None, none: list of rows, `!` status only.
    """
    return aiosql.from_path(SQL / f"{noun}.sql", "asyncpg", mandatory_parameters=False)
