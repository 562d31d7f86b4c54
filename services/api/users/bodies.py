"""Bodies that may be JSON or a form; a handler that declares a Struct would answer a form with 400."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from services.api.problems import InvalidField
from services.api.wording import field_and_words
from shared.errors import Invalid, RequestError

T = TypeVar("T")

SECRETS = ("username", "password", "current_password", "new_password", "refresh_token", "access_token", "token")


def refuse_secrets_in_url(request: Request[Any, Any, Any]) -> None:
    """Raise Invalid when credentials are in the query string: URLs end up in logs and histories."""
    if found := [name for name in SECRETS if name in request.query_params]:
        raise Invalid(
            f"{found[0]}: credentials never go into the URL, where logs keep them; send them in the body. "
            "Change this password if it was a real one."
        )


async def read_body(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """Read a JSON body or a form into a Struct; an empty body is an empty object.

    Raises Invalid naming the field, or 415 for any other content type.
    """
    refuse_secrets_in_url(request)
    content_type = request.content_type[0].lower()
    if content_type == "multipart/form-data":
        values = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        return _convert(values, kind)
    body = await request.body()
    if not body.strip():
        return _convert({}, kind)
    if content_type == "application/x-www-form-urlencoded":
        try:
            return _convert(dict(parse_qsl(body.decode(), keep_blank_values=True)), kind)
        except UnicodeDecodeError:
            raise Invalid("The form is not UTF-8.") from None
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        raise _Unsupported(f"Content-Type {content_type} is not read here; send application/json or a form.")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise field_of(error) from None
    except msgspec.DecodeError as error:
        raise Invalid(f"The body is not JSON: {error}") from None


class _Unsupported(RequestError):
    """The body is of a type that is not read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415


def _convert(values: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise field_of(error) from None


def field_of(error: msgspec.ValidationError) -> Invalid:
    """Name the field: msgspec says `Expected `str`, got `int` - at `$.username`` or `missing required field `x``."""
    message, _, place = str(error).partition(" - at `$.")
    return InvalidField(*field_and_words(place.rstrip("`") or "data", message))
