"""Presigned URLs are those that the general client would make."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared.presign import Signer

SIGNER = Signer("access", "secret/key+", "eu-west-1")


def by_botocore(method: str, origin: str, path: str, expires_s: int, query: dict[str, str]) -> str:
    request = AWSRequest(method=method, url=origin + path, params=query)
    auth = S3SigV4QueryAuth(Credentials("access", "secret/key+"), "s3", "eu-west-1", expires=expires_s)
    auth.add_auth(request)
    return str(request.prepare().url)


@pytest.mark.parametrize(
    ("method", "origin", "key", "query"),
    [
        ("PUT", "http://127.0.0.1:9000", "quarantine/1", {}),
        ("PUT", "https://s3.example.com:443", "quarantine/1", {"partNumber": "3", "uploadId": "a+b/c=="}),
        ("GET", "http://[::1]:9000", "jobs/1/2/extra/mäsk (1)~.png", {"response-content-type": "image/png"}),
        (
            "GET",
            "http://Example.com:80",
            "inputs/a b",
            {"response-content-disposition": 'attachment; filename="ä\'.png"'},
        ),
    ],
)
def test_the_signature_is_the_general_clients(method: str, origin: str, key: str, query: dict[str, str]) -> None:
    path = f"/bucket/{quote(key, safe='/~')}"
    theirs = by_botocore(method, origin, path, 900, query)
    signed_at = dict(parse_qsl(urlsplit(theirs).query))["X-Amz-Date"]
    now = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    ours = SIGNER.sign(method, origin, path, expires_s=900, query=query, now=now)
    assert dict(parse_qsl(urlsplit(ours).query)) == dict(parse_qsl(urlsplit(theirs).query))
    assert ours.partition("?")[0] == theirs.partition("?")[0]


def test_the_key_of_a_day_is_not_used_on_the_next() -> None:
    new_year = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    first, second = (
        Signer("a", "b", "c").sign("GET", "http://s", "/b/k", expires_s=1, now=now)
        for now in (new_year, new_year + 86_400)
    )
    both = Signer("a", "b", "c")
    assert both.sign("GET", "http://s", "/b/k", expires_s=1, now=new_year) == first
    assert both.sign("GET", "http://s", "/b/k", expires_s=1, now=new_year + 86_400) == second
