"""Uploads: presigned URLs for whoever asks, and large packages in parts that can be resumed."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from services.api.origins import storage_origin
from shared.db import Pool
from shared.errors import Invalid
from shared.storage import ObjectStore
from tests.client import PASSWORD
from tests.integration.api.conftest import SignUp, opened, serving
from tests.integration.api.nouns import built_version, create_model, create_version, ok, problem, put
from tests.platforms import TestPlatform

V = "/api/models/versions"
MIB = 1024**2


class TestOrigins:
    """Where clients see storage."""

    @staticmethod
    def origin(*, from_edge: bool = True, public_url: str = "", scheme: str = "http", **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return storage_origin(named, scheme=scheme, from_edge=from_edge, public_url=public_url, public_port=9000)

    def test_by_default_the_host_the_request_came_to(self) -> None:
        assert self.origin(host="192.168.1.7:8000") == "http://192.168.1.7:9000"
        assert self.origin(host="clinai.local") == "http://clinai.local:9000"
        assert self.origin(host="[fe80::1]:8000") == "http://[fe80::1]:9000"

    def test_what_the_edge_says_counts_and_what_a_stranger_says_does_not(self) -> None:
        said = {"host": "127.0.0.1:8001", "x_forwarded_host": "cv.example.com", "x_forwarded_proto": "https"}
        assert self.origin(**said) == "https://cv.example.com:9000"  # type: ignore[arg-type]
        assert self.origin(from_edge=False, **said) == "http://127.0.0.1:9000"  # type: ignore[arg-type]

    def test_a_chain_of_proxies_is_read_from_the_clients_side(self) -> None:
        chain = self.origin(host="edge", x_forwarded_host="cv.example.com, edge", x_forwarded_proto="https, http")
        assert chain == "https://cv.example.com:9000"

    def test_the_setting_wins(self) -> None:
        assert self.origin(host="x", public_url="https://s3.example.com/") == "https://s3.example.com"

    def test_a_default_port_is_not_written(self) -> None:
        got = storage_origin({"host": "x:1"}, scheme="https", from_edge=True, public_url="", public_port=443)
        assert got == "https://x"

    @pytest.mark.parametrize("host", ["", "a b", "x/y", "user@x", "[::1", "a\r\nb", "ex%61mple"])
    def test_what_is_no_host_is_refused(self, host: str) -> None:
        with pytest.raises(Invalid, match="Host"):
            self.origin(host=host)


@pytest.mark.integration
async def test_an_upload_url_is_for_one_random_key_and_nothing_else(sign_up: SignUp) -> None:
    ada = await sign_up()
    made = await create_version(ada, await create_model(ada))
    url = urlsplit(made["upload_url"])
    bucket, folder, name = url.path.strip("/").split("/")
    assert (bucket, folder, UUID(name).version) == ("clinai", "quarantine", 4)
    query = parse_qs(url.query)
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["X-Amz-Expires"] == ["900"]
    assert (await put(made["upload_url"].split("?")[0], b"x")).status_code == 403
    assert (await put(made["upload_url"].replace(name, str(UUID(int=1))), b"x")).status_code == 403
    async with httpx.AsyncClient() as plain:
        assert (await plain.get(made["upload_url"])).status_code == 403
    assert (await put(made["upload_url"], b"x")).status_code == 200


@pytest.mark.integration
@pytest.mark.parametrize(("trusted", "wanted"), [("127.0.0.1", "https://cv.example.com"), ("10.0.0.0/8", "http://api")])
async def test_the_edges_words_reach_the_url(parts: TestPlatform, pool: Pool, trusted: str, wanted: str) -> None:
    port = parts.environ["CLINAI_STORAGE_PUBLIC_PORT"]
    async with serving({**parts.environ, "CLINAI_TRUSTED_PROXIES": trusted}) as url:
        await opened(url)
        said = {"Host": "api:8001", "X-Forwarded-Host": "cv.example.com", "X-Forwarded-Proto": "https"}
        said["X-Forwarded-For"] = "192.0.2.7"
        async with httpx.AsyncClient(base_url=url, headers=said) as ada:
            account = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
            await ok(await ada.post("/api/users/register", json=account), 201)
            token = (await ok(await ada.post("/api/users/login", json=account)))["access_token"]
            ada.headers["Authorization"] = f"Bearer {token}"
            made = await create_version(ada, await create_model(ada))
    assert made["upload_url"].startswith(f"{wanted}:{port}/clinai/quarantine/")


@pytest.mark.integration
async def test_a_storage_that_is_away_is_said_and_survived(sign_up: SignUp, parts: TestPlatform) -> None:
    ada = await sign_up()
    made = await create_version(ada, await create_model(ada))
    await put(made["upload_url"], b"zip")
    start = f"{V}/{made['version_id']}/build"
    await asyncio.to_thread(parts.part, "stop", "storage")
    try:
        answer = await ada.post(start)
        problem(answer, 503, "UNAVAILABLE", "storage")
        assert int(answer.headers["retry-after"]) > 0
        assert (await ok(await ada.get(f"{V}/{made['version_id']}")))["status"] == "UPLOADING"
    finally:
        await asyncio.to_thread(parts.part, "start", "storage")
    async with asyncio.timeout(60):
        while True:
            answer = await ada.post(start)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.2)
    await ok(answer, 202)


class Package:
    """A version whose package comes in parts: two of 5 MiB and a rest."""

    part_size = 5 * MIB

    def __init__(self, client: httpx.AsyncClient, version_id: str) -> None:
        self.client = client
        self.path = f"{V}/{version_id}/parts"
        self.data = secrets.token_bytes(2 * self.part_size + 1000)

    def part(self, number: int) -> bytes:
        return self.data[(number - 1) * self.part_size : number * self.part_size]

    async def ask(self, **body: Any) -> dict[str, Any]:
        body = {"size": len(self.data), "part_size": self.part_size, **body}
        answer: dict[str, Any] = await ok(await self.client.post(self.path, json=body))
        assert answer["part_size"] == self.part_size
        return answer

    async def send(self, answer: dict[str, Any], *numbers: int) -> None:
        for part in answer["parts"]:
            if part["number"] in numbers:
                (await put(part["url"], self.part(part["number"]))).raise_for_status()


@pytest.fixture
async def package(sign_up: SignUp) -> Package:
    ada = await sign_up()
    made = await create_version(ada, await create_model(ada))
    return Package(ada, made["version_id"])


@pytest.mark.integration
class TestParts:
    """A package in parts, against the real storage."""

    async def test_sent_resumed_and_joined(
        self, package: Package, pool: Pool, storage: ObjectStore, tmp_path: Path
    ) -> None:
        first = await package.ask(numbers=[1, 2, 3])
        assert [part["number"] for part in first["parts"]] == [1, 2, 3]
        assert first["uploaded"] == []
        await package.send(first, 2)
        problem(await package.client.post(f"{package.path}/complete"), 409, "PARTS_MISSING", ": 1, 3.")
        resumed = await package.ask()
        assert [(part["number"], part["size"]) for part in resumed["uploaded"]] == [(2, package.part_size)]
        assert [part["number"] for part in resumed["parts"]] == [1, 3]
        await package.send(resumed, 1)
        problem(await package.client.post(f"{package.path}/complete"), 409, "PARTS_MISSING", ": 3.")
        build = package.path.replace("/parts", "/build")
        problem(await package.client.post(build), 409, "PACKAGE_MISSING", "parts")
        await package.send(resumed, 3)
        for _ in range(2):
            joined = await ok(await package.client.post(f"{package.path}/complete"))
            assert joined["size"] == len(package.data)
        key = await pool.fetchval("SELECT upload_key FROM versions")
        got = await storage.fetch(key, tmp_path / "package", limit_bytes=64 * MIB)
        assert got.sha256 == hashlib.sha256(package.data).hexdigest()
        assert (await ok(await package.client.post(build), 202))["status"] == "QUEUED"
        problem(await package.client.post(package.path, json={"numbers": [1]}), 409, "ALREADY_STARTED")
        problem(await package.client.post(f"{package.path}/complete"), 409, "ALREADY_STARTED")

    async def test_a_part_that_was_cut_is_sent_again(
        self, package: Package, pool: Pool, storage: ObjectStore, tmp_path: Path
    ) -> None:
        first = await package.ask()
        (await put(first["parts"][0]["url"], package.part(1)[:-1])).raise_for_status()
        await package.send(first, 2, 3)
        again = await package.ask()
        assert [part["number"] for part in again["uploaded"]] == [2, 3]
        assert [part["number"] for part in again["parts"]] == [1]
        problem(await package.client.post(f"{package.path}/complete"), 409, "PARTS_MISSING", ": 1.")
        await package.send(again, 1)
        assert (await ok(await package.client.post(f"{package.path}/complete")))["size"] == len(package.data)
        key = await pool.fetchval("SELECT upload_key FROM versions")
        got = await storage.fetch(key, tmp_path / "package", limit_bytes=64 * MIB)
        assert got.sha256 == hashlib.sha256(package.data).hexdigest()

    async def test_another_part_size_begins_anew_where_lengths_differ(self, package: Package) -> None:
        await package.send(await package.ask(), 1, 2)
        package.part_size = 6 * MIB
        again = await package.ask()
        assert (again["uploaded"], [part["number"] for part in again["parts"]]) == ([], [1, 2])
        await package.send(again, 1, 2)
        assert (await ok(await package.client.post(f"{package.path}/complete")))["size"] == len(package.data)

    async def test_two_that_begin_at_once_share_one_upload(self, package: Package, pool: Pool) -> None:
        one, two = await asyncio.gather(package.ask(), package.ask())
        ids = {parse_qs(urlsplit(p["url"]).query)["uploadId"][0] for p in one["parts"] + two["parts"]}
        assert ids == {await pool.fetchval("SELECT upload_id FROM versions")}

    async def test_an_upload_that_expired_begins_anew(self, package: Package, pool: Pool, storage: ObjectStore) -> None:
        await package.send(await package.ask(), 1)
        row = await pool.fetchrow("SELECT upload_key, upload_id FROM versions")
        await storage.abort_multipart(row["upload_key"], row["upload_id"])
        anew = await package.ask()
        assert anew["uploaded"] == []
        await package.send(anew, 1, 2, 3)
        assert (await ok(await package.client.post(f"{package.path}/complete")))["size"] == len(package.data)

    async def test_a_size_alone_is_enough(self, package: Package) -> None:
        answer = await ok(await package.client.post(package.path, json={"size": 40 * MIB}))
        assert answer["part_size"] == 16 * MIB
        assert [part["number"] for part in answer["parts"]] == [1, 2, 3]
        without_size = await ok(await package.client.post(package.path, json={"numbers": [9]}))
        assert [part["number"] for part in without_size["parts"]] == [9]

    async def test_nothing_to_join(self, package: Package) -> None:
        problem(await package.client.post(f"{package.path}/complete"), 409, "PACKAGE_MISSING")
        await package.ask()
        problem(await package.client.post(f"{package.path}/complete"), 409, "PARTS_MISSING", "None of")

    @pytest.mark.parametrize(
        ("body", "status", "word"),
        [
            ({}, 400, "numbers, size"),
            ({"numbers": []}, 400, "numbers"),
            ({"numbers": [0]}, 400, "numbers"),
            ({"numbers": [1001]}, 400, "numbers"),
            ({"numbers": list(range(1, 102))}, 400, "numbers"),
            ({"size": 0}, 400, "size"),
            ({"size": 10, "numbers": [2]}, 400, "numbers"),
            ({"size": 10, "part_size": 1024}, 400, "part_size"),
            ({"size": 3 * 1024**3}, 413, str(2 * 1024**3)),
        ],
    )
    async def test_wrong_wishes(self, package: Package, body: dict[str, Any], status: int, word: str) -> None:
        code = {400: "INVALID_REQUEST", 413: "TOO_LARGE"}[status]
        problem(await package.client.post(package.path, json=body), status, code, word)


@pytest.mark.integration
class TestSizes:
    """Limits are looked at, not uploaded against: HEAD tells the size."""

    @pytest.fixture
    async def origin(self, parts: TestPlatform, pool: Pool) -> AsyncIterator[str]:
        """A gateway with small limits."""
        small = {"CLINAI_LIMIT_ZIP_BYTES": "2000", "CLINAI_LIMIT_INPUT_BYTES": "1000"}
        where = {"CLINAI_STORAGE_PUBLIC_URL": parts.env["CLINAI_STORAGE_ENDPOINT"]}
        async with serving({**parts.environ, **where, **small}) as url:
            await opened(url)
            yield url

    @pytest.mark.parametrize("noun", ["package", "input"])
    async def test_an_upload_past_the_limit_does_not_start(self, sign_up: SignUp, pool: Pool, noun: str) -> None:
        ada = await sign_up()
        model = await create_model(ada)
        if noun == "package":
            made, limit = await create_version(ada, model), 2000
            start = f"{V}/{made['version_id']}/build"
        else:
            body = {"version_id": await built_version(pool, model)}
            made, limit = await ok(await ada.post("/api/jobs/", json=body), 201), 1000
            start = f"/api/jobs/{made['job_id']}/run"
        assert made["max_bytes"] == limit
        await put(made["upload_url"], b"x" * (limit + 1))
        problem(await ada.post(start), 413, "TOO_LARGE", str(limit), str(limit + 1))
        await put(made["upload_url"], b"x" * limit)
        await ok(await ada.post(start), 202)
