"""The one error tree. Every error knows its code, its HTTP status and whether a retry can help.

ClinAIError
├── RequestError          what a client asked cannot be done (4xx)
│   ├── NotFound, Forbidden, Unauthorized, Conflict, Invalid, TooLarge, RateLimited
├── WorkError             an object reached a bad end that is the user's to mend; never retried
│   ├── PackageError      (PackageCode)
│   ├── BuildError        (BuildCode)
│   └── JobError          (JobCode)
├── LostLease             somebody newer owns the object; the result is discarded
└── PlatformFault         a part of the platform failed; a retry can help
"""

from shared.codes import BuildCode, JobCode, PackageCode

MESSAGE_BYTES_MAX = 4096


def clip_message(text: str, limit: int = MESSAGE_BYTES_MAX) -> str:
    """Cut `text` to at most `limit` UTF-8 bytes, keeping head and tail; NUL becomes U+FFFD for Postgres."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    raw = text.encode()
    if len(raw) <= limit:
        return text
    half = (limit - 16) // 2
    head, tail = raw[:half].decode(errors="ignore"), raw[-half:].decode(errors="ignore")
    return f"{head}\n[… cut …]\n{tail}"[:limit]


class ClinAIError(Exception):
    """Something went wrong in ClinAI."""

    code: str = "INTERNAL_ERROR"
    http_status: int = 500
    retryable: bool = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


class RequestError(ClinAIError):
    """The request cannot be carried out."""

    code = "BAD_REQUEST"
    http_status = 400

    def __init__(
        self, message: str | None = None, *, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.headers = headers or {}


class Invalid(RequestError):
    """A field of the request is not as it should be."""

    code = "INVALID_REQUEST"
    http_status = 400


class Unauthorized(RequestError):
    """Sign in first: the request has no valid access token."""

    code = "UNAUTHORIZED"
    http_status = 401


class Forbidden(RequestError):
    """This account may not do that."""

    code = "FORBIDDEN"
    http_status = 403


class NotFound(RequestError):
    """There is no such object, or it is not yours."""

    code = "NOT_FOUND"
    http_status = 404


class Conflict(RequestError):
    """The object is not in a state that allows this."""

    code = "CONFLICT"
    http_status = 409


class TooLarge(RequestError):
    """The upload is larger than the limit."""

    code = "TOO_LARGE"
    http_status = 413


class RateLimited(RequestError):
    """Too many requests; wait and try again."""

    code = "RATE_LIMITED"
    http_status = 429


class WorkError(ClinAIError):
    """The work ended badly for a reason the user can mend."""

    http_status = 422

    def __init__(self, code: PackageCode | BuildCode | JobCode, message: str) -> None:
        super().__init__(clip_message(message))
        self.code = code


class PackageError(WorkError):
    """The package is not as docs/packages.md describes."""

    def __init__(self, code: PackageCode, message: str) -> None:
        super().__init__(code, message)


class BuildError(WorkError):
    """The build of a version failed."""

    def __init__(self, code: BuildCode, message: str) -> None:
        super().__init__(code, message)


class JobError(WorkError):
    """The job failed in the model's hands."""

    def __init__(self, code: JobCode, message: str) -> None:
        super().__init__(code, message)


class LostLease(ClinAIError):
    """Somebody newer owns this object; this worker's result is discarded."""

    code = "LOST_LEASE"


class PlatformFault(ClinAIError):
    """A part of the platform failed; the work is tried again until its deadline."""

    code = "PLATFORM_ERROR"
    http_status = 503
    retryable = True
