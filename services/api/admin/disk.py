"""Disk use by model. Rows know packages, images, inputs and outputs; logs are weighed in storage."""

import asyncio
import shutil
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from services.api.admin.schemas import Disk, DiskRow
from shared.db import load_queries
from shared.removal import WithParts

_queries = load_queries("admin")

FRESH_S = 30.0
"""The page asks every 10 s, and a measurement goes through all logs: an answer is used that long."""


class DiskMeter:
    """Measures at most once in 30 s, however many ask."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._last: Disk | None = None
        self._until = 0.0

    async def read(self, parts: WithParts) -> Disk:
        """Return the last measurement, or make a new one."""
        async with self._lock:
            if self._last is None or time.monotonic() > self._until:
                self._last = await measure(parts)
                self._until = time.monotonic() + FRESH_S
            return self._last


async def measure(parts: WithParts) -> Disk:
    """Measure now."""
    logs = await _log_bytes(parts)
    items = []
    async for row in _queries.disk(parts.pool):
        values = dict(row) | {"log_bytes": logs[row["id"]]}
        total = sum(size for name, size in values.items() if name.endswith("_bytes"))
        items.append(msgspec.convert(values | {"total_bytes": total}, DiskRow))
    items.sort(key=lambda item: item.total_bytes, reverse=True)
    room = await asyncio.to_thread(shutil.disk_usage, parts.instance.data)
    return Disk(items=items, free_bytes=room.free, disk_bytes=room.total, measured_at=datetime.now(UTC))


async def _log_bytes(parts: WithParts) -> Counter[UUID]:
    found: Counter[UUID] = Counter()
    for prefix in ("logs/versions/", "logs/jobs/"):
        async for page in parts.storage.list_pages(prefix):
            sizes: Counter[UUID] = Counter()
            for entry in page:
                sizes[UUID(entry.key.removeprefix(prefix).split("/", 1)[0])] += entry.size
            async for row in _queries.models_of_logs(parts.pool, ids=list(sizes)):
                found[row["model_id"]] += sizes[row["id"]]
    return found
