"""Models, versions and jobs as the services would have left them, for tests of the gateway."""

from typing import Any
from uuid import UUID

import httpx

from shared.db import Pool
from shared.ids import new_id
from shared.storage import ObjectStore

Answer = dict[str, Any]


async def ok(answer: httpx.Response, status: int = 200) -> Any:
    """Check the status and return the body."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json() if answer.content else None


def problem(answer: httpx.Response, status: int, code: str, *names: str) -> None:
    """Check that an answer is an RFC 9457 problem document with this code whose detail has these words."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert (body["code"], body["status"]) == (code, status), body
    assert body["detail"]
    for name in names:
        assert name in body["detail"], body


async def user_id(client: httpx.AsyncClient) -> UUID:
    """Id of the account that a client is signed in as."""
    return UUID((await ok(await client.get("/api/users/me")))["id"])


async def create_model(client: httpx.AsyncClient, name: str = "edges", *, is_public: bool = False) -> str:
    """Create a model; return its id."""
    body = {"name": name, "description": "finds edges", "is_public": is_public}
    return str((await ok(await client.post("/api/models/", json=body), 201))["id"])


async def create_version(client: httpx.AsyncClient, model_id: str, number: str = "v1") -> Answer:
    """Create a version; return `{version_id, upload_url, …}`."""
    body = {"model_id": model_id, "version_number": number}
    made: Answer = await ok(await client.post("/api/models/versions", json=body), 201)
    return made


async def put(url: str, data: bytes) -> httpx.Response:
    """Upload as `curl --upload-file` does: no header of ours."""
    async with httpx.AsyncClient(timeout=30) as plain:
        return await plain.put(url, content=data)


async def built_version(pool: Pool, model_id: str, number: str = "v1", **columns: Any) -> str:
    """Insert a READY version, as the builder leaves it; return its id."""
    version = new_id()
    values: dict[str, Any] = {
        "status": "READY",
        "rev": 3,
        "epoch": 1,
        "package_path": "packages/sha256/" + "a" * 64,
        "package_sha256": "a" * 64,
        "package_size": 1234,
        "package_info": {
            "python": "3.11",
            "readme": "# Edges",
            "accepts_params": True,
            "entries": 3,
            "build_recipe": "secret",
        },
        "lock": "pillow==12.0",
        "docker_image": f"127.0.0.1:1/clinai/model-{version}:1",
        "docker_image_digest": "sha256:" + "b" * 64,
        "build_logs": "line one\nline two",
        "phases": [{"name": "fetch", "started_at": "2026-01-01T00:00:00.000+00:00", "ms": 1.5}],
        **columns,
    }
    names = ["id", "model_id", "owner_id", "version_number", "upload_key", *values]
    owner = await pool.fetchval("SELECT owner_id FROM models WHERE id = $1", UUID(model_id))
    given = [version, UUID(model_id), owner, number, f"quarantine/{version}", *values.values()]
    marks = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await pool.execute(f"INSERT INTO versions ({', '.join(names)}) VALUES ({marks})", *given)
    return str(version)


async def ended_job(pool: Pool, storage: ObjectStore, version_id: str, user: UUID, **columns: Any) -> str:
    """Insert a SUCCEEDED job with input, two outputs and log in storage, as the runner leaves it; return its id."""
    job = new_id()
    outputs = []
    for name, data, type_ in (("edges.png", b"\x89PNG-edges", "image/png"), ("extra/page.html", b"<b>", "text/html")):
        await storage.put(f"jobs/{job}/1/{name}", data)
        key, size = f"jobs/{job}/1/{name}", len(data)
        outputs.append({"name": name, "key": key, "size": size, "content_type": type_, "sha256": "c" * 64})
    await storage.put("inputs/sha256/" + "d" * 64, b"input bytes")
    await storage.put(f"logs/jobs/{job}/1.log", "ran\nwell ✓\n".encode())
    values: dict[str, Any] = {
        "status": "SUCCEEDED",
        "rev": 3,
        "epoch": 1,
        "params": {"low": 0.1},
        "input_path": "inputs/sha256/" + "d" * 64,
        "input_sha256": "d" * 64,
        "input_size": 11,
        "input_type": "image/png",
        "outputs": outputs,
        "output_paths": [output["key"] for output in outputs],
        "result": {"edges": 7},
        "timings": {"run": 12.5},
        "log_path": f"logs/jobs/{job}/1.log",
        **columns,
    }
    names = ["id", "version_id", "user_id", "upload_key", *values]
    given = [job, UUID(version_id), user, f"quarantine/{job}", *values.values()]
    marks = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await pool.execute(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})", *given)
    return str(job)
