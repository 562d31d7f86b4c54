"""What storage says of an object, and what of itself."""

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError

from shared import settings
from shared.settings import load
from shared.storage import ObjectChanged, ObjectStore, ObjectTooLarge, open_storage
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def test_an_object_that_is_gone_is_the_uploaders_affair(storage: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectChanged):
        await storage.fetch("quarantine/gone", tmp_path / "x", limit_bytes=10, etag="e")
    with pytest.raises(ObjectChanged):
        await storage.copy("quarantine/gone", "inputs/x", etag="e")


async def test_storage_that_lost_its_bucket_is_the_platforms_fault(parts: TestPlatform, tmp_path: Path) -> None:
    """A disk that was lost, or a server that has not read its data yet: the work is tried again, not failed."""
    lost = msgspec.structs.replace(load(settings.Storage, parts.env), bucket="no-such-bucket")
    async with open_storage(lost) as storage:
        with pytest.raises(ClientError):
            await storage.fetch("quarantine/x", tmp_path / "x", limit_bytes=10, etag="e")
        with pytest.raises(ClientError):
            await storage.copy("quarantine/x", "inputs/x", etag="e")


async def test_objects_come_back_as_they_went(storage: ObjectStore, tmp_path: Path) -> None:
    key, target = "jobs/x/1/sub/ü ö+~(1)%&=.png", tmp_path / "x"
    for size in (0, 1, 70_000, 3 << 20):
        data = os.urandom(size)
        await storage.put(key, data, content_type="image/png")
        found = await storage.head(key)
        assert found is not None
        assert found.size == size
        got = await storage.fetch(key, target, limit_bytes=size, etag=found.etag)
        assert (got.size, got.sha256, got.etag) == (size, hashlib.sha256(data).hexdigest(), found.etag)
        assert target.read_bytes() == data
        assert await storage.read(key, limit_bytes=10) == data[:10]
        with pytest.raises(ObjectChanged):
            await storage.fetch(key, target, limit_bytes=size, etag='"another"')
    with pytest.raises(ObjectTooLarge):
        await storage.fetch(key, target, limit_bytes=(3 << 20) - 1)
    assert [entry async for entry in storage.list_keys("jobs/x/")] == [(key, 3 << 20)]
    await storage.delete(key)
    assert await storage.head(key) is None
    assert await storage.read(key, limit_bytes=10) is None
    await storage.delete(key)


async def test_a_refusal_says_why(parts: TestPlatform) -> None:
    wrong = msgspec.structs.replace(load(settings.Storage, parts.env), secret_key="wrong")
    async with open_storage(wrong) as storage:
        with pytest.raises(ClientError) as refused:
            await storage.put("jobs/x", b"x")
        assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


class Breaking:
    """A server that hangs up so many times before it answers: a fault that storage cannot be asked to show."""

    def __init__(self, times: int, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") -> None:
        self.left, self.answer, self.asked = times, answer, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if self.left > 0:
            self.left -= 1
        else:
            writer.write(self.answer)
        writer.close()


@pytest.mark.parametrize("times", [0, 2, 99])
async def test_a_lost_connection_is_tried_again(parts: TestPlatform, times: int) -> None:
    breaking = Breaking(times)
    async with await asyncio.start_server(breaking.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = msgspec.structs.replace(load(settings.Storage, parts.env), endpoint=f"http://127.0.0.1:{port}")
        async with open_storage(config) as storage:
            with contextlib.nullcontext() if times < 99 else pytest.raises(ConnectionError):
                await storage.put("jobs/x", b"")
    assert min(times, 2) < breaking.asked < 10  # aiohttp asks once more by itself


async def test_a_body_that_is_cut_is_no_body(parts: TestPlatform, tmp_path: Path) -> None:
    breaking = Breaking(0, b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 10\r\n\r\nhalf')
    async with await asyncio.start_server(breaking.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = msgspec.structs.replace(load(settings.Storage, parts.env), endpoint=f"http://127.0.0.1:{port}")
        async with open_storage(config) as storage:
            with pytest.raises(ConnectionError):
                await storage.fetch("jobs/x", tmp_path / "x", limit_bytes=100)
            with pytest.raises(ConnectionError):
                await storage.read("jobs/x", limit_bytes=100)
