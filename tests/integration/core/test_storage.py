"""What storage says of an object, and what of itself."""

from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError

from shared import settings
from shared.settings import load
from shared.storage import ObjectChanged, ObjectStore, open_storage
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
