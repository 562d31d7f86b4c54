"""Outputs of a job: to storage under the job's epoch, so that two runners never write the same key."""

import asyncio
import mimetypes
from typing import Any

from shared.bus import BusConnection
from shared.handover import hand_over, that_fit
from shared.sandbox import OutputFile, sniff_image
from shared.storage import SAFE_TYPES, ObjectStore
from shared.worker import Claim

UPLOADS_AT_ONCE = 4
SNIFF_BYTES = 64


def outputs_prefix(claim: Claim) -> str:
    """Where this epoch's outputs lie."""
    return f"jobs/{claim.id}/{claim.epoch}/"


def content_type(output: OutputFile) -> str:
    """The type a download may carry: sniffed for images, by name for plain data, else octet-stream."""
    with output.path.open("rb") as file:
        _, sniffed = sniff_image(file.read(SNIFF_BYTES))
    guessed = mimetypes.guess_type(output.name)[0] or ""
    if sniffed in SAFE_TYPES and sniffed.startswith("image/"):
        return str(sniffed)
    if guessed in SAFE_TYPES and not guessed.startswith("image/"):
        return guessed
    return "application/octet-stream"


async def store_outputs(storage: ObjectStore, claim: Claim, outputs: list[OutputFile]) -> list[dict[str, Any]]:
    """Upload every output, a few at a time; return `{name, key, size, content_type, sha256}` in name order."""
    gate = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def store(output: OutputFile) -> dict[str, Any]:
        type_, key = content_type(output), outputs_prefix(claim) + output.name
        async with gate:
            await storage.put_file(key, output.path, content_type=type_)
        return {
            "name": output.name,
            "key": key,
            "size": output.size,
            "content_type": type_,
            "sha256": output.sha256,
        }

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store(output)) for output in sorted(outputs, key=lambda o: o.name)]
    return [task.result() for task in tasks]


async def hand_over_outputs(bus: BusConnection, reply: str, outputs: list[OutputFile]) -> None:
    """Send the small ones to the gateway that waits for them; it finds its own by their hashes."""
    ordered = sorted(outputs, key=lambda o: o.name)
    for output, fits in zip(ordered, that_fit(output.size for output in ordered), strict=True):
        if fits:
            await hand_over(bus, reply, output.path.read_bytes())
