"""Removing things wholly: rows, objects, images, and what is left of them on the bus.

    removed = await remove_version(parts, version_id)

Each removal may be called twice and while a worker is at it: what is open is canceled first, so that workers stop;
then the rows go in one transaction; then objects and images. A part that is away does not hold it up: what stays
(`Removed.left` says so) belongs to nobody, and the orphan search finds it.
"""

from shared.removal.found import Orphan
from shared.removal.orphans import OrphanReport, delete_orphans, find_orphans
from shared.removal.parts import Removed, Weight, WithParts
from shared.removal.remove import remove_batch, remove_job, remove_model, remove_user, remove_version, weigh

__all__ = [
    "Orphan",
    "OrphanReport",
    "Removed",
    "Weight",
    "WithParts",
    "delete_orphans",
    "find_orphans",
    "remove_batch",
    "remove_job",
    "remove_model",
    "remove_user",
    "remove_version",
    "weigh",
]
