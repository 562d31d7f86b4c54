"""The routes of /api/users."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from services.api.context import Context, User
from services.api.injected import OpenContext, SignedIn
from services.api.quota import Usage, usage
from services.api.security import bearer_user
from services.api.users import documents
from services.api.users.bodies import read_body, refuse_secrets_in_url
from services.api.users.schemas import (
    Account,
    ChangePassword,
    Login,
    Me,
    Refresh,
    Register,
    Sessions,
    Tokens,
)
from services.api.users.service import Issued, UserService
from shared.errors import Forbidden, Unauthorized

COOKIE = "clinai_refresh"
COOKIE_PATH = "/api/users"
PUBLIC: dict[str, Any] = {"public": True}

ApiRequest = Request[User, None, State]


class UserController(Controller):
    """Accounts, tokens and signed-in devices."""

    path = "/api/users"
    tags = ("users",)

    @post(
        "/register",
        operation_id="register",
        summary="Make an account",
        opt=PUBLIC,
        security=[{}],
        responses={201: ResponseSpec(Account)},
        operation_class=documents.RegisterBody,
    )
    async def register(self, request: ApiRequest, context: OpenContext) -> Account:
        """409 USERNAME_TAKEN or EMAIL_TAKEN when somebody has it already (case does not count)."""
        body = await read_body(request, Register)
        return await _service(request).register(context, body, _address(request))

    @post(
        "/login",
        operation_id="login",
        status_code=200,
        summary="Sign in",
        opt=PUBLIC,
        security=[{}],
        operation_class=documents.LoginBody,
    )
    async def login(self, request: ApiRequest, context: OpenContext) -> Response[Tokens]:
        """JSON or a form, never the URL. With `"session": "cookie"` the refresh token goes into an HttpOnly cookie."""
        body = await read_body(request, Login)
        issued = await _service(request).login(
            context, body, address=_address(request), user_agent=request.headers.get("user-agent", "")
        )
        return _answer(context, issued, in_cookie=body.session == "cookie")

    @post(
        "/refresh",
        operation_id="refresh",
        status_code=200,
        summary="Get the next access token",
        opt=PUBLIC,
        security=[{}],
        operation_class=documents.RefreshBody,
    )
    async def refresh(self, request: ApiRequest, context: OpenContext) -> Response[Tokens]:
        """The refresh token comes in the body, or in the cookie with an empty body; each works once.

        A used one that comes again ends the session (401 SESSION_ENDED).
        """
        body = await read_body(request, Refresh)
        token, in_cookie = body.refresh_token, False
        if token is None:
            token, in_cookie = _cookie(request), True
        if not token:
            raise Unauthorized("There is no refresh token, neither in the body nor in the cookie; sign in again.")
        issued = await _service(request).refresh(context, token, address=_address(request))
        return _answer(context, issued, in_cookie=in_cookie)

    @post(
        "/logout",
        operation_id="logout",
        status_code=204,
        summary="Sign out on this device",
        opt=PUBLIC,
        security=[{}, {"token": []}],
        operation_class=documents.RefreshBody,
    )
    async def logout(self, request: ApiRequest, context: OpenContext) -> Response[None]:
        """End the session of the access token, of the refresh token in the body, or of the cookie; always 204."""
        body = await read_body(request, Refresh)
        try:
            user = bearer_user(context.auth, request.scope)
        except Unauthorized:
            user = None  # too old to be read; the refresh token tells whose session it is
        await _service(request).logout(context, user, body.refresh_token or _cookie(request))
        return _without_cookie(context)

    @get("/me", operation_id="get_me", summary="The signed-in account")
    async def get_me(self, request: ApiRequest, context: OpenContext, user: SignedIn) -> Me:
        """Read it."""
        return await _service(request).me(context, user)

    @get("/me/usage", operation_id="get_usage", summary="What my models take on disk")
    async def get_usage(self, context: OpenContext, user: SignedIn) -> Usage:
        """Packages and images, and the operator's quota for both together."""
        return await usage(context, user.id)

    @post("/me/password", operation_id="change_password", status_code=204, summary="Change the password")
    async def change_password(
        self, request: ApiRequest, context: OpenContext, user: SignedIn, data: JSONBody[ChangePassword]
    ) -> None:
        """Every other session ends; 400 WRONG_PASSWORD when `current_password` is not right."""
        refuse_secrets_in_url(request)
        await _service(request).change_password(context, user, data, _address(request))

    @get("/me/sessions", operation_id="list_sessions", summary="Devices that are signed in")
    async def list_sessions(self, request: ApiRequest, context: OpenContext, user: SignedIn) -> Sessions:
        """Last used first; `current` marks the one that asks."""
        return Sessions(await _service(request).sessions(context, user))

    @delete("/me/sessions", operation_id="end_sessions", summary="Sign out everywhere")
    async def end_sessions(self, request: ApiRequest, context: OpenContext, user: SignedIn) -> Response[None]:
        """This device is signed out too."""
        await _service(request).end_all_sessions(context, user)
        return _without_cookie(context)

    @delete("/me/sessions/{session_id:uuid}", operation_id="end_session", summary="Sign a device out")
    async def end_session(
        self, request: ApiRequest, context: OpenContext, user: SignedIn, session_id: FromPath[UUID]
    ) -> None:
        """404 when the user has no such session."""
        await _service(request).end_session(context, user, session_id)


def _service(request: ApiRequest) -> UserService:
    service: UserService = request.app.state.users
    return service


def _address(request: ApiRequest) -> str:
    return request.client.host if request.client else ""


def _cookie(request: ApiRequest) -> str | None:
    """The refresh token of the cookie; raises Forbidden when another site's page makes the browser send it.

    SameSite=Strict keeps other sites out already, but a page on another port of this host is the same site.
    """
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    foreign = (
        site not in ("same-origin", "none")
        if site
        else origin and origin.partition("://")[2] != request.headers.get("host")
    )
    if foreign:
        raise Forbidden("The cookie is for pages of this origin only.")
    return token


def _answer(context: Context, issued: Issued, *, in_cookie: bool) -> Response[Tokens]:
    tokens = Tokens(issued.access_token, "bearer", context.auth.access_token_s)
    if not in_cookie:
        tokens.refresh_token = issued.refresh_token
        return Response(tokens, headers={"Cache-Control": "no-store"})
    cookie = _make_cookie(context, issued.refresh_token, context.auth.refresh_token_s)
    return Response(tokens, cookies=[cookie], headers={"Cache-Control": "no-store"})


def _without_cookie(context: Context) -> Response[None]:
    return Response(None, status_code=204, cookies=[_make_cookie(context, "", 0)])


def _make_cookie(context: Context, value: str, max_age: int) -> Cookie:
    return Cookie(
        COOKIE,
        value=value,
        max_age=max_age,
        path=COOKIE_PATH,
        httponly=True,
        samesite="strict",
        secure=context.auth.cookie_secure,
    )
