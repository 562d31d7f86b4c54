"""The connection pool of a service."""

from typing import Any

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from shared.settings import Database

_encoder = msgspec.json.Encoder()

Row = asyncpg.Record
Pool = asyncpg.Pool
Connection = asyncpg.Connection | PoolConnectionProxy


def _encode_json(value: Any) -> str:
    return _encoder.encode(value).decode()


async def _prepare(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            encoder=_encode_json,
            decoder=msgspec.json.decode,
            schema="pg_catalog",
        )


async def _leave_as_is(connection: Any) -> None:
    """Nothing of ours changes a session, so the round trip that would reset it is saved.

    asyncpg itself ends a transaction that was left open before it calls this.
    """


async def open_pool(settings: Database, name: str = "tool") -> Pool:
    """Open the pool; jsonb columns take and give plain Python values. Close it with `await pool.close()`.

    `name` of the process is what pg_stat_activity shows (`clinai-<name>`).
    """
    pool = await asyncpg.create_pool(
        settings.url,
        min_size=settings.pool_min,
        max_size=settings.pool_max,
        command_timeout=settings.command_timeout_s,
        init=_prepare,
        reset=_leave_as_is,
        server_settings={"application_name": f"clinai-{name}"},
    )
    assert pool is not None
    return pool
