"""Who sends a request: access tokens (JWT, HS256, short-lived) and the gate before every route.

The gate is closed by default: a route without `opt={"public": True}` needs a token. A token that is good says who
claims to come; one look into the database says whether account and session still stand and what the role is now, so
that ending a session, disabling an account or changing a role holds at once (docs/decisions/0007).
"""

import time
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
import msgspec
import structlog
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from services.api.accounts import Accounts
from services.api.context import Context, User
from services.api.gateway import Gateway
from services.api.ratelimit import MovingWindow
from shared.errors import Forbidden, PlatformFault, Unauthorized
from shared.settings import Auth
from shared.statuses import Role

ALGORITHM = "HS256"
ISSUER = "clinai"
TOKENS_KNOWN = 4096
"""Tokens whose signature is not checked again; most clients send one token many times."""
CLAIMS = ["sub", "sid", "role", "name", "exp", "iat", "iss"]


def issue_token(auth: Auth, user: User) -> str:
    """Return an access token for a signed-in device; it is valid for `auth.access_token_s` seconds."""
    now = int(time.time())
    claims = {
        "sub": str(user.id),
        "sid": str(user.session_id),
        "role": user.role.value,
        "name": user.username,
        "iss": ISSUER,
        "iat": now,
        "exp": now + auth.access_token_s,
    }
    return jwt.encode(claims, auth.secret_key, algorithm=ALGORITHM)


def read_token(auth: Auth, token: str) -> User:
    """Check a token's signature, algorithm, issuer and age; raises Unauthorized saying which it was."""
    user, expires_at = _verified(auth.secret_key, token)
    if expires_at <= time.time():
        raise _expired()
    return user


@lru_cache(maxsize=TOKENS_KNOWN)
def _verified(secret_key: str, token: str) -> tuple[User, int]:
    """Whom a token names and when it expires. A good signature stays good; a token that is not raises each time."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret_key, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": CLAIMS}
        )
        user = User(UUID(claims["sub"]), str(claims["name"]), Role(claims["role"]), UUID(claims["sid"]))
        return user, int(claims["exp"])
    except jwt.ExpiredSignatureError:
        raise _expired() from None
    except (jwt.InvalidTokenError, ValueError):
        raise _refused("The access token is not valid here; sign in again.") from None


def _expired() -> Unauthorized:
    return _refused("The access token has expired; refresh it or sign in again.")


def _refused(detail: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": 'Bearer realm="clinai", error="invalid_token"'})


class Gate(ASGIMiddleware):
    """Lets a request through to its route: the platform is open, the token is valid, the user is not too fast."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._accounts = Accounts()
        self._fast = MovingWindow("requests", gateway.auth.requests_per_second, 1.0)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Set `scope["user"]`, or raise what becomes 401, 429 or 503."""
        options = scope["route_handler"].opt
        if not options.get("always"):
            context = open_context(self._gateway)
            if not options.get("public"):
                user = bearer_user(context.auth, scope)
                structlog.contextvars.bind_contextvars(user=str(user.id))
                self._fast.hit(str(user.id))
                standing = await self._accounts.standing(context.pool, user.id, user.session_id)
                if standing is None:
                    raise _refused("This session has ended; sign in again.")
                scope["user"] = msgspec.structs.replace(user, username=standing.username, role=standing.role)
        await next_app(scope, receive, send)


def bearer_user(auth: Auth, scope: Scope) -> User:
    """Whoever the Authorization header says, by the token alone; raises Unauthorized."""
    kind, _, token = Headers.from_scope(scope).get("authorization", "").partition(" ")
    if not token:
        raise Unauthorized()
    if kind.lower() != "bearer":
        raise Unauthorized(f"Authorization: {kind} is not accepted; send `Authorization: Bearer <access_token>`.")
    return read_token(auth, token.strip())


def open_context(gateway: Gateway) -> Context:
    """The open parts; raises PlatformFault (503) while the platform is still starting."""
    if gateway.context is None:
        missing = ", ".join(gateway.waiting_for) or "its parts"
        raise PlatformFault(f"The platform is starting and waits for {missing}; try again in a few seconds.")
    return gateway.context


def admin_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of operator routes; the role is the one that the gate has just looked up."""
    if not connection.user.is_admin:
        raise Forbidden("This is for operators only.")
