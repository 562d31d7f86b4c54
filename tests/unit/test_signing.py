"""Signed URLs are what the reference implementation makes of the same request."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared.s3 import Signer
from shared.settings import Storage

CONFIG = Storage(endpoint="http://127.0.0.1:8333", access_key="AKIDEXAMPLE", secret_key="wJalr+secret/x", region="eu-1")
DOWNLOAD = {
    "response-content-disposition": "attachment; filename=\"a_b.png\"; filename*=UTF-8''%C3%A4%20b.png",
    "response-content-type": "image/png",
}


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8333", "http://Example.org:80", "https://s3.example.org/", "https://h:443"]
)
@pytest.mark.parametrize(
    ("method", "query"), [("PUT", {}), ("GET", DOWNLOAD), ("PUT", {"partNumber": "7", "uploadId": "a+b/c="})]
)
@pytest.mark.parametrize("path", ["/clinai/quarantine/0199-aa", "/clinai/jobs/1/2/sub/ü ö+~(1)%&=.png"])
def test_it_is_the_reference_signature(
    monkeypatch: pytest.MonkeyPatch, origin: str, method: str, query: dict[str, str], path: str
) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now, raising=True)
    request = AWSRequest(method=method, url=f"{origin.rstrip('/')}{quote(path, safe='/~')}", params=query)
    S3SigV4QueryAuth(Credentials(CONFIG.access_key, CONFIG.secret_key), "s3", CONFIG.region, expires=900).add_auth(
        request
    )
    theirs = urlsplit(str(request.url if not query else request.prepare().url))
    ours = urlsplit(Signer(CONFIG).presign(method, origin, path, expires_s=900, query=query, now=now))
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert parse_qs(ours.query) == parse_qs(theirs.query)


def test_the_key_of_the_day_changes_at_midnight() -> None:
    signer = Signer(CONFIG)
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 1)]
    first, second, again = [signer.presign("GET", CONFIG.endpoint, "/b/k", expires_s=1, now=now) for now in times]
    assert first == again != second
