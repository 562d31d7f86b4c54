"""States of versions, jobs and batches, as users see them and as the database holds them (design, section 5)."""

from enum import StrEnum


class VersionStatus(StrEnum):
    """UPLOADING → QUEUED → BUILDING → READY | FAILED | CANCELED."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    READY = "READY"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class JobStatus(StrEnum):
    """UPLOADING → QUEUED → RUNNING → SUCCEEDED | FAILED | CANCELED."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class BatchStatus(StrEnum):
    """UPLOADING → QUEUED → RUNNING → COMPLETED | CANCELED; each input has an end of its own."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class Role(StrEnum):
    """What an account may do; `admin` is the operator."""

    USER = "user"
    ADMIN = "admin"


class Isolation(StrEnum):
    """How a model's jobs are kept apart (design, section 9)."""

    FORK = "fork"
    WARM = "warm"
    CONTAINER = "container"
