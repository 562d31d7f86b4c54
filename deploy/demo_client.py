"""What the demo needs of the platform's public interface: REST with a token, and the frames of the WebSocket.

Written as a user would write it, on aiohttp, with nothing of the services' own code.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from deploy.embedded.platform import LauncherError

ENDED = ("READY", "SUCCEEDED", "FAILED", "CANCELED")
REQUEST_TIMEOUT_S = 30.0
TRANSFER_TIMEOUT_S = 600.0
RECONNECT_FOR_S = 30.0
LAST_LINES_S = 0.3
SILENCE_S = 45.0
"""The server sends a heartbeat every 20 s; a socket silent for longer is dead."""


class ApiError(LauncherError):
    """The platform refused a request; `code` is its own word for why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Client:
    """One account on one platform; an async context manager."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.username = username
        self._password = password
        self._token = ""
        self._session = aiohttp.ClientSession()
        self._seq: int | None = None
        """Of the last event seen; where the next WebSocket goes on."""

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def sign_in(self) -> bool:
        """Sign in, making the account the first time; returns whether it was made now."""
        try:
            await self._login()
        except ApiError as error:
            if error.status != 401:
                raise
        else:
            return False
        body = {"username": self.username, "email": f"{self.username}@example.com", "password": self._password}
        try:
            await self.call("POST", "/api/users/register", body)
        except ApiError as error:
            if error.status != 409:
                raise
            raise LauncherError(
                f"the account {self.username} has another password than the one in the data folder's passwords.txt: "
                f'set it back with make admin A="set-password {self.username}"'
            ) from None
        await self._login()
        return True

    async def _login(self) -> None:
        self._token = ""
        body = {"username": self.username, "password": self._password}
        self._token = (await self.call("POST", "/api/users/login", body))["access_token"]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return its JSON; an expired token is renewed. Raises ApiError or LauncherError."""
        for attempt in range(2):
            signed = bool(self._token)
            headers = {"Authorization": f"Bearer {self._token}"} if signed else {}
            limit = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
            try:
                async with self._session.request(
                    method, self.url + path, json=body, headers=headers, timeout=limit
                ) as answer:
                    text = await answer.text()
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError) as error:
                raise LauncherError(f"{method} {self.url}{path}: {_reason(error)}; see `make status`") from None
            if status == 401 and signed and attempt == 0:
                await self._login()
                continue
            return _json(method, path, status, text)
        raise AssertionError("unreachable")

    async def put(self, url: str, file: Path) -> None:
        """Upload a file to a presigned URL, as `curl --upload-file` does."""
        limit = aiohttp.ClientTimeout(total=TRANSFER_TIMEOUT_S)
        try:
            with file.open("rb") as body:
                async with self._session.put(url, data=body, timeout=limit) as answer:
                    said = await answer.text()
                    if answer.status != 200:
                        raise LauncherError(
                            f"storage refused {file.name} with {answer.status}: {said[:200]}; see `make logs S=storage`"
                        )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LauncherError(f"{file.name} could not be uploaded: {_reason(error)}; see `make status`") from None

    async def fetch(self, url: str, target: Path) -> None:
        """Download a presigned URL into a file."""
        limit = aiohttp.ClientTimeout(total=TRANSFER_TIMEOUT_S)
        try:
            async with self._session.get(url, timeout=limit) as answer:
                answer.raise_for_status()
                with target.open("wb") as out:
                    async for chunk in answer.content.iter_chunked(1 << 16):
                        out.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LauncherError(f"{target.name} could not be downloaded: {_reason(error)}; see `make status`") from None

    async def watch(self, noun: str, object_id: str, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the log lines and events of one object until it has ended, over as many sockets as it takes.

        `{"line": …}` for a line, the object's data for a change of state. The first thing is `{}`: from then on nothing
        is missed, so what is watched may be started. A heartbeat also reads the object once, so that an event lost on
        the way cannot make us wait for ever.
        """
        topic, log_seq, ended, first = f"{noun}:{object_id}", 0, False, True
        while not ended:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):  # then another socket
                async with self._socket() as socket:
                    await socket.send_json({"op": "subscribe", "topic": topic, "since": log_seq})
                    if first:
                        first = False
                        yield {}
                    while True:  # until the last lines have come: they travel beside the events
                        frame = await _frame(socket, LAST_LINES_S if ended else SILENCE_S)
                        match frame["type"]:
                            case "event":
                                self._seq = frame["seq"]
                                if frame["data"]["id"] == object_id:
                                    ended = frame["data"]["status"] in ENDED
                                    yield frame["data"]
                            case "log" if frame["topic"] == topic:
                                log_seq = frame["seq"]
                                yield {"line": frame["line"]}
                            case "heartbeat" | "reset" if not ended:
                                found = await self.call("GET", path)
                                if ended := found["status"] in ENDED:
                                    yield found

    @contextlib.asynccontextmanager
    async def _socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a socket that goes on where the last one ended; retried while the platform restarts a part."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + RECONNECT_FOR_S, 0.1
        while True:
            ticket = (await self.call("POST", "/api/live/ticket"))["ticket"]
            since = f"&since={self._seq}" if self._seq is not None else ""
            try:
                socket = await self._session.ws_connect(f"{self.url}/ws?ticket={ticket}{since}", max_msg_size=0)
                break
            except (aiohttp.ClientError, TimeoutError) as error:
                if loop.time() > deadline:
                    raise LauncherError(
                        f"{self.url}/ws does not open: {_reason(error)}; see `make logs S=notifier`"
                    ) from None
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
        try:
            ready = await _frame(socket)
            if self._seq is None or ready["type"] == "reset":
                self._seq = ready.get("seq")
            yield socket
        finally:
            await socket.close()


async def _frame(socket: aiohttp.ClientWebSocketResponse, timeout_s: float = SILENCE_S) -> dict[str, Any]:
    """The next frame; raises ConnectionError when the socket has closed, TimeoutError on silence."""
    message = await socket.receive(timeout=timeout_s)
    if message.type != aiohttp.WSMsgType.TEXT:
        raise ConnectionError(f"the socket closed with {socket.close_code}")
    frame: dict[str, Any] = json.loads(message.data)
    return frame


def _json(method: str, path: str, status: int, text: str) -> Any:
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        body = {"detail": text[:200]}
    if status < 400:
        return body
    code, detail = body.get("code", ""), body.get("detail", "")
    raise ApiError(status, code, f"{method} {path} answered {status} {code}: {detail}")


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
