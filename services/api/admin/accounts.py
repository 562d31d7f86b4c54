"""Accounts that the operator makes or mends from the command line; the rules are those of registration."""

from uuid import UUID

from services.api.users.passwords import Passwords
from services.api.users.rules import check_email, check_password, check_username
from shared.db import Pool, load_queries
from shared.errors import Conflict, NotFound
from shared.ids import new_id
from shared.statuses import Role

_queries = load_queries("admin")
_users = load_queries("users")

FIRST_OPERATOR = "admin"


async def find(pool: Pool, username: str) -> UUID:
    """Return an account's id; raises NotFound."""
    row = await _users.find_by_name(pool, username=username)
    if row is None:
        raise NotFound(f"There is no user {username}.")
    id_: UUID = row["id"]
    return id_


async def create_operator(pool: Pool, username: str, email: str, password: str) -> UUID:
    """Make an account with the operator's role; raises Invalid, or Conflict when name or address are taken."""
    check_username(username)
    address = check_email(email or f"{username}@localhost")
    hashed = await Passwords().hash(check_password(password))
    row = await _users.add_user(
        pool, id=new_id(), username=username, email=address, hashed_password=hashed, role=Role.ADMIN
    )
    if row is None:
        raise Conflict(
            f"{username} or {address} is taken; choose another name or --email, or change that account's role"
        )
    id_: UUID = row["id"]
    return id_


async def set_password(pool: Pool, username: str, password: str) -> None:
    """Set a password and end every session; raises NotFound or Invalid."""
    user_id = await find(pool, username)
    hashed = await Passwords().hash(check_password(password))
    async with pool.acquire() as connection, connection.transaction():
        await _users.set_password(connection, id=user_id, hashed_password=hashed)
        await _queries.end_sessions(connection, id=user_id)
        await _queries.end_tickets(connection, id=user_id)
