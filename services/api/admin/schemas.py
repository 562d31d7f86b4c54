"""Bodies and answers of the operator's routes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.statuses import Role


class AdminUser(msgspec.Struct, kw_only=True):
    """An account and how much it has."""

    id: UUID
    username: str
    email: str
    role: Role
    disabled_at: datetime | None
    created_at: datetime
    models: int
    versions: int
    jobs: int


class UserChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What changes of an account; a field that is not given stays. A disabled account is signed out at once."""

    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class Gone(msgspec.Struct, kw_only=True):
    """What a removal took; `left` names what could not be reached and is the next clean-up's."""

    models: int
    versions: int
    jobs: int
    objects: int
    images: int
    left: list[str]


class QueueRow(msgspec.Struct, kw_only=True):
    """How much stands in one state, and since when."""

    noun: str
    status: str
    count: int
    oldest_at: datetime
    oldest_s: float


class ConsumerRow(msgspec.Struct, kw_only=True):
    """A consumer of the stream EVENTS: messages that wait, and that are at work."""

    name: str
    pending: int
    ack_pending: int
    redelivered: int


class Queue(msgspec.Struct, kw_only=True):
    """What has not ended. `consumers` is null when the bus is away; `unpublished_events` wait for it."""

    items: list[QueueRow]
    consumers: list[ConsumerRow] | None
    unpublished_events: int


class WorkerRow(msgspec.Struct, kw_only=True):
    """A service as its last heartbeat told; `alive` is false after 15 s of silence."""

    id: str
    service: str
    state: str
    alive: bool
    slots: int
    busy: int
    silent_s: float
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    info: dict[str, Any]


class Workers(msgspec.Struct, kw_only=True):
    """Every service that has beaten within a day."""

    items: list[WorkerRow]


class DeadLetter(msgspec.Struct, kw_only=True):
    """A message that was delivered too often; `status` is that of its object now, null when it is gone."""

    id: UUID
    kind: str
    subject: str
    consumer: str
    deliveries: int
    reason: str
    object_id: UUID | None
    status: str | None
    created_at: datetime
    redriven_at: datetime | None


class DiskRow(msgspec.Struct, kw_only=True):
    """What one model takes, in bytes."""

    id: UUID
    name: str
    owner: str
    versions: int
    jobs: int
    package_bytes: int
    image_bytes: int
    input_bytes: int
    output_bytes: int
    log_bytes: int
    total_bytes: int


class Disk(msgspec.Struct, kw_only=True):
    """What models take, the largest first, and how much room the data folder's disk has."""

    items: list[DiskRow]
    free_bytes: int
    disk_bytes: int
    measured_at: datetime


class Cleanup(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to clean up. Without `"dry_run": false` nothing is removed."""

    dry_run: bool = True
    grace_h: Annotated[float, Meta(ge=0, le=8760)] = 24.0
    """Hours; younger things are left alone."""
    failed_days: Annotated[float, Meta(ge=0, le=3650)] | None = None
    """Days; also take versions that failed or were canceled that long ago."""


class CleanupItem(msgspec.Struct, kw_only=True):
    """One thing that nobody refers to."""

    kind: str
    name: str
    bytes: int
    age_s: float
    reason: str


class CleanedUp(msgspec.Struct, kw_only=True):
    """What would go (dry run) or has gone; `problems` are faults that no clean-up mends."""

    dry_run: bool
    items: list[CleanupItem]
    total_bytes: int
    problems: list[str]
