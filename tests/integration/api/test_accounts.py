"""One look at the database for all requests that ask at once whether their account still stands."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.api.accounts import Accounts
from shared.db import Pool
from shared.ids import new_id


@pytest.fixture
async def signed_in(pool: Pool) -> list[tuple[UUID, UUID]]:
    """Five accounts with a session each."""
    pairs = [(new_id(), new_id()) for _ in range(5)]
    for n, (user, session) in enumerate(pairs):
        await pool.execute(
            "INSERT INTO users (id, username, email, hashed_password) VALUES ($1, $2, $3, 'x')",
            user,
            f"user-{n}",
            f"{n}@example.com",
        )
        await pool.execute(
            "INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')", session, user
        )
    return pairs


async def test_each_gets_its_own_answer(pool: Pool, signed_in: list[tuple[UUID, UUID]]) -> None:
    accounts = Accounts()
    disabled, revoked, *standing = signed_in
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", disabled[0])
    await pool.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1", revoked[1])
    stranger = (standing[0][0], standing[1][1])  # a session of somebody else
    asked = [disabled, revoked, stranger, *standing] * 20
    found = await asyncio.gather(*[accounts.standing(pool, *pair) for pair in asked])
    names = [None if answer is None else answer.username for answer in found]
    assert names == [None, None, None, "user-2", "user-3", "user-4"] * 20


class SlowAnswers:
    """The pool, with answers that stay on their way for as long as we like: no real network does that on demand."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.asked = 0
        self.under_way = asyncio.Event()
        self.arrive = asyncio.Event()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Ask at once, answer later."""
        rows: list[asyncpg.Record] = await self._pool.fetch(sql, *values)
        self.asked += 1
        self.under_way.set()
        await self.arrive.wait()
        return rows


async def test_an_answer_is_never_older_than_its_question(pool: Pool, signed_in: list[tuple[UUID, UUID]]) -> None:
    """Who asks while an answer is on its way does not get that one."""
    accounts, slow = Accounts(), SlowAnswers(pool)
    user, session = signed_in[0]
    before = asyncio.create_task(accounts.standing(slow, user, session))  # type: ignore[arg-type]
    await slow.under_way.wait()
    await pool.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1", session)
    after = [asyncio.create_task(accounts.standing(slow, user, session)) for _ in range(10)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    slow.arrive.set()
    assert await before is not None
    assert await asyncio.gather(*after) == [None] * 10
    assert slow.asked == 2


async def test_a_client_that_hangs_up_and_a_database_that_fails_harm_nobody_else(
    pool: Pool, signed_in: list[tuple[UUID, UUID]]
) -> None:
    accounts = Accounts()
    user, session = signed_in[0]
    gone = asyncio.create_task(accounts.standing(pool, user, session))
    stays = asyncio.create_task(accounts.standing(pool, user, session))
    await asyncio.sleep(0)
    gone.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    assert await stays is not None

    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        asked = [asyncio.create_task(accounts.standing(pool, user, session)) for _ in range(3)]
        stopped: list[asyncpg.Record] = []
        while not stopped:
            stopped = await pool.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
    assert len(stopped) == 1, "one look for all three"
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert all(
        isinstance(failure, asyncpg.PostgresConnectionError | OSError | asyncpg.PostgresError) for failure in failures
    )
    assert await accounts.standing(pool, user, session) is not None
