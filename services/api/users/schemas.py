"""What accounts and tokens look like outside."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.statuses import Role


class Register(msgspec.Struct, frozen=True):
    """A new account."""

    username: Annotated[str, Meta(description="3 to 64 of A-Z a-z 0-9 . _ -; case does not tell names apart")]
    email: Annotated[str, Meta(description="At most 254 characters")]
    password: Annotated[str, Meta(description="8 to 1024 characters")]


class Login(msgspec.Struct, frozen=True):
    """Name and password; JSON or a form."""

    username: str
    password: str
    session: Annotated[
        Literal["token", "cookie"],
        Meta(description="`cookie`: the refresh token goes into an HttpOnly cookie instead of the answer"),
    ] = "token"


class Refresh(msgspec.Struct, frozen=True):
    """The refresh token, unless it is in the cookie."""

    refresh_token: str | None = None


class ChangePassword(msgspec.Struct, frozen=True):
    """The password as it is and as it shall be."""

    current_password: str
    new_password: Annotated[str, Meta(description="8 to 1024 characters")]


class Account(msgspec.Struct, frozen=True):
    """An account just made."""

    id: UUID
    username: str
    email: str
    created_at: datetime


class Me(msgspec.Struct, frozen=True):
    """The signed-in account."""

    id: UUID
    username: str
    email: str
    role: Role
    created_at: datetime


class Tokens(msgspec.Struct):
    """An access token, and how to get the next one."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds until the access token expires")]
    refresh_token: Annotated[str | UnsetType, Meta(description="Absent when it is in the cookie")] = UNSET


class SessionInfo(msgspec.Struct, frozen=True):
    """A signed-in device."""

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class Sessions(msgspec.Struct, frozen=True):
    """Signed-in devices, last used first."""

    items: list[SessionInfo]
    next_cursor: None = None
