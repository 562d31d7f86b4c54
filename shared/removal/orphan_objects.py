"""Objects in storage that no row refers to."""

import re
from datetime import UTC, datetime
from uuid import UUID

from shared.db import load_queries
from shared.removal.found import Grace, Orphan
from shared.removal.parts import WithParts
from shared.removal.remove import drop_unused, unused_paths
from shared.storage import Listed

_queries = load_queries("removal")

PREFIXES = ("quarantine/", "packages/sha256/", "inputs/sha256/", "jobs/", "logs/jobs/", "logs/versions/", "batches/")
"""Everything that ClinAI writes; what lies elsewhere in the bucket is not ours to judge."""
CONTENT_ADDRESSED = ("packages/", "inputs/")
DELETE_AT_ONCE = 500
MISSING_SHOWN = 20

_OF_EPOCH = re.compile(r"^(jobs|logs/jobs|logs/versions)/([0-9a-f-]{36})/(\d+)[./]")
_OF_BATCH = re.compile(r"^batches/([0-9a-f-]{36})/")
_ANY_TIME = datetime.fromtimestamp(0, UTC)
_OPEN = ("UPLOADING", "QUEUED", "BUILDING", "RUNNING")


async def find(parts: WithParts, grace: Grace, problems: list[str]) -> list[Orphan]:
    """Go through the bucket page by page; READY versions whose package is not there become `problems`."""
    found: list[Orphan] = []
    packages: set[str] = set()
    for prefix in PREFIXES:
        async for page in parts.storage.list_pages(prefix):
            packages.update(entry.key for entry in page if prefix == "packages/sha256/")
            ages = {entry.key: grace.age_s(entry.modified_at) for entry in page}
            old = [entry for entry in page if grace.over(ages[entry.key])]
            for entry, reason in (await _unreferenced(parts, old)).values():
                found.append(
                    Orphan(kind="object", name=entry.key, bytes=entry.size, age_s=ages[entry.key], reason=reason)
                )
    problems += await _without_package(parts, packages)
    return found + await _uploads(parts, grace)


async def _uploads(parts: WithParts, grace: Grace) -> list[Orphan]:
    begun = {key: (upload, grace.age_s(at)) async for key, upload, at in parts.storage.list_multiparts("quarantine/")}
    in_use = {row["upload_key"] async for row in _queries.uploads_in_use(parts.pool, keys=list(begun))}
    return [
        Orphan(kind="upload", name=f"{key} {upload}", bytes=0, age_s=age_s, reason="unfinished upload of nothing open")
        for key, (upload, age_s) in begun.items()
        if key not in in_use and grace.over(age_s)
    ]


async def delete(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    """Delete objects in batches, each looked at once more."""
    gone: list[Orphan] = []
    for start in range(0, len(some), DELETE_AT_ONCE):
        batch = {orphan.name: orphan for orphan in some[start : start + DELETE_AT_ONCE]}
        still = await _unreferenced(parts, [Listed(o.name, o.bytes, _ANY_TIME) for o in batch.values()])
        shared = {key: batch[key].bytes for key in still if key.startswith(CONTENT_ADDRESSED)}
        plain = [key for key in still if key not in shared]
        await parts.storage.delete(*plain)
        gone += [batch[key] for key in (*plain, *await drop_unused(parts, dict(shared)))]
    return gone


async def abort(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    """Drop unfinished uploads."""
    for orphan in some:
        key, upload = orphan.name.split(" ", 1)
        await parts.storage.abort_multipart(key, upload)
    return some


async def _without_package(parts: WithParts, kept: set[str]) -> list[str]:
    rows = [row async for row in _queries.ready_images(parts.pool) if row["package_path"]]
    lost = [str(row["id"]) for row in rows if row["package_path"] not in kept]
    return [f"version {id_}: its package is not in storage; restore it from a backup" for id_ in lost[:MISSING_SHOWN]]


async def _unreferenced(parts: WithParts, entries: list[Listed]) -> dict[str, tuple[Listed, str]]:
    """Those of the objects that no row refers to, with the reason."""
    found: dict[str, tuple[Listed, str]] = {}
    if not entries:
        return found
    keys = [entry.key for entry in entries]
    sizes: dict[str, int | None] = {e.key: e.size for e in entries if e.key.startswith(CONTENT_ADDRESSED)}
    unused = set(await unused_paths(parts.pool, sizes)) if sizes else set()
    uploads = {row["upload_key"] async for row in _queries.uploads_in_use(parts.pool, keys=keys)}
    owners = {UUID(match.group(2)) for key in keys if (match := _OF_EPOCH.match(key))}
    rows = [row async for row in _queries.jobs_by_id(parts.pool, ids=list(owners))]
    rows += [row async for row in _queries.versions_by_id(parts.pool, ids=list(owners))]
    states = {row["id"]: row for row in rows}
    batches = {UUID(match.group(1)) for key in keys if (match := _OF_BATCH.match(key))}
    of_batches = {
        row["key"] async for row in _queries.batch_objects_in_use(parts.pool, keys=keys, batches=list(batches))
    }
    for entry in entries:
        reason = ""
        if entry.key in sizes:
            reason = "no version or job refers to it" if entry.key in unused else ""
        elif match := _OF_EPOCH.match(entry.key):
            state = states.get(UUID(match.group(2)))
            if state is None:
                reason = "its version or job is gone"
            elif state["status"] not in _OPEN and state["epoch"] != int(match.group(3)):
                reason = f"left by attempt {match.group(3)}; attempt {state['epoch']} came to the end"
        elif entry.key.startswith("batches/"):
            reason = "" if entry.key in of_batches else "no batch refers to it"
        elif entry.key.startswith("quarantine/") and entry.key not in uploads:
            reason = "upload of nothing open"
        if reason:
            found[entry.key] = (entry, reason)
    return found
