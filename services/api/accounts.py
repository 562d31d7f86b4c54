"""Whether account and session of a request still stand (docs/decisions/0007): one look for all who ask at once.

Requests that come while a look is under way wait for the next one, so that no answer is older than its request, and a
thousand requests a second cost a few hundred queries.
"""

import asyncio
from uuid import UUID

import msgspec

from shared.db import Pool, load_queries
from shared.statuses import Role

_queries = load_queries("users")

_Key = tuple[UUID, UUID]


class Standing(msgspec.Struct, frozen=True):
    """What the database says of an account now."""

    username: str
    role: Role


_Answer = asyncio.Future[Standing | None]


class Accounts:
    """Asks the database; one for the process."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[_Answer]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def standing(self, pool: Pool, user_id: UUID, session_id: UUID) -> Standing | None:
        """Return name and role as they are now; None when account or session have ended.

        Raises what the database raises.
        """
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((user_id, session_id), []).append(answer)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(pool), name="accounts")
        return await answer

    async def _ask(self, pool: Pool) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    found = await _look(pool, list(asked))
                except Exception as error:
                    for _, answer in _who_wait(asked):
                        answer.set_exception(error)
                else:
                    for key, answer in _who_wait(asked):
                        answer.set_result(found.get(key))
        finally:
            self._asking = None


async def _look(pool: Pool, keys: list[_Key]) -> dict[_Key, Standing]:
    users, sessions = [key[0] for key in keys], [key[1] for key in keys]
    return {
        keys[row["place"] - 1]: Standing(row["username"], Role(row["role"]))
        async for row in _queries.accounts_now(pool, user_ids=users, session_ids=sessions)
        if row["live"]
    }


def _who_wait(asked: dict[_Key, list[_Answer]]) -> list[tuple[_Key, _Answer]]:
    """Those who still wait: a client that hung up does not."""
    return [(key, answer) for key, answers in asked.items() for answer in answers if not answer.done()]
