"""The two origins: what each passes, and the headers under which it answers."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from shared import settings
from shared.settings import load
from shared.storage import open_storage
from tests.platforms import TestPlatform

BODY = b"<script>alert(1)</script>" * 1000


@pytest.fixture(scope="module")
def hosts() -> list[str]:
    """Names under which a client may know this machine: loopback, and the address its own network sees."""
    found = ["localhost", "127.0.0.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; says which address a packet would leave from
            found.append(probe.getsockname()[0])
        except OSError:
            found.append("127.0.0.2")
    return found


async def test_a_signed_upload_needs_no_header_and_works_under_any_name(
    running: TestPlatform, hosts: list[str]
) -> None:
    port = running.env["CLINAI_STORAGE_PUBLIC_PORT"]
    async with open_storage(load(settings.Storage, running.env)) as store, httpx.AsyncClient() as client:
        await store.prepare_bucket()
        for host in hosts:
            key, origin = f"quarantine/{host}", f"http://{host}:{port}"
            url = store.presign_put(key, origin=origin)

            put = await client.put(url, content=BODY)
            got = await client.get(
                store.presign_get(key, origin=origin, filename="page.html", content_type="text/html")
            )

            assert put.status_code == 200, put.text
            assert got.content == BODY
            assert_harmless(got)
            assert got.headers["Content-Disposition"].startswith("attachment")
            assert got.headers["Content-Type"] == "application/octet-stream"


async def test_a_signature_holds_for_its_host_only(running: TestPlatform) -> None:
    port = running.env["CLINAI_STORAGE_PUBLIC_PORT"]
    async with open_storage(load(settings.Storage, running.env)) as store, httpx.AsyncClient() as client:
        await store.prepare_bucket()
        url = store.presign_put("quarantine/x", origin=f"http://localhost:{port}")

        answer = await client.put(f"http://127.0.0.1:{port}{urlsplit(url).path}?{urlsplit(url).query}", content=BODY)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/clinai/x"),
        ("GET", "/"),
        ("PUT", "/clinai/x"),
        ("DELETE", "/clinai/x?X-Amz-Signature=abc"),
        ("POST", "/clinai?delete&X-Amz-Signature=abc"),
        ("GET", "/clinai/x?X-Amz-Signature=abc"),
    ],
)
async def test_storage_answers_nothing_unsigned(running: TestPlatform, method: str, path: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{running.env['CLINAI_STORAGE_PUBLIC_PORT']}{path}")

    assert answer.status_code == 403
    assert_harmless(answer)


async def test_a_browser_on_the_page_may_upload(running: TestPlatform) -> None:
    port = running.env["CLINAI_STORAGE_PUBLIC_PORT"]
    async with open_storage(load(settings.Storage, running.env)) as store, httpx.AsyncClient() as client:
        await store.prepare_bucket()
        url = store.presign_put("quarantine/y", origin=f"http://localhost:{port}")
        asked = {"Origin": running.url, "Access-Control-Request-Method": "PUT"}

        preflight = await client.options(url, headers=asked)
        put = await client.put(url, content=BODY, headers={"Origin": running.url})

    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    for answer in (preflight, put):
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", running.url)
    assert "ETag" in put.headers["Access-Control-Expose-Headers"]


async def test_the_page_runs_no_script_but_its_own(running: TestPlatform) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{running.url}/models/some/deep/link")

    policy = directives(answer.headers["Content-Security-Policy"])
    assert answer.status_code == 200
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert f"http://127.0.0.1:{running.env['CLINAI_STORAGE_PUBLIC_PORT']}" in policy["connect-src"].split()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers


async def test_a_part_that_is_away_is_a_problem_document(running: TestPlatform) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{running.url}/api/health")

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "UNAVAILABLE"


async def test_metrics_stay_inside(running: TestPlatform) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{running.url}/metrics")).status_code == 404


def assert_harmless(answer: httpx.Response) -> None:
    """Whatever the body is, a browser runs nothing of it."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = directives(answer.headers["Content-Security-Policy"])
    assert "sandbox" in policy
    assert policy["default-src"] == "'none'"


def directives(policy: str) -> dict[str, str]:
    """A Content-Security-Policy taken apart."""
    pairs = (part.strip().partition(" ") for part in policy.split(";"))
    return {name: value for name, _, value in pairs}
