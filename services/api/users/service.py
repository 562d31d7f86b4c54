"""Accounts and sessions: what the routes of /api/users do."""

import asyncio
import hashlib
import secrets
from uuid import UUID

import structlog

from services.api.context import Context, User
from services.api.ratelimit import MovingWindow
from services.api.security import issue_token
from services.api.users.passwords import Passwords
from services.api.users.rules import check_email, check_password, check_username
from services.api.users.schemas import Account, ChangePassword, Login, Me, Register, SessionInfo
from shared import settings
from shared.db import Row, load_queries
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from shared.ids import new_id
from shared.statuses import Role

log = structlog.get_logger()
_queries = load_queries("users")

RETRY_GRACE_S = 10.0
"""A refresh token that was just used may come once more: its answer got lost (docs/decisions/0007)."""
LOCKS = 64


class Issued:
    """Tokens of one sign-in or refresh; `refresh_token` exists nowhere else from now on."""

    def __init__(self, access_token: str, refresh_token: str) -> None:
        self.access_token = access_token
        self.refresh_token = refresh_token


class UserService:
    """One for the process: it holds the counts of failed logins."""

    def __init__(self, auth: settings.Auth) -> None:
        self._auth = auth
        self._passwords = Passwords()
        self._registrations = MovingWindow("registrations from this address", auth.register_per_minute, 60.0)
        self._failures = MovingWindow("failed logins", auth.login_failures_per_minute, 60.0)
        self._locks = [asyncio.Lock() for _ in range(LOCKS)]

    # -- accounts -------------------------------------------------------------------------------------------------

    async def register(self, context: Context, body: Register, address: str) -> Account:
        """Make an account; raises Invalid, Conflict (USERNAME_TAKEN, EMAIL_TAKEN) or RateLimited."""
        check_username(body.username)
        check_email(body.email)
        check_password(body.password)
        self._registrations.hit(address)
        await self._refuse_taken(context, body)
        row = await _queries.add_user(
            context.pool,
            id=new_id(),
            username=body.username,
            email=body.email,
            hashed_password=await self._passwords.hash(body.password),
            role=Role.USER.value,
        )
        if row is None:  # somebody took it while we were hashing
            await self._refuse_taken(context, body)
            raise Conflict("This account was made and removed in the same moment; try again.")
        log.info("account made", account=str(row["id"]))
        return Account(row["id"], row["username"], row["email"], row["created_at"])

    async def _refuse_taken(self, context: Context, body: Register) -> None:
        taken = await _queries.taken(context.pool, username=body.username, email=body.email)
        if taken["username"]:
            raise Conflict(f"username: {body.username!r} is taken; choose another one.", code="USERNAME_TAKEN")
        if taken["email"]:
            raise Conflict("email: another account has this address; sign in instead.", code="EMAIL_TAKEN")

    async def me(self, context: Context, user: User) -> Me:
        """The account of the signed-in user."""
        row = await _queries.get_user(context.pool, id=user.id)
        if row is None:
            raise Unauthorized("This account is gone.")
        return Me(row["id"], row["username"], row["email"], Role(row["role"]), row["created_at"])

    async def change_password(self, context: Context, user: User, body: ChangePassword, address: str) -> None:
        """Set a new password and end every other session; raises Invalid (WRONG_PASSWORD) or RateLimited."""
        check_password(body.new_password, "new_password")
        row = await _queries.get_user(context.pool, id=user.id)
        if row is None:
            raise Unauthorized("This account is gone.")
        if not await self._is_right(row, row["username"], body.current_password, address):
            raise Invalid("current_password: this is not the password of the account.", code="WRONG_PASSWORD")
        hashed = await self._passwords.hash(body.new_password)
        async with context.pool.acquire() as connection, connection.transaction():
            await _queries.set_password(connection, id=user.id, hashed_password=hashed)
            async for _ in _queries.revoke_other_sessions(connection, user_id=user.id, keep=user.session_id):
                pass
        log.info("password changed; other sessions ended")

    # -- signing in and out ---------------------------------------------------------------------------------------

    async def login(self, context: Context, body: Login, *, address: str, user_agent: str) -> Issued:
        """Start a session; raises Unauthorized (INVALID_CREDENTIALS), Forbidden (disabled) or RateLimited."""
        row = None if "\0" in body.username else await _queries.find_by_name(context.pool, username=body.username)
        if not await self._is_right(row, body.username, body.password, address):
            raise Unauthorized("Name or password is wrong.", code="INVALID_CREDENTIALS")
        assert row is not None
        if row["disabled_at"] is not None:
            raise Forbidden("The operator has disabled this account.", code="ACCOUNT_DISABLED")
        if self._passwords.is_outdated(row["hashed_password"]):
            hashed = await self._passwords.hash(body.password)
            await _queries.set_password(context.pool, id=row["id"], hashed_password=hashed)
        user = User(row["id"], row["username"], Role(row["role"]), new_id())
        refresh_token, token_hash = _new_token()
        async with context.pool.acquire() as connection, connection.transaction():
            await _queries.forget_sessions(connection, user_id=user.id)
            await _queries.add_session(
                connection,
                id=user.session_id,
                user_id=user.id,
                user_agent=user_agent.replace("\0", "")[:512],
                address=address,
                refresh_s=float(self._auth.refresh_token_s),
            )
            await _queries.add_refresh_token(connection, token_hash=token_hash, session_id=user.session_id)
        return Issued(issue_token(self._auth, user), refresh_token)

    async def _is_right(self, row: Row | None, username: str, password: str, address: str) -> bool:
        """Check a password, counting failures per account and address.

        Attempts at one account from one address come one after the other: else many at once would all pass the count.
        """
        # the account itself where there is one: no other way of writing its name gives further attempts
        key = f"{row['id'] if row else username.lower()}\n{address}"
        async with self._locks[hash(key) % LOCKS]:
            self._failures.check(key)
            right = await self._passwords.verify(row["hashed_password"] if row else None, password[:4096])
            if not right:
                self._failures.count(key)
                log.info("wrong password", address=address)
        return right

    async def refresh(self, context: Context, token: str, *, address: str) -> Issued:
        """Trade a refresh token for the next one.

        A used token that comes again ends the session, since somebody has a copy; within `RETRY_GRACE_S` it is taken
        for a retry whose answer was lost, and the token of that answer is used up. Raises Unauthorized.
        """
        token_hash = _hash(token)
        next_token, next_hash = _new_token()
        async with context.pool.acquire() as connection, connection.transaction():
            session = await _queries.lock_session_of_token(connection, token_hash=token_hash)
            use = await _queries.token_use(connection, token_hash=token_hash, grace_s=RETRY_GRACE_S)
            stolen = session is not None and use["used"] and not use["just_now"]
            if stolen:
                await _queries.revoke_session(connection, session_id=session["session_id"], user_id=session["user_id"])
            elif session is not None and session["live"]:
                parameters = {"session_id": session["session_id"]}
                await _queries.use_refresh_tokens(connection, **parameters)
                await _queries.add_refresh_token(connection, token_hash=next_hash, **parameters)
                refresh_s = float(self._auth.refresh_token_s)
                await _queries.touch_session(connection, address=address, refresh_s=refresh_s, **parameters)
                await _queries.forget_tokens(connection, keep_s=refresh_s, **parameters)
        if stolen and session["live"]:
            log.warning("a used refresh token came again; session ended", session=str(session["session_id"]))
        if session is None or stolen or not session["live"]:
            raise Unauthorized("The session has ended; sign in again.", code="SESSION_ENDED")
        user = User(session["user_id"], session["username"], Role(session["role"]), session["session_id"])
        return Issued(issue_token(self._auth, user), next_token)

    async def logout(self, context: Context, user: User | None, refresh_token: str | None) -> None:
        """End the session of the access token or of the refresh token; one that has ended already is fine."""
        if user is not None:
            await _queries.revoke_session(context.pool, session_id=user.session_id, user_id=user.id)
        if refresh_token:
            await _queries.revoke_session_of_token(context.pool, token_hash=_hash(refresh_token))

    # -- sessions -------------------------------------------------------------------------------------------------

    async def sessions(self, context: Context, user: User) -> list[SessionInfo]:
        """Signed-in devices, last used first."""
        return [
            SessionInfo(**row, current=row["id"] == user.session_id)
            async for row in _queries.list_sessions(context.pool, user_id=user.id)
        ]

    async def end_session(self, context: Context, user: User, session_id: UUID) -> None:
        """End one; raises NotFound when the user has no such session."""
        if await _queries.revoke_session(context.pool, session_id=session_id, user_id=user.id) is None:
            raise NotFound("There is no such session, or it has ended already.")

    async def end_all_sessions(self, context: Context, user: User) -> None:
        """Sign out everywhere, here too."""
        async for _ in _queries.revoke_other_sessions(context.pool, user_id=user.id, keep=None):
            pass


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _new_token() -> tuple[str, bytes]:
    """A refresh token of 32 random bytes, and the hash to keep."""
    token = secrets.token_urlsafe(32)
    return token, _hash(token)
