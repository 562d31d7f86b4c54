"""Predict over the API: one call, one durable job; waits, keys that make retries safe, limits, hang-ups.

The jobs are ended here as a runner ends them, by the same guarded transitions; tests/e2e/test_predict.py has the real
runner.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nats.aio.msg import Msg

from services.api.predict.body import MEMORY_BYTES
from services.api.predict.ends import POLL_S
from shared import transitions
from shared.bus import BusConnection
from shared.db import Pool, Row, load_queries
from shared.handover import INPUT_BYTES, input_subject
from shared.outbox import Outbox
from shared.settings import MIB
from shared.storage import ObjectStore
from tests.integration.api.conftest import Person, SignUp, opened, problem, serving
from tests.integration.api.nouns import built_version, create_model, ok
from tests.integration.api.test_versions import events_of
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

IMAGE = b"\x89PNG\r\n\x1a\n and so on"
NOW = {"Prefer": "respond-async"}
Finish = Callable[..., Awaitable[Row]]


@pytest.fixture
async def ada(sign_up: SignUp) -> Person:
    return await sign_up()


@pytest.fixture
async def version(ada: Person, pool: Pool) -> str:
    return await built_version(pool, await create_model(ada))


async def until(look: Callable[[], Awaitable[Any]], timeout_s: float = 10) -> Any:
    """Look again until there is something to see, and return it."""
    async with asyncio.timeout(timeout_s):
        while True:
            if (found := await look()) is not None and found is not False:
                return found
            await asyncio.sleep(0.01)


def address(version: str) -> str:
    return f"/api/models/versions/{version}/predict"


@pytest.fixture
def finish(pool: Pool, outbox: Outbox, storage: ObjectStore) -> Finish:
    """End the oldest queued job as a runner does, once there is one."""

    async def end(*, tell: bool = True, files: dict[str, bytes] | None = None, **values: Any) -> Row:
        job_id = await until(lambda: pool.fetchval("SELECT id FROM jobs WHERE status = 'QUEUED' ORDER BY id"))
        row = await transitions.move(pool, "job", "claim_job", id=job_id, worker="w", lease_s=30)
        assert row is not None
        outputs = []
        for name, data in (files or {"out.png": IMAGE}).items():
            key = f"jobs/{job_id}/1/{name}"
            await storage.put(key, data)
            about = {"size": len(data), "content_type": "image/png", "sha256": hashlib.sha256(data).hexdigest()}
            outputs.append({"name": name, "key": key, **about})
        done = {
            "status": "SUCCEEDED",
            **dict.fromkeys(("input_path", "input_sha256", "input_size", "input_type", "log_path")),
            **dict.fromkeys(("error_code", "error_message")),
            "output_paths": [output["key"] for output in outputs],
            "outputs": outputs,
            "result": {"n": 1},
            "timings": {"run": 1.5},
            **values,
        }
        row = await transitions.move(pool, "job", "finish_job", id=job_id, epoch=row["epoch"], **done)
        assert row is not None
        if tell:
            await outbox.publish(job_id)
        return row

    return end


async def test_the_finished_job_with_its_outputs(
    ada: Person, version: str, finish: Finish, storage: ObjectStore, bus: BusConnection
) -> None:
    asked = asyncio.create_task(ada.post(address(version), content=IMAGE, params={"params": '{"low": 0.5}'}))
    await finish()
    answer = await asked
    found = await ok(answer)
    assert (found["status"], found["result"], found["params"]) == ("SUCCEEDED", {"n": 1}, {"low": 0.5})
    assert (found["version_id"], found["job_id"]) == (version, found["id"])
    assert (found["input_type"], found["input_size"]) == ("image/png", len(IMAGE))
    assert found["input_path"] == f"inputs/sha256/{hashlib.sha256(IMAGE).hexdigest()}"
    assert await storage.read(found["input_path"], limit_bytes=100) == IMAGE
    outputs = await ok(await ada.get(f"/api/jobs/{found['id']}/outputs"))
    assert [output["name"] for output in found["outputs"]] == ["out.png"]
    assert outputs.keys() <= found.keys()
    assert found["output_urls"] == [found["outputs"][0]["url"]]
    async with httpx.AsyncClient() as plain:
        assert (await plain.get(found["output_urls"][0])).content == IMAGE
    [submitted, _, _] = await events_of(bus, found["id"])
    assert (submitted["verb"], submitted["rev"]) == ("submitted", 1)
    assert "location" not in answer.headers


async def test_a_form_with_parameters(ada: Person, version: str) -> None:
    files: dict[str, Any] = {
        "params": (None, '{"a": [1]}'),
        "file": ("photo.png", IMAGE, "text/plain"),
        "x": (None, ""),
    }
    found = await ok(await ada.post(address(version), files=files, headers=NOW), 202)
    assert (found["params"], found["input_size"], found["input_type"]) == ({"a": [1]}, len(IMAGE), "image/png")
    assert found["input_sha256"] == hashlib.sha256(IMAGE).hexdigest()


async def test_what_curl_sends_by_default_is_taken_as_it_is(ada: Person, version: str) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "image/png"):
        answer = await ada.post(address(version), content=IMAGE, headers={**NOW, "content-type": kind})
        assert (await ok(answer, 202))["input_size"] == len(IMAGE)


async def test_the_newest_ready_version_of_a_model(ada: Person, pool: Pool) -> None:
    model = await create_model(ada)
    path = f"/api/models/{model}/predict"
    problem(await ada.post(path, content=IMAGE), 409, "VERSION_NOT_READY")
    await built_version(pool, model, "1")
    second = await built_version(pool, model, "2")
    await built_version(pool, model, "3", status="BUILDING")
    headers = {**NOW, "Idempotency-Key": "k"}
    found = await ok(await ada.post(path, content=IMAGE, headers=headers), 202)
    assert found["version_id"] == second
    # a retry means the same job, although a newer version has become READY meanwhile
    await pool.execute("UPDATE versions SET status = 'READY'")
    again = await ok(await ada.post(path, content=IMAGE, headers=headers), 202)
    assert (again["id"], again["version_id"]) == (found["id"], second)


async def test_the_wait_ends_with_202(ada: Person, version: str, finish: Finish) -> None:
    began = time.monotonic()
    answer = await ada.post(address(version), content=IMAGE, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 3
    found = await ok(answer, 202)
    assert (found["status"], found["outputs"], found["output_urls"]) == ("QUEUED", [], [])
    assert answer.headers["location"] == f"/api/jobs/{found['id']}"
    assert answer.headers["preference-applied"] == "wait=1"
    await finish()
    assert (await ok(await ada.get(answer.headers["location"])))["status"] == "SUCCEEDED"


async def test_a_wait_longer_than_a_minute_is_a_minute(ada: Person, version: str, finish: Finish) -> None:
    asked = asyncio.create_task(ada.post(address(version), content=IMAGE, headers={"Prefer": 'foo; x=1, wait="900"'}))
    await finish()
    assert (await asked).headers["preference-applied"] == "wait=60"


async def test_a_failed_job_is_an_answer_too(ada: Person, version: str, finish: Finish) -> None:
    asked = asyncio.create_task(ada.post(address(version), content=IMAGE))
    bad = {"status": "FAILED", "error_code": "MODEL_ERROR", "error_message": "no sky", "result": None}
    await finish(**bad, outputs=[], output_paths=[])
    found = await ok(await asked)
    assert (found["status"], found["error_code"], found["outputs"]) == ("FAILED", "MODEL_ERROR", [])


async def test_a_job_canceled_meanwhile_is_an_answer_too(ada: Person, version: str, pool: Pool) -> None:
    asked = asyncio.create_task(ada.post(address(version), content=IMAGE))
    job_id = await until(lambda: pool.fetchval("SELECT id FROM jobs"))
    await ok(await ada.post(f"/api/jobs/{job_id}/cancel"))
    async with asyncio.timeout(2):
        assert (await ok(await asked))["status"] == "CANCELED"


async def test_a_lost_message_does_not_lose_the_answer(ada: Person, version: str, finish: Finish) -> None:
    asked = asyncio.create_task(ada.post(address(version), content=IMAGE))
    await finish(tell=False)
    began = time.monotonic()
    assert (await ok(await asked))["status"] == "SUCCEEDED"
    assert time.monotonic() - began < POLL_S + 1


class TestInline:
    """Small outputs as data URLs."""

    async def test_small_outputs_come_at_once(self, ada: Person, version: str, finish: Finish) -> None:
        files = {"a.png": IMAGE, "b.bin": os.urandom(200 * 1024), "c.bin": b"x" * 100_000, "d.png": b"d"}
        asked = asyncio.create_task(ada.post(address(version), content=IMAGE, params={"inline": "true"}))
        await finish(files=files)
        found = await ok(await asked)
        urls = {output["name"]: output["url"] for output in found["outputs"]}
        assert found["output_urls"] == list(urls.values())
        for name in ("a.png", "b.bin", "d.png"):  # c would pass 256 KiB
            head, _, data = urls[name].partition(",")
            assert head == "data:image/png;base64"
            assert base64.b64decode(data) == files[name]
        assert urls["c.bin"].startswith("http")

    async def test_an_output_that_was_changed_is_not_passed_off_as_ours(
        self, ada: Person, version: str, finish: Finish, storage: ObjectStore
    ) -> None:
        asked = asyncio.create_task(ada.post(address(version), content=IMAGE, params={"inline": "true"}))
        row = await finish(tell=False)
        await storage.put(row["outputs"][0]["key"], b"x" * len(IMAGE))
        assert (await ok(await asked))["output_urls"][0].startswith("http")


@asynccontextmanager
async def warm_runner(bus: BusConnection, person: Person, version: str) -> AsyncIterator["asyncio.Queue[Msg]"]:
    """What a runner hears that has the model loaded."""
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    owner = (await person.get("/api/users/me")).json()["id"]
    subscription = await bus.nc.subscribe(input_subject(UUID(owner), UUID(version), "*"), cb=heard.put)
    await bus.nc.flush()
    try:
        yield heard
    finally:
        await subscription.unsubscribe()


class TestFromHandToHand:
    """Small inputs and outputs pass gateway and runner beside storage."""

    async def test_the_input_comes_before_its_job(
        self, ada: Person, version: str, finish: Finish, bus: BusConnection, storage: ObjectStore
    ) -> None:
        async with warm_runner(bus, ada, version) as heard:
            asked = asyncio.create_task(ada.post(address(version), content=IMAGE))
            row = await finish()
            message = heard.get_nowait()
            assert (message.subject.rsplit(".", 1)[-1], message.data) == (str(row["id"]), IMAGE)
            assert message.reply == ""  # nobody wants outputs
            await ok(await asked)
        assert await storage.read(row["input_path"], limit_bytes=100) == IMAGE

    async def test_an_output_is_not_read_again(
        self, ada: Person, version: str, finish: Finish, bus: BusConnection, storage: ObjectStore, outbox: Outbox
    ) -> None:
        async with warm_runner(bus, ada, version) as heard:
            asked = asyncio.create_task(ada.post(address(version), content=IMAGE, params={"inline": "true"}))
            row = await finish(tell=False, files={"a.png": IMAGE + b"a", "b.png": IMAGE + b"b"})
            reply = heard.get_nowait().reply
            await bus.nc.publish(reply, IMAGE + b"a")
            await bus.nc.publish(reply, IMAGE + b"x")  # of an attempt that lost its lease
            for output in row["outputs"]:
                await storage.put(output["key"], b"?" * len(IMAGE + b"a"))
            await outbox.publish(row["id"])
            [a, b] = (await ok(await asked))["output_urls"]
        assert base64.b64decode(a.partition(",")[2]) == IMAGE + b"a"
        assert b.startswith("http")  # it did not come, and storage has another

    async def test_a_large_input_is_fetched(
        self, ada: Person, version: str, finish: Finish, bus: BusConnection
    ) -> None:
        async with warm_runner(bus, ada, version) as heard:
            asked = asyncio.create_task(ada.post(address(version), content=b"x" * (INPUT_BYTES + 1)))
            await finish()
            await ok(await asked)
            assert heard.empty()


class TestIdempotency:
    """The same key is the same job."""

    async def test_a_retry_gets_the_same_job(self, ada: Person, version: str, finish: Finish, pool: Pool) -> None:
        headers = {"Idempotency-Key": "one"}
        first = await ok(await ada.post(address(version), content=IMAGE, headers={**headers, **NOW}), 202)
        await finish()
        again = await ok(await ada.post(address(version), content=IMAGE, headers=headers))
        assert (again["id"], again["status"]) == (first["id"], "SUCCEEDED")
        assert len(again["outputs"]) == 1
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 1

    async def test_another_request_under_the_key_is_refused(self, ada: Person, version: str, pool: Pool) -> None:
        other = await built_version(pool, await create_model(ada))
        headers = {**NOW, "Idempotency-Key": "one"}
        await ok(await ada.post(address(version), content=IMAGE, headers=headers), 202)
        for path, body, params in (
            (address(version), IMAGE + b"!", {}),
            (address(other), IMAGE, {}),
            (address(version), IMAGE, {"params": '{"a": 1}'}),
        ):
            answer = await ada.post(path, content=body, params=params, headers=headers)
            problem(answer, 409, "IDEMPOTENCY_MISMATCH")
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 1

    async def test_of_many_at_once_one_makes_the_job(
        self, ada: Person, version: str, pool: Pool, bus: BusConnection
    ) -> None:
        headers = {**NOW, "Idempotency-Key": str(uuid4())}
        answers = await asyncio.gather(*[ada.post(address(version), content=IMAGE, headers=headers) for _ in range(8)])
        [job_id] = {(await ok(answer, 202))["id"] for answer in answers}
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 1
        assert len(await events_of(bus, job_id)) == 1

    async def test_the_key_is_its_users_alone(self, sign_up: SignUp, pool: Pool) -> None:
        ada, bob = await sign_up(), await sign_up()
        version = await built_version(pool, await create_model(ada, is_public=True))
        headers = {**NOW, "Idempotency-Key": "one"}
        [first, second] = [
            await ok(await who.post(address(version), content=IMAGE, headers=headers), 202) for who in (ada, bob)
        ]
        assert first["id"] != second["id"]
        assert second["user_id"] == bob.id

    async def test_a_key_stands_for_its_job_for_a_day(self, ada: Person, version: str, pool: Pool) -> None:
        headers = {**NOW, "Idempotency-Key": "one"}
        first = await ok(await ada.post(address(version), content=IMAGE, headers=headers), 202)
        await pool.execute("UPDATE jobs SET created_at = now() - interval '25 hours'")
        second = await ok(await ada.post(address(version), content=IMAGE + b"2", headers=headers), 202)
        assert first["id"] != second["id"]

    async def test_a_key_of_a_deleted_job_is_free(self, ada: Person, version: str) -> None:
        headers = {**NOW, "Idempotency-Key": "one"}
        first = await ok(await ada.post(address(version), content=IMAGE, headers=headers), 202)
        await ok(await ada.delete(f"/api/jobs/{first['id']}"), 204)
        second = await ok(await ada.post(address(version), content=IMAGE, headers=headers), 202)
        assert first["id"] != second["id"]

    @pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a\tb"])
    async def test_a_key_that_is_none_is_refused(self, ada: Person, version: str, key: str) -> None:
        answer = await ada.post(address(version), content=IMAGE, headers={"Idempotency-Key": key.encode()})
        problem(answer, 400, "INVALID_REQUEST")


class TestRefused:
    """What is wrong with a request is said before a job is made."""

    @pytest.mark.parametrize("state", ["UPLOADING", "QUEUED", "BUILDING", "FAILED", "CANCELED"])
    async def test_a_version_that_is_not_ready(self, ada: Person, pool: Pool, state: str) -> None:
        version = await built_version(pool, await create_model(ada), status=state)
        assert state in problem(await ada.post(address(version), content=IMAGE), 409, "VERSION_NOT_READY")["detail"]

    @pytest.mark.parametrize(
        "params", ["[1]", "x", "{", '{"a": NaN}', '{"a": "\\u0000"}', json.dumps({"a": "x" * 65_536})]
    )
    async def test_wrong_params(self, ada: Person, version: str, pool: Pool, params: str) -> None:
        answer = await ada.post(address(version), files={"file": IMAGE, "params": (None, params)}, headers=NOW)
        assert answer.status_code in (400, 413), answer.text
        assert "params" in answer.json()["detail"] or "fields" in answer.json()["detail"]
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 0

    async def test_params_in_two_places(self, ada: Person, version: str) -> None:
        files: dict[str, Any] = {"file": IMAGE, "params": (None, "{}")}
        problem(await ada.post(address(version), files=files, params={"params": "{}"}), 400, "INVALID_REQUEST")

    async def test_no_image(self, ada: Person, version: str) -> None:
        problem(await ada.post(address(version)), 400, "INVALID_REQUEST")
        problem(await ada.post(address(version), files={"picture": IMAGE}), 400, "INVALID_REQUEST")
        large = problem(await ada.post(address(version), files={"picture": bytes(1 << 17)}), 413, "TOO_LARGE")
        assert "'picture'; the image goes into the field `file`" in large["detail"]
        problem(await ada.post(address(version), files={"file": b""}), 400, "INVALID_REQUEST")
        twice = [("file", ("a", IMAGE)), ("file", ("b", IMAGE))]
        problem(await ada.post(address(version), files=twice), 400, "INVALID_REQUEST")

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("multipart/form-data", b"--x\r\n"),
            ("multipart/form-data; boundary=x", b"nothing of the kind"),
            ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf'),
        ],
    )
    async def test_a_broken_form(self, ada: Person, version: str, kind: str, body: bytes) -> None:
        answer = await ada.post(address(version), content=body, headers={"content-type": kind})
        problem(answer, 400, "INVALID_REQUEST")

    async def test_an_unknown_wish(self, ada: Person, version: str) -> None:
        answer = await ada.post(address(version), content=IMAGE, params={"on_disconnect": "explode"})
        assert "cancel" in problem(answer, 400, "INVALID_REQUEST")["detail"]


class TestSizes:
    """A body up to the limit, large ones on disk."""

    @pytest.fixture
    async def small(self, parts: TestPlatform, pool: Pool) -> AsyncIterator[str]:
        """A gateway that takes 6 MiB."""
        environ = {
            **parts.environ,
            "CLINAI_STORAGE_PUBLIC_URL": parts.env["CLINAI_STORAGE_ENDPOINT"],
            "CLINAI_LIMIT_INPUT_BYTES": str(6 * MIB),
        }
        async with serving(environ) as url:
            await opened(url)
            yield url

    async def test_too_large(self, ada: Person, version: str, small: str, pool: Pool) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(7):
                yield bytes(MIB)

        url, exact = small + address(version), os.urandom(6 * MIB)
        for body in (exact + b"!", chunks()):  # with a length, and without one
            assert str(6 * MIB) in problem(await ada.post(url, content=body), 413, "TOO_LARGE")["detail"]
        problem(await ada.post(url, files={"file": exact + b"!"}), 413, "TOO_LARGE")
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 0
        found = await ok(await ada.post(url, content=exact, headers=NOW), 202)
        assert found["input_sha256"] == hashlib.sha256(exact).hexdigest()

    async def test_a_large_body_goes_through_a_file_that_is_gone_afterwards(
        self, ada: Person, version: str, parts: TestPlatform, storage: ObjectStore
    ) -> None:
        body = os.urandom(20 * MIB)  # in three parts
        for files in (None, {"file": body}):
            found = await ok(
                await ada.post(address(version), content=None if files else body, files=files, headers=NOW), 202
            )
            assert found["input_sha256"] == hashlib.sha256(body).hexdigest()
            assert await storage.read(found["input_path"], limit_bytes=len(body) + 1) == body
        folder = parts.data / "tmp" / "api"
        assert list(folder.iterdir()) == []
        assert open_files_below(folder) == []

    async def test_bytes_around_what_stays_in_memory(self, ada: Person, version: str, storage: ObjectStore) -> None:
        for size in (1, MEMORY_BYTES, MEMORY_BYTES + 1):
            body = os.urandom(size)
            found = await ok(await ada.post(address(version), content=body, headers=NOW), 202)
            assert await storage.read(found["input_path"], limit_bytes=size + 1) == body


def open_files_below(folder: Path) -> list[str]:
    """Files below a folder that this process (the gateway runs in it) holds open, those without a name included."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(folder))]


@asynccontextmanager
async def hanging_up(person: Person, path: str, pool: Pool) -> AsyncIterator[UUID]:
    """Ask, and hang up once the job is there; yields its id."""
    asked = asyncio.create_task(person.post(path, content=IMAGE))
    job_id = await until(lambda: pool.fetchval("SELECT id FROM jobs ORDER BY id DESC LIMIT 1"))
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    yield job_id


class TestHangUp:
    """A client that hangs up leaves its job running, unless it said otherwise."""

    async def test_the_job_is_canceled_when_asked(
        self, ada: Person, version: str, pool: Pool, bus: BusConnection
    ) -> None:
        async with hanging_up(ada, address(version) + "?on_disconnect=cancel", pool) as job_id:
            message = await until(
                lambda: pool.fetchval("SELECT error_message FROM jobs WHERE id = $1 AND status = 'CANCELED'", job_id)
            )
        assert "hung up" in message

        async def both_told() -> bool:
            return [event["verb"] for event in await events_of(bus, str(job_id))] == ["submitted", "canceled"]

        await until(both_told)

    async def test_the_job_runs_on_otherwise(self, ada: Person, version: str, pool: Pool, finish: Finish) -> None:
        async with hanging_up(ada, address(version), pool) as job_id:
            row = await finish()
        assert row["id"] == job_id

    async def test_in_the_middle_of_the_body_no_job_is_made(
        self, ada: Person, version: str, pool: Pool, parts: TestPlatform
    ) -> None:
        host, port = ada.base_url.host, ada.base_url.port
        reader, writer = await asyncio.open_connection(host, port)
        head = f"POST {address(version)} HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.headers['authorization']}\r\n"
        writer.write(f"{head}Content-Length: {10 * MIB}\r\n\r\n".encode() + bytes(6 * MIB))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        folder = parts.data / "tmp" / "api"

        async def let_go() -> bool:
            return not open_files_below(folder)

        await until(let_go)
        assert await pool.fetchval("SELECT count(*) FROM jobs") == 0


async def test_removing_a_job_leaves_the_same_input_of_another(ada: Person, version: str, storage: ObjectStore) -> None:
    [one, two] = [await ok(await ada.post(address(version), content=IMAGE, headers=NOW), 202) for _ in range(2)]
    await ok(await ada.delete(f"/api/jobs/{one['id']}"), 204)
    assert await storage.head(two["input_path"]) is not None
    await ok(await ada.delete(f"/api/jobs/{two['id']}"), 204)
    assert await storage.head(two["input_path"]) is None


@pytest.mark.parametrize("image", [IMAGE, b"x" * (MEMORY_BYTES + 1)], ids=["small", "large"])
async def test_a_removal_under_way_is_waited_for(
    ada: Person, version: str, pool: Pool, storage: ObjectStore, image: bytes
) -> None:
    first = await ok(await ada.post(address(version), content=image, headers=NOW), 202)
    path = first["input_path"]
    async with pool.acquire() as connection, connection.transaction():
        # a removal has found nobody who needs the input …
        await load_queries("removal").hold_paths(connection, paths=[path])
        asked = asyncio.create_task(ada.post(address(version), content=image, headers={"Prefer": "wait=0"}))
        await until(lambda: pool.fetchval("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        await storage.delete(path)  # … and removes it before the new job can say that it does
    await ok(await asked, 202)
    assert await storage.read(path, limit_bytes=len(image)) == image
