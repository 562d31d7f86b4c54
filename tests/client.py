"""A client as a user would write it: REST over httpx, live frames over a WebSocket."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets

OPEN = ("UPLOADING", "QUEUED", "BUILDING", "RUNNING")
PASSWORD = "correct-horse-battery"


class Client:
    """One signed-in user of a platform."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=30.0)
        self.username = f"user-{secrets.token_hex(4)}"
        self.user: dict[str, Any] = {}

    async def __aenter__(self) -> "Client":
        body = {"username": self.username, "email": f"{self.username}@example.com", "password": PASSWORD}
        self.user = (await self.http.post("/api/users/register", json=body)).raise_for_status().json()
        await self.login()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def login(self) -> None:
        """Get a fresh access token."""
        answer = await self.http.post("/api/users/login", json={"username": self.username, "password": PASSWORD})
        self.http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    async def get(self, path: str, **options: Any) -> dict[str, Any]:
        """GET that must succeed."""
        return (await self.http.get(path, **options)).raise_for_status().json()  # type: ignore[no-any-return]

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """POST that must succeed."""
        return (await self.http.post(path, json=body)).raise_for_status().json()  # type: ignore[no-any-return]

    async def put_object(self, url: str, data: bytes) -> None:
        """Upload to a presigned URL, as `curl --upload-file` does."""
        async with httpx.AsyncClient(timeout=60) as plain:
            (await plain.put(url, content=data)).raise_for_status()

    async def create_model(self, name: str = "model", *, is_public: bool = False) -> str:
        """Create a model and return its id."""
        return str((await self.post("/api/models/", {"name": name, "description": "", "is_public": is_public}))["id"])

    async def upload(self, package: bytes, *, model_id: str | None = None, number: str = "v1") -> str:
        """Create a version and upload its package; return the version's id."""
        model_id = model_id or await self.create_model()
        made = await self.post("/api/models/versions", {"model_id": model_id, "version_number": number})
        await self.put_object(made["upload_url"], package)
        return str(made["version_id"])

    async def build(self, package: bytes, **options: Any) -> dict[str, Any]:
        """Upload and build; return the version at its end."""
        version_id = await self.upload(package, **options)
        await self.post(f"/api/models/versions/{version_id}/build")
        return await self.version_end(version_id)

    async def submit(self, version_id: str, image: bytes, params: dict[str, Any] | None = None) -> str:
        """Create a job, upload its input and run it; return its id."""
        body: dict[str, Any] = {"version_id": version_id}
        if params is not None:
            body["params"] = params
        made = await self.post("/api/jobs/", body)
        await self.put_object(made["upload_url"], image)
        await self.post(f"/api/jobs/{made['job_id']}/run")
        return str(made["job_id"])

    async def run(self, version_id: str, image: bytes, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Submit and return the job at its end."""
        return await self.job_end(await self.submit(version_id, image, params))

    async def version_end(self, version_id: str, timeout_s: float = 180) -> dict[str, Any]:
        """Wait until the version is READY, FAILED or CANCELED."""
        return await self._end(f"/api/models/versions/{version_id}", timeout_s)

    async def job_end(self, job_id: str, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until the job is SUCCEEDED, FAILED or CANCELED."""
        return await self._end(f"/api/jobs/{job_id}", timeout_s)

    async def _end(self, path: str, timeout_s: float) -> dict[str, Any]:
        return await self.until(path, lambda found: found["status"] not in OPEN, timeout_s)

    async def until(self, path: str, ready: Callable[[dict[str, Any]], bool], timeout_s: float = 60) -> dict[str, Any]:
        """Read an object until `ready(object)`; a platform that is restarting is asked again."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        answer = await self.http.get(path)
                        if answer.status_code == 401:
                            await self.login()
                            continue
                        if answer.status_code < 500:
                            found = answer.raise_for_status().json()
                            if ready(found):
                                return found
                    except httpx.TransportError:
                        pass
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path} did not get there within {timeout_s} s: {found}") from None

    async def outputs(self, job_id: str) -> dict[str, bytes]:
        """Download every output of a job: bytes by name."""
        found = await self.get(f"/api/jobs/{job_id}/outputs")
        async with httpx.AsyncClient(timeout=60) as plain:
            return {
                output["name"]: (await plain.get(output["url"])).raise_for_status().content
                for output in found["outputs"]
            }

    @asynccontextmanager
    async def live(self, since: int | None = None) -> AsyncIterator["Live"]:
        """Open the WebSocket with a fresh ticket."""
        ticket = (await self.post("/api/live/ticket"))["ticket"]
        url = f"{self.url.replace('http', 'ws', 1)}/ws?ticket={ticket}" + (
            f"&since={since}" if since is not None else ""
        )
        async with websockets.connect(url, max_size=None) as socket:
            yield Live(socket)


class Live:
    """Frames of one WebSocket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        """Send one frame."""
        await self.socket.send(json.dumps(frame))

    async def next(self, timeout_s: float = 30) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(timeout_s):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def until(self, ready: Callable[[dict[str, Any]], bool], timeout_s: float = 60) -> dict[str, Any]:
        """Read frames until one fits and return it; all that was read stays in `frames`."""
        async with asyncio.timeout(timeout_s):
            while not ready(frame := await self.next(timeout_s)):
                pass
        return frame

    def events(self, object_id: str) -> list[str]:
        """Names of the events of one object so far, in order."""
        return [f["event"] for f in self.frames if f["type"] == "event" and f["data"]["id"] == object_id]

    def lines(self, topic: str) -> list[str]:
        """Log lines of one topic so far, in order."""
        return [f["line"] for f in self.frames if f["type"] == "log" and f["topic"] == topic]
