"""What nobody refers to any more: found first, shown, and removed only when asked.

Storage objects, unfinished uploads, manifests in the registry, images and containers in this host's engine, versions
that were never uploaded, dead letters of objects that ended. Whatever is younger than the grace is left alone, and
each thing is looked at once more just before it is removed.
"""

from collections.abc import Awaitable, Callable

import aiodocker
import msgspec
import structlog

from shared.db import load_queries
from shared.errors import PlatformFault
from shared.removal import orphan_images, orphan_objects
from shared.removal.found import Grace, Orphan
from shared.removal.parts import WithParts
from shared.removal.remove import remove_version
from shared.storage import STORAGE_ERRORS

log = structlog.get_logger()
_queries = load_queries("removal")

PART_ERRORS = (*STORAGE_ERRORS, PlatformFault, aiodocker.DockerError, TimeoutError)


class OrphanReport(msgspec.Struct, kw_only=True):
    """What was found; `problems` are faults that no clean-up mends, a line each."""

    orphans: list[Orphan] = []
    problems: list[str] = []

    @property
    def total_bytes(self) -> int:
        """Bytes of all orphans; registry bytes become free with its next garbage collection."""
        return sum(orphan.bytes for orphan in self.orphans)


async def find_orphans(
    parts: WithParts, *, grace_h: float = 24.0, failed_days: float | None = None, upload_hours: float = 24.0
) -> OrphanReport:
    """Look everywhere; a part that is away is a problem of the report, not an error.

    `grace_h`: younger things are left alone. `failed_days`: also take versions that failed or were canceled that long
    ago. `upload_hours`: age at which a version that was never uploaded has expired.
    """
    report, grace = OrphanReport(), Grace(grace_h)
    searches: dict[str, Callable[[], Awaitable[list[Orphan]]]] = {
        "storage": lambda: orphan_objects.find(parts, grace, report.problems),
        "registry": lambda: orphan_images.find_in_registry(parts, grace, report.problems),
        "engine": lambda: orphan_images.find_in_engine(parts, grace),
        "database": lambda: _rows(parts, grace, failed_days, upload_hours),
    }
    for part, search in searches.items():
        try:
            report.orphans += await search()
        except PART_ERRORS as error:
            report.problems.append(f"{part}: not searched: {error or type(error).__name__}")
    stuck = await _queries.stuck_outbox(parts.pool)
    if stuck["events"]:
        report.problems.append(
            f"outbox: {stuck['events']} events wait for the bus, the oldest for {stuck['oldest_s']:.0f} s; "
            "look at NATS and at the services' logs"
        )
    return report


async def delete_orphans(parts: WithParts, found: OrphanReport) -> OrphanReport:
    """Remove what a search found, after a second look at each; return what has really gone, and what did not go."""
    gone = OrphanReport(problems=list(found.problems))
    by_kind: dict[str, list[Orphan]] = {}
    for orphan in found.orphans:
        by_kind.setdefault(orphan.kind, []).append(orphan)
    removers: dict[str, Callable[[list[Orphan]], Awaitable[list[Orphan]]]] = {
        "container": lambda some: orphan_images.delete_containers(parts, some),
        "version": lambda some: _delete_versions(parts, some),
        "object": lambda some: orphan_objects.delete(parts, some),
        "upload": lambda some: orphan_objects.abort(parts, some),
        "manifest": lambda some: orphan_images.delete_manifests(parts, some),
        "image": lambda some: orphan_images.delete_images(parts, some),
        "dead letter": lambda some: _delete_dead_letters(parts, some),
    }
    for kind, remove in removers.items():
        some = by_kind.get(kind, [])
        try:
            gone.orphans += await remove(some) if some else []
        except PART_ERRORS as error:
            gone.problems.append(f"{kind}s: not all removed: {error or type(error).__name__}")
    log.info("orphans removed", orphans=len(gone.orphans), bytes=gone.total_bytes, problems=gone.problems)
    return gone


async def _rows(parts: WithParts, grace: Grace, failed_days: float | None, upload_hours: float) -> list[Orphan]:
    found = []
    async for row in _queries.stale_versions(parts.pool, upload_hours=upload_hours, failed_days=failed_days):
        reason = "never uploaded" if row["status"] == "UPLOADING" else f"{row['status']} long ago"
        found.append(Orphan(kind="version", name=str(row["id"]), bytes=row["bytes"], age_s=row["age_s"], reason=reason))
    async for row in _queries.stale_dead_letters(parts.pool):
        if grace.over(row["age_s"]):
            reason = f"{row['kind']} of {row['subject'] or 'a lost message'}, which has ended"
            found.append(Orphan(kind="dead letter", name=str(row["id"]), bytes=0, age_s=row["age_s"], reason=reason))
    return found


async def _delete_versions(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    gone = []
    for orphan in some:
        status = [row["status"] async for row in _queries.versions_by_id(parts.pool, ids=[orphan.id])]
        if status and status[0] in ("UPLOADING", "FAILED", "CANCELED"):
            await remove_version(parts, orphan.id)
            gone.append(orphan)
    return gone


async def _delete_dead_letters(parts: WithParts, some: list[Orphan]) -> list[Orphan]:
    await _queries.delete_dead_letters(parts.pool, ids=[orphan.id for orphan in some])
    return some
