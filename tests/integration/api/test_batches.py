"""Batches over the API: three ways in, what came of each input, one archive out, limits, keys, wrong moments.

Chunks are run here as a runner runs them, with the archive that a runner writes; tests/e2e/test_batches.py has the real
one.
"""

import asyncio
import hashlib
import io
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.runner.batches.archive import write_archive
from shared.batches import archive_key, states
from shared.batches.outcomes import OUTCOMES, InputOutcome
from shared.batches.states import ChunkClaim, ChunkEnd
from shared.bus import BusConnection
from shared.db import Pool
from shared.outbox import Outbox
from shared.sandbox import OutputFile
from shared.storage import ObjectStore
from tests.integration.api.conftest import Person, SignUp, opened, problem, serving
from tests.integration.api.nouns import built_version, create_model, ok, put
from tests.integration.api.test_versions import events_of
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration

PATH = "/api/jobs/batch/"
ZIP = {"content-type": "application/zip"}
Run = Callable[..., Awaitable[ChunkClaim]]


@pytest.fixture(autouse=True)
async def empty(storage: ObjectStore) -> None:
    """No batch of another test is in storage."""
    await storage.delete_prefix("batches/")


@pytest.fixture
async def ada(sign_up: SignUp) -> Person:
    return await sign_up()


@pytest.fixture
async def version(ada: Person, pool: Pool) -> str:
    return await built_version(pool, await create_model(ada))


def images(count: int) -> dict[str, bytes]:
    return {f"photo {n:02d}.png": b"\x89PNG" + secrets.token_bytes(200 + n) for n in range(count)}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


async def send(user: Person, version: str, files: dict[str, bytes], **options: Any) -> dict[str, Any]:
    """Make a batch of a ZIP and return it."""
    answer = await user.post(PATH, params={"version_id": version, **options}, content=zipped(files), headers=ZIP)
    found: dict[str, Any] = await ok(answer, 202)
    assert answer.headers["location"] == f"/api/jobs/batch/{found['id']}"
    return found


@pytest.fixture
def run(pool: Pool, outbox: Outbox, storage: ObjectStore, tmp_path: Path) -> Run:
    """Run the next chunk as a runner does; an input whose name is in `bad` fails, others give one file."""

    async def one(bad: tuple[str, ...] = (), done: int | None = None) -> ChunkClaim:
        claimed = await states.claim(pool, worker="w", lease_s=30)
        assert claimed is not None
        chunk, _ = claimed
        await outbox.publish(chunk.batch_id)
        ended: list[tuple[InputOutcome, list[OutputFile]]] = []
        for n, each in enumerate(chunk.inputs[:done]):
            outcome = InputOutcome(
                index=chunk.first + n, name=each.name, status="SUCCEEDED", result={"n": n}, log="hi\n"
            )
            if each.name in bad:
                outcome.status, outcome.error_code, outcome.result = "FAILED", "MODEL_ERROR", None
                ended.append((outcome, []))
                continue
            path = tmp_path / secrets.token_hex(8)
            path.write_bytes(each.name.encode())
            digest = hashlib.sha256(each.name.encode()).hexdigest()
            ended.append((outcome, [OutputFile(name="out.txt", path=path, size=path.stat().st_size, sha256=digest)]))
        key = archive_key(chunk.batch_id, chunk.first, chunk.epoch)
        path = tmp_path / secrets.token_hex(8)
        archive = write_archive(path, key, ended)
        await storage.put_file(key, path)
        succeeded = sum(outcome.status == "SUCCEEDED" for outcome, _ in ended)
        end = ChunkEnd(done=len(ended), succeeded=succeeded, archive=archive, output_bytes=7)
        assert await states.finish(pool, chunk, end) is not None
        await outbox.publish(chunk.batch_id)
        return chunk

    return one


async def run_all(run: Run, user: Person, batch_id: str, bad: tuple[str, ...] = ()) -> dict[str, Any]:
    while (found := await ok(await user.get(PATH + batch_id)))["status"] in ("QUEUED", "RUNNING"):
        await run(bad)
    return dict(found)


async def keys(storage: ObjectStore, prefix: str = "batches/") -> set[str]:
    return {key async for key, _ in storage.list_keys(prefix)}


async def test_a_zip_in_outcomes_and_an_archive_out(
    ada: Person, version: str, run: Run, bus: BusConnection, storage: ObjectStore
) -> None:
    files = images(40)
    names = list(files)
    made = await send(ada, version, files, params='{"low": 1}')
    assert (made["status"], made["total"], made["succeeded"], made["failed"]) == ("QUEUED", 40, 0, 0)
    assert (made["version_id"], made["params"], made["batch_id"]) == (version, {"low": 1}, made["id"])
    path = PATH + made["id"]
    problem(await ada.get(f"{path}/archive"), 409, "NOT_ENDED")
    await run((names[1],))
    during = await ok(await ada.get(path))
    assert (during["status"], during["succeeded"], during["failed"]) == ("RUNNING", 2, 1)
    outputs = await ok(await ada.get(f"{path}/outputs"))
    assert (outputs["archive_url"], [part["first"] for part in outputs["parts"]]) == (None, [0])
    async with httpx.AsyncClient() as plain:
        part = (await plain.get(outputs["parts"][0]["url"])).content
    assert len(part) == outputs["parts"][0]["size"]
    with zipfile.ZipFile(io.BytesIO(part)) as archive:
        assert archive.namelist() == [f"outputs/{names[0]}/out.txt", f"outputs/{names[2]}/out.txt", OUTCOMES]
    page = await ok(await ada.get(f"{path}/inputs", params={"limit": 5}))
    assert [(item["index"], item["status"]) for item in page["items"]] == [
        (0, "SUCCEEDED"),
        (1, "FAILED"),
        (2, "SUCCEEDED"),
        (3, "QUEUED"),
        (4, "QUEUED"),
    ]

    end = await run_all(run, ada, made["id"])
    assert (end["status"], end["succeeded"], end["failed"]) == ("COMPLETED", 39, 1)
    assert end["finished_at"] is not None
    outputs = await ok(await ada.get(f"{path}/outputs"))
    answer = await ada.get(outputs["archive_url"])
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    outcomes = [json.loads(line) for line in found.pop(OUTCOMES).splitlines()]
    assert found == {f"outputs/{name}/out.txt": name.encode() for name in names if name != names[1]}
    assert [outcome["name"] for outcome in outcomes] == names
    assert [outcome["error_code"] for outcome in outcomes].count("MODEL_ERROR") == 1

    verbs = [event["verb"] for event in await events_of(bus, made["id"])]
    assert verbs == ["submitted", "running", *["progressed"] * 13, "completed"]
    listed = await ok(await ada.get(PATH, params={"version_id": version}))
    assert [item["id"] for item in listed["items"]] == [made["id"]]


async def test_inputs_by_state_and_in_pages(ada: Person, version: str, run: Run) -> None:
    files = images(20)
    made = await send(ada, version, files)
    bad = tuple(name for n, name in enumerate(files) if n % 3 == 0)
    await run_all(run, ada, made["id"], bad)
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"status": "FAILED", "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = await ok(await ada.get(f"{PATH}{made['id']}/inputs", params=params))
        found += page["items"]
        assert len(page["items"]) <= 3
        if (cursor := page["next_cursor"]) is None:
            break
    assert [item["name"] for item in found] == list(bad)
    problem(await ada.get(f"{PATH}{made['id']}/inputs", params={"cursor": "x"}), 400, "INVALID_REQUEST")
    problem(await ada.get(f"{PATH}{made['id']}/inputs", params={"status": "LOST"}), 400, "INVALID_REQUEST")


async def test_files_of_a_form(ada: Person, version: str, storage: ObjectStore, pool: Pool) -> None:
    files = images(5)
    form: list[Any] = [("files", (name, data, "image/png")) for name, data in files.items()]
    form += [("version_id", (None, version)), ("params", (None, '{"a": [1]}'))]
    found = await ok(await ada.post(PATH, files=form), 202)
    assert (found["total"], found["params"], found["version_id"]) == (5, {"a": [1]}, version)
    [key] = await keys(storage)
    raw = await storage.read(key, limit_bytes=1 << 20)
    assert raw is not None
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    # the same name twice would be one folder of outputs
    twice: list[Any] = [("file", ("a.png", b"1", "image/png"))] * 2
    problem(await ada.post(PATH, files=twice, params={"version_id": version}), 422, "NAME_COLLISION")
    for bad in ([("other", ("a.png", b"1"))], [("files", ("a.png", b"1"))]):
        problem(await ada.post(PATH, files=bad), 400, "INVALID_REQUEST")
    assert await keys(storage) == {key}


async def test_an_upload_and_then_run(ada: Person, version: str, storage: ObjectStore, run: Run) -> None:
    others = await keys(storage, "quarantine/")
    made = await ok(await ada.post(PATH, json={"version_id": version, "params": {"x": 1}}), 201)
    path = PATH + made["batch_id"]
    problem(await ada.post(f"{path}/run"), 409, "INPUT_MISSING")
    assert (await put(made["upload_url"], b"no zip")).is_success
    problem(await ada.post(f"{path}/run"), 422, "ARCHIVE_CORRUPT")
    files = images(3)
    assert (await put(made["upload_url"], zipped(files))).is_success
    found = await ok(await ada.post(f"{path}/run"), 202)
    assert (found["status"], found["total"], found["params"]) == ("QUEUED", 3, {"x": 1})
    problem(await ada.post(f"{path}/run"), 409, "ALREADY_STARTED")
    assert len(await keys(storage)) == 1
    assert await keys(storage, "quarantine/") == others
    # whatever comes to the same address later changes nothing
    assert (await put(made["upload_url"], b"other")).is_success
    assert (await run_all(run, ada, made["batch_id"]))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "INVALID_REQUEST"),
        (b"\x89PNG\r\n\x1a\n", 422, "ARCHIVE_CORRUPT"),
        (zipped({"../a.png": b"1"}), 422, "PATH_INVALID"),
        (zipped({})[:10], 422, "ARCHIVE_CORRUPT"),
        (zipped(images(3))[:-5], 422, "ARCHIVE_CORRUPT"),
    ],
)
async def test_what_is_no_batch_leaves_nothing(
    ada: Person, version: str, storage: ObjectStore, pool: Pool, body: bytes, status: int, code: str
) -> None:
    problem(await ada.post(PATH, params={"version_id": version}, content=body, headers=ZIP), status, code)
    assert await keys(storage) == set()
    assert await pool.fetchval("SELECT count(*) FROM batches") == 0


async def test_limits(parts: TestPlatform, ada: Person, version: str, storage: ObjectStore, pool: Pool) -> None:
    settings = {
        "CLINAI_STORAGE_PUBLIC_URL": parts.env["CLINAI_STORAGE_ENDPOINT"],
        "CLINAI_LIMIT_BATCH_INPUTS": "3",
        "CLINAI_LIMIT_BATCH_BYTES": "5000",
    }
    async with serving({**parts.environ, **settings}) as origin, httpx.AsyncClient(base_url=origin) as client:
        await opened(origin)
        client.headers["Authorization"] = ada.headers["Authorization"]
        query = {"version_id": version}
        problem(await client.post(PATH, params=query, content=zipped(images(4)), headers=ZIP), 413, "TOO_LARGE")
        form: list[Any] = [("files", (name, data)) for name, data in images(4).items()]
        problem(await client.post(PATH, params=query, files=form), 413, "TOO_LARGE")
        large = zipped({"a.png": secrets.token_bytes(6000)})
        problem(await client.post(PATH, params=query, content=large, headers=ZIP), 413, "TOO_LARGE")

        async def drip() -> AsyncIterator[bytes]:
            for at in range(0, len(large), 500):
                yield large[at : at + 500]

        problem(await client.post(PATH, params=query, content=drip(), headers=ZIP), 413, "TOO_LARGE")
        await ok(await client.post(PATH, params=query, content=zipped(images(3)), headers=ZIP), 202)
    assert len(await keys(storage)) == 1
    assert await pool.fetchval("SELECT count(*) FROM batches") == 1


async def test_wrong_moments_and_wrong_versions(ada: Person, pool: Pool, sign_up: SignUp) -> None:
    model = await create_model(ada)
    building = await built_version(pool, model, "2", status="BUILDING")
    body = zipped(images(1))
    for way in (
        {"content": body, "headers": ZIP, "params": {"version_id": building}},
        {"json": {"version_id": building}},
    ):
        problem(await ada.post(PATH, **way), 409, "VERSION_NOT_READY")
    problem(await ada.post(PATH, content=body, headers=ZIP), 400, "INVALID_REQUEST")
    ready = await built_version(pool, model, "3")
    grace = await sign_up()
    theirs = {"content": body, "headers": ZIP, "params": {"version_id": ready}}
    problem(await grace.post(PATH, **theirs), 404, "NOT_FOUND")
    made = await send(ada, ready, images(1))
    for method, rest in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/run"),
        ("GET", "/inputs"),
        ("GET", "/outputs"),
        ("GET", "/archive"),
    ]:
        problem(await grace.request(method, f"{PATH}{made['id']}{rest}"), 404, "NOT_FOUND")
    assert (await ok(await grace.get(PATH)))["items"] == []
    await pool.execute("UPDATE models SET is_public = true")
    assert (await send(grace, ready, images(1)))["user_id"] == grace.id


async def test_a_key_makes_a_retry_safe(ada: Person, version: str, storage: ObjectStore, pool: Pool) -> None:
    files = images(3)
    options: dict[str, Any] = {
        "params": {"version_id": version},
        "content": zipped(files),
        "headers": {**ZIP, "Idempotency-Key": "k"},
    }
    answers = await asyncio.gather(*[ada.post(PATH, **options) for _ in range(4)])
    assert len({(await ok(answer, 202))["id"] for answer in answers}) == 1
    assert await pool.fetchval("SELECT count(*) FROM batches") == 1
    assert len(await keys(storage)) == 1
    options["content"] = zipped(images(3))
    problem(await ada.post(PATH, **options), 409, "IDEMPOTENCY_MISMATCH")
    await pool.execute("UPDATE batches SET created_at = now() - interval '25 hours'")
    await ok(await ada.post(PATH, **options), 202)
    assert await pool.fetchval("SELECT count(*) FROM batches") == 2


async def test_canceled_in_the_middle(ada: Person, version: str, run: Run, bus: BusConnection) -> None:
    made = await send(ada, version, images(32))
    path = PATH + made["id"]
    await run()
    found = await ok(await ada.post(f"{path}/cancel"))
    assert (found["status"], found["succeeded"], found["error_code"]) == ("CANCELED", 2, "CANCELED")
    assert (await ok(await ada.post(f"{path}/cancel")))["rev"] == found["rev"]
    page = await ok(await ada.get(f"{path}/inputs", params={"limit": 100}))
    assert [item["status"] for item in page["items"]] == ["SUCCEEDED"] * 2 + ["CANCELED"] * 30
    with zipfile.ZipFile(io.BytesIO((await ada.get(f"{path}/archive")).content)) as archive:
        assert len(archive.namelist()) == 3
        assert len(archive.read(OUTCOMES).splitlines()) == 32
    assert [event["verb"] for event in await events_of(bus, made["id"])][-1] == "canceled"
    done = await send(ada, version, images(1))
    await run_all(run, ada, done["id"])
    problem(await ada.post(f"{PATH}{done['id']}/cancel"), 409, "ALREADY_ENDED")


async def test_nothing_stays_of_what_is_deleted(
    ada: Person, version: str, run: Run, storage: ObjectStore, pool: Pool, bus: BusConnection
) -> None:
    done, opened_ = await send(ada, version, images(2)), await send(ada, version, images(2))
    await run_all(run, ada, done["id"])
    assert len(await keys(storage)) == 4  # two with inputs, one with two archives
    for made in (done, opened_):
        await ok(await ada.delete(f"{PATH}{made['id']}"), 204)
        problem(await ada.get(PATH + made["id"]), 404, "NOT_FOUND")
        told = (await bus.js.stream_info("EVENTS", subjects_filter=f"batch.*.*.{made['id']}")).state.subjects
        assert not told
    last = await send(ada, version, images(2))
    await ok(await ada.delete(f"/api/models/versions/{version}"), 204)
    problem(await ada.get(PATH + last["id"]), 404, "NOT_FOUND")
    assert await keys(storage) == set()
    for table in ("batches", "chunks"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_client_that_hangs_up_leaves_nothing(
    ada: Person, version: str, storage: ObjectStore, pool: Pool
) -> None:

    async def half() -> AsyncIterator[bytes]:
        yield zipped(images(3))[:100]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await ada.post(PATH, params={"version_id": version}, content=half(), headers=ZIP)
    await asyncio.sleep(0.2)
    assert await keys(storage) == set()
    assert await pool.fetchval("SELECT count(*) FROM batches") == 0


async def test_a_public_id_of_nobody(ada: Person) -> None:
    problem(await ada.get(f"{PATH}{UUID(int=7)}"), 404, "NOT_FOUND")
