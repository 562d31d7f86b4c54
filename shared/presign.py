"""Presigned S3 URLs (AWS Signature Version 4, query form), made without network.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. The general client does the same
in four times the time, and a page of outputs is nothing but signatures; a test compares the two.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": 80, "https": 443}
TEXTS_KNOWN = 1024
"""Texts whose quoted form is kept; nearly all that a URL is made of comes again in the next one."""


class Signer:
    """Signs URLs with one key pair for one region; one for the process."""

    def __init__(self, access_key: str, secret_key: str, region: str) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._day = ""
        self._day_key = b""

    def sign(
        self,
        method: str,
        origin: str,
        path: str,
        *,
        expires_s: int,
        query: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> str:
        """Return `origin` + `path` with a signature that holds for `expires_s` seconds.

        It holds from `now`, in seconds since 1970 (default: when it is made). `path` is quoted already and begins with
        the bucket; no header but Host is signed, and the body is not.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = moment[:8]
        scope = f"{day}/{self._region}/s3/aws4_request"
        fields = {
            **(query or {}),
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self._access_key}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": "host",
        }
        fields_text = "&".join(f"{_quoted(name)}={_quoted(fields[name])}" for name in sorted(fields))
        request = f"{method}\n{path}\n{fields_text}\nhost:{_host(origin)}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = hmac.digest(self._key(day), f"{ALGORITHM}\n{moment}\n{scope}\n{digest}".encode(), "sha256").hex()
        return f"{origin}{path}?{fields_text}&X-Amz-Signature={signature}"

    def _key(self, day: str) -> bytes:
        """The signing key of a day; derived once."""
        if day != self._day:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._day_key = day, key
        return self._day_key


@lru_cache(maxsize=TEXTS_KNOWN)
def _quoted(text: str) -> str:
    """A name or a value as it stands in a query."""
    return quote(text, safe="")


@lru_cache(maxsize=TEXTS_KNOWN)
def _host(origin: str) -> str:
    """What a client will send as Host: lower case, without the scheme's own port."""
    parts = urlsplit(origin)
    name = parts.hostname or ""
    if ":" in name:
        name = f"[{name}]"
    port = parts.port
    return name if port is None or port == DEFAULT_PORTS.get(parts.scheme) else f"{name}:{port}"
