"""S3 requests that jobs are made of, without a general client: PUT, GET, HEAD and DELETE of one object.

The general client spends milliseconds of CPU on each call (models, hooks, checksums); most of a warm job's time on the
host went there (docs/performance.md). Here a request is a URL with a signature in its query (AWS Signature Version 4,
"Authenticating Requests: Using Query Parameters") and one exchange over a kept connection.
"""

import asyncio
import hashlib
import hmac
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from botocore.exceptions import ClientError
from yarl import URL

from shared import settings

TRIES = 3
TRY_AGAIN_S = 0.1
REQUEST_EXPIRES_S = 300
CONNECTIONS = 32
WARN_BYTES = 1 << 20
"""aiohttp wants larger bodies as a file."""


class Signer:
    """Signs URLs without network; the key of the day is derived once."""

    def __init__(self, config: settings.Storage) -> None:
        self._access_key = config.access_key
        self._secret_key = config.secret_key
        self._region = config.region
        self._day = ""
        self._key = b""

    def presign(
        self,
        method: str,
        origin: str,
        path: str,
        *,
        expires_s: int,
        query: dict[str, str] | None = None,
        now: datetime | None = None,
    ) -> str:
        """Return the URL of `path` (`/bucket/key`, not quoted) at `origin` that allows one method until it expires."""
        time = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{self._region}/s3/aws4_request"
        values = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._access_key}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": "host",
            **(query or {}),
        }
        pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in values.items())
        given = "&".join(f"{name}={value}" for name, value in pairs)
        quoted = quote(path, safe="/~")
        host = _host(origin)
        request = f"{method}\n{quoted}\n{given}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self._key_of(time[:8]), text.encode(), hashlib.sha256).hexdigest()
        return f"{origin.rstrip('/')}{quoted}?{given}&X-Amz-Signature={signature}"

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._day, self._key = day, key
        return self._key


def _host(origin: str) -> str:
    """The Host header a client sends: without the port that the scheme implies."""
    parts = urlsplit(origin)
    implied = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts.netloc.lower().removesuffix(implied)


class Objects:
    """Requests about single objects of one bucket. Raises ClientError for what storage refuses, ConnectionError."""

    def __init__(self, session: aiohttp.ClientSession, config: settings.Storage, signer: Signer) -> None:
        self._session = session
        self._origin = config.endpoint
        self._bucket = config.bucket
        self._signer = signer

    @asynccontextmanager
    async def request(
        self, method: str, key: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send and give the answer, its body still unread; a lost connection or a 5xx is tried again."""
        answer = await self._send(method, key, headers or {}, body)
        try:
            yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(f"storage broke off {method} {key}: {error!r}") from error
        finally:
            answer.release()

    async def _send(self, method: str, key: str, headers: dict[str, str], body: bytes | None) -> aiohttp.ClientResponse:
        tries = 0
        while True:
            tries += 1
            url = self._signer.presign(method, self._origin, f"/{self._bucket}/{key}", expires_s=REQUEST_EXPIRES_S)
            data = io.BytesIO(body) if body is not None and len(body) > WARN_BYTES else body
            try:
                answer = await self._session.request(
                    method, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False
                )
            except (aiohttp.ClientError, TimeoutError) as error:
                if tries >= TRIES:
                    raise ConnectionError(f"storage does not answer: {error!r}") from error
            else:
                if answer.status < 300:
                    return answer
                refused = await _refusal(answer, method)
                if answer.status < 500 or tries >= TRIES:
                    raise refused
            await asyncio.sleep(TRY_AGAIN_S * tries)


async def _refusal(answer: aiohttp.ClientResponse, method: str) -> ClientError:
    try:
        text = (await answer.read())[:2000].decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError):
        text = ""
    finally:
        answer.release()
    code = text.partition("<Code>")[2].partition("</Code>")[0] or str(answer.status)
    message = text.partition("<Message>")[2].partition("</Message>")[0] or answer.reason or ""
    about: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": answer.status}}
    return ClientError(about, method)


@asynccontextmanager
async def open_objects(config: settings.Storage, signer: Signer) -> AsyncIterator[Objects]:
    """Open the connections; they are made when they are needed and kept."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        yield Objects(session, config, signer)
