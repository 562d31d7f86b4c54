"""Bodies and answers of the routes for versions."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from services.api.wording import worded
from shared.db import Row
from shared.statuses import VersionStatus

VersionNumber = Annotated[
    str,
    Meta(
        pattern=worded(r"^[A-Za-z0-9._+-]{1,64}$(?!\n)", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ + -"),
        description="1 to 64 letters, digits and `. _ + -`; unique in the model",
    ),
]
PART_BYTES_MIN, PART_BYTES_DEFAULT, PART_BYTES_MAX = 5 * 1024**2, 16 * 1024**2, 1024**3
"""S3 takes no smaller part but the last."""
PARTS_MAX = 1000
"""Parts of one upload: what S3 lists in one answer, so that resuming sees all that have arrived."""
URLS_MAX = 100
PartNumber = Annotated[int, Meta(ge=1, le=PARTS_MAX)]

OPEN_INFO = frozenset(
    {
        "python",
        "timeout_s",
        "memory_bytes",
        "isolation",
        "parameters",
        "accepts_params",
        "has_setup",
        "readme",
        "sandbox",
    }
)
"""What of `package_info` one must know to run a public model; the rest stays with the owner."""


class NewVersion(msgspec.Struct, kw_only=True):
    """A version to be uploaded."""

    model_id: UUID
    version_number: VersionNumber


class VersionUpload(msgspec.Struct, kw_only=True):
    """Where the package of a new version goes: a plain PUT without further headers."""

    version_id: UUID
    upload_url: str
    expires_in: int
    """Seconds until the URL is refused; `parts` gives fresh ones."""
    max_bytes: int


class BuildStarted(msgspec.Struct, kw_only=True):
    """The build is queued; faults of the package show on the version."""

    version_id: UUID
    status: VersionStatus
    message: str


class Phase(msgspec.Struct, kw_only=True):
    """One step of a build."""

    name: str
    started_at: datetime | None = None
    ms: float | None = None
    """Milliseconds; null while the step is under way."""


class VersionItem(msgspec.Struct, kw_only=True):
    """A version without its long fields."""

    id: UUID
    model_id: UUID
    owner_id: UUID
    version_number: str
    status: VersionStatus
    rev: int
    """Grows by one with each event; the newest wins."""
    docker_image: str | None
    docker_image_digest: str | None
    image_bytes: int | None
    package_sha256: str | None
    package_size: int | None
    package_info: dict[str, Any] | None
    phases: list[Phase]
    error_code: str | None
    error_message: str | None
    deadline: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Version(VersionItem, kw_only=True):
    """A version. Package, lock, log and error message are for its owner only."""

    model_name: str
    readme: str | None
    package_path: str | None
    lock: str | None
    build_logs: str
    """The last 64 KiB of the build log, live; `…/logs` has the whole."""


class WantedParts(msgspec.Struct, kw_only=True):
    """Which parts the client is about to send; without `numbers`: the first that have not arrived, by `size`."""

    numbers: Annotated[list[PartNumber], Meta(min_length=1, max_length=URLS_MAX)] | None = None
    size: Annotated[int, Meta(ge=1)] | None = None
    """Bytes of the whole package."""
    part_size: Annotated[int, Meta(ge=PART_BYTES_MIN, le=PART_BYTES_MAX)] | None = None


class PartUrl(msgspec.Struct):
    """Where one part goes: a plain PUT."""

    number: int
    url: str


class ArrivedPart(msgspec.Struct):
    """A part that storage has."""

    number: int
    size: int
    etag: str


class Parts(msgspec.Struct, kw_only=True):
    """Part n holds the bytes from (n - 1) * part_size; the last may be shorter."""

    part_size: int
    expires_in: int
    parts: list[PartUrl]
    uploaded: list[ArrivedPart]


class PartsJoined(msgspec.Struct, kw_only=True):
    """The package is whole; `build` comes next."""

    version_id: UUID
    size: int


def _common(row: Row, *, mine: bool) -> dict[str, Any]:
    info = row["package_info"]
    if info is not None:
        info = {key: value for key, value in info.items() if key != "readme" and (mine or key in OPEN_INFO)}
    return {
        "id": row["id"],
        "model_id": row["model_id"],
        "owner_id": row["owner_id"],
        "version_number": row["version_number"],
        "status": VersionStatus(row["status"]),
        "rev": row["rev"],
        "docker_image": row["docker_image"],
        "docker_image_digest": row["docker_image_digest"],
        "image_bytes": row["image_bytes"],
        "package_sha256": row["package_sha256"],
        "package_size": row["package_size"],
        "package_info": info,
        "phases": msgspec.convert(row["phases"], list[Phase]),
        "error_code": row["error_code"],
        # it quotes the package and the build's output
        "error_message": row["error_message"] if mine else None,
        "deadline": row["deadline"],
        "queued_at": row["queued_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def version_item(row: Row, *, mine: bool) -> VersionItem:
    """Make an item of a list; `mine` tells whether the reader owns the version."""
    return VersionItem(**_common(row, mine=mine))


def version_from(row: Row, *, mine: bool) -> Version:
    """Make the whole answer; `mine` tells whether the reader owns the version."""
    return Version(
        **_common(row, mine=mine),
        model_name=row["model_name"],
        readme=(row["package_info"] or {}).get("readme"),
        package_path=row["package_path"] if mine else None,
        lock=row["lock"] if mine else None,
        build_logs=row["build_logs"] if mine else "",
    )
