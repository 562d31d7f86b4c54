"""Errors as RFC 9457 problem documents: one function maps whatever was raised.

Every document has `type`, `title`, `status`, `code`, `detail`, `instance` and `request_id`; a wrong request also has
`errors`, a list of `{field, message}`. What we did not foresee says nothing of our inside: the log has it, under the
same request id.
"""

from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler

from services.api.wording import field_and_words
from shared.errors import ClinAIError, Invalid, PlatformFault, RequestError, clip_message
from shared.tracing import current_traceparent

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2

CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    503: "UNAVAILABLE",
}
"""Codes of statuses that the framework itself answers."""

_NO_DATABASE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of a query
    OSError,
    TimeoutError,
)
_NOT_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document (RFC 9457); `code` is for programs, `detail` for people."""

    title: str
    status: int
    code: str
    detail: str
    instance: str
    request_id: str
    type: str = msgspec.field(default_factory=lambda: "about:blank")
    errors: list[FieldError] = []


class InvalidField(Invalid):
    """A field of the request is not as it should be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.fields = [FieldError(field, message)]


def request_id() -> str:
    """The id that follows this request through logs, events and containers: its trace id (32 hex digits)."""
    return current_traceparent().split("-")[1]


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn any exception into a problem document; the only place where errors meet HTTP."""
    status, code, detail, headers, fields = _read(error)
    if status == 413 and isinstance(error, HTTPException) and (limit := _body_bytes_max(request)):
        detail = f"The body of the request is larger than the {limit} bytes that this route takes."
    if status >= 500:
        _log(error, status)
    document = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=clip_message(detail),
        instance=request.url.path,
        request_id=request_id(),
        errors=fields,
    )
    return Response(msgspec.json.encode(document), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _body_bytes_max(request: Request[Any, Any, Any]) -> int | None:
    handler = request.scope.get("route_handler")
    return handler.resolve_request_max_body_size() if isinstance(handler, HTTPRouteHandler) else None


_Read = tuple[int, str, str, dict[str, str], list[FieldError]]


def _read(error: Exception) -> _Read:
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return _read(error.exceptions[0])
    if isinstance(error, ClinAIError):
        return _ours(error)
    if isinstance(error, HTTPException):
        return _framework(error)
    if isinstance(error, _NOT_TEXT):
        return 400, "INVALID_REQUEST", "A text in the request has a character (U+0000) that cannot be kept.", {}, []
    if isinstance(error, RecursionError) and "deserializing" in str(error):  # msgspec's words
        return 400, "INVALID_REQUEST", "The JSON of the body is nested too deeply.", {}, []
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return 409, "CONFLICT", "An object that the request names was deleted in the meantime.", {}, []
    if isinstance(error, _NO_DATABASE):
        detail = "A part of the platform does not answer right now; try again in a few seconds."
        return 503, "UNAVAILABLE", detail, {"Retry-After": str(RETRY_AFTER_S)}, []
    detail = "Something went wrong inside the platform; the operator finds the reason in the log under this request id."
    return 500, "INTERNAL_ERROR", detail, {}, []


def _ours(error: ClinAIError) -> _Read:
    headers: dict[str, str] = {}
    if isinstance(error, RequestError):
        headers |= error.headers
    if error.http_status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="clinai"')
    code = str(error.code)
    if isinstance(error, PlatformFault):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
        code = "UNAVAILABLE"
    return error.http_status, code, error.message, headers, getattr(error, "fields", [])


def _framework(error: HTTPException) -> _Read:
    status = error.status_code
    headers = dict(error.headers or {})
    code = CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    if isinstance(error, ValidationException) and isinstance(error.extra, list) and error.extra:
        fields = [
            FieldError(*field_and_words(str(item.get("key", "")), str(item.get("message", "")))) for item in error.extra
        ]
        named = "; ".join(f"{f.field}: {f.message}" if f.field else f.message for f in fields)
        return status, code, named, headers, fields
    if status == 404:
        return status, code, "There is nothing at this address; /docs lists every route.", headers, []
    if status == 413:
        return status, code, "The body of the request is larger than this route takes.", headers, []
    if status == 405:
        taken = headers.get("allow", "others")  # the framework's spelling
        return status, code, f"This address does not take that method; it takes {taken}.", headers, []
    if status >= 500:
        return status, code, "Something went wrong inside the platform.", headers, []
    return status, code, error.detail, headers, []


def _log(error: Exception, status: int) -> None:
    if status == 503:
        log.warning("a part does not answer", error=repr(error))
    else:
        log.error("unforeseen error", exc_info=error)
