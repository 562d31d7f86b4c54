"""Request bodies of routes that read them by hand, for the OpenAPI document."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

TEXT = Schema(type=OpenAPIType.STRING)
PASSWORD = Schema(type=OpenAPIType.STRING, min_length=8, max_length=1024)
FORM = "application/x-www-form-urlencoded"


def body(properties: dict[str, Schema], required: list[str], *media_types: str, example: dict[str, Any]) -> RequestBody:
    """An object body in these media types."""
    schema = Schema(type=OpenAPIType.OBJECT, properties=dict(properties), required=required, example=example)
    return RequestBody({kind: OpenAPIMediaType(schema) for kind in media_types}, required=bool(required))


REGISTER = body(
    {
        "username": Schema(type=OpenAPIType.STRING, pattern="^[A-Za-z0-9._-]{3,64}$"),
        "email": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.EMAIL, max_length=254),
        "password": PASSWORD,
    },
    ["username", "email", "password"],
    "application/json",
    FORM,
    example={"username": "ada", "email": "ada@example.com", "password": "correct-horse-battery"},
)
LOGIN = body(
    {
        "username": TEXT,
        "password": PASSWORD,
        "session": Schema(type=OpenAPIType.STRING, enum=["token", "cookie"], default="token"),
    },
    ["username", "password"],
    "application/json",
    FORM,
    example={"username": "ada", "password": "correct-horse-battery"},
)
REFRESH = body({"refresh_token": TEXT}, [], "application/json", FORM, example={"refresh_token": "…"})


@dataclass
class RegisterBody(Operation):
    """POST /api/users/register."""

    def __post_init__(self) -> None:
        self.request_body = REGISTER


@dataclass
class LoginBody(Operation):
    """POST /api/users/login."""

    def __post_init__(self) -> None:
        self.request_body = LOGIN


@dataclass
class RefreshBody(Operation):
    """POST /api/users/refresh and logout."""

    def __post_init__(self) -> None:
        self.request_body = REFRESH
