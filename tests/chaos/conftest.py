"""A model that is ready, and what happened to an object as the bus tells it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import nats
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from shared.db import open_pool
from shared.settings import Database, load
from tests.client import Client
from tests.conftest import make_zip
from tests.platforms import TestPlatform

PACKAGE = make_zip(
    {
        "predict.py": (
            "from pathlib import Path\n\n"
            "def run(input_path, output_dir):\n"
            "    print('at work')\n"
            "    (Path(output_dir) / 'copy.png').write_bytes(Path(input_path).read_bytes())\n"
            "    return {'ok': True}\n"
        ),
        "requirements.txt": "",
    }
)
TWO_ENDS = """
    SELECT object_id, array_agg(type ORDER BY rev) AS events FROM outbox
    WHERE type ~ '[.](ready|succeeded|failed|canceled|completed)$' GROUP BY object_id HAVING count(*) > 1
"""


async def events_of(platform: TestPlatform, object_id: str) -> list[str]:
    """Verbs of one object's events in the stream, each ce-id once, when all that was committed has been sent."""
    await sent(platform, object_id)
    bus = await nats.connect(platform.env["CLINAI_NATS_URL"])
    try:
        js, subject = bus.jetstream(), f"*.*.*.{object_id}"
        state = (await js.stream_info("EVENTS", subjects_filter=subject)).state
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, filter_subject=subject)
        subscription = await js.subscribe(subject, stream="EVENTS", ordered_consumer=True, config=config)
        seen: dict[str, str] = {}
        for _ in range(sum((state.subjects or {}).values())):
            message = await subscription.next_msg(timeout=30)
            assert message.headers
            seen.setdefault(message.headers["ce-id"], message.subject.split(".")[1])
        await subscription.unsubscribe()
        return list(seen.values())
    finally:
        await bus.close()


async def sent(platform: TestPlatform, object_id: str) -> None:
    """Wait until the bus has every event of an object that the database has."""
    pool = await open_pool(load(Database, platform.env))
    try:
        async with asyncio.timeout(30):
            while await pool.fetchval(  # noqa: ASYNC110 - the database tells nobody
                "SELECT count(*) FROM outbox WHERE object_id = $1 AND published_at IS NULL", UUID(object_id)
            ):
                await asyncio.sleep(0.05)
    finally:
        await pool.close()


@pytest.fixture(scope="module", autouse=True)
async def nothing_ends_twice(platform: TestPlatform) -> AsyncIterator[None]:
    """After all tests, when what was delivered late has been, too: no object has two ends."""
    yield
    pool = await open_pool(load(Database, platform.env))
    try:
        assert await pool.fetch(TWO_ENDS) == []
    finally:
        await pool.close()


@pytest.fixture(scope="module")
async def owner(platform: TestPlatform) -> Any:
    async with Client(platform.url) as user:
        yield user


@pytest.fixture(scope="module")
async def ready(owner: Client) -> dict[str, Any]:
    version = await owner.build(PACKAGE)
    assert version["status"] == "READY", version
    return version
