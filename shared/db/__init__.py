"""PostgreSQL: the pool, and named queries from `queries/*.sql`."""

from shared.db.pool import Connection, Pool, Row, open_pool
from shared.db.queries import load_queries

__all__ = ["Connection", "Pool", "Row", "load_queries", "open_pool"]
