"""What a removal needs and what it tells."""

from typing import Protocol

import aiodocker
import msgspec

from shared import settings
from shared.bus import BusConnection
from shared.db import Pool
from shared.outbox import Outbox
from shared.storage import ObjectStore


class WithParts(Protocol):
    """Open parts of the platform; the gateway's context and a worker's parts are such."""

    @property
    def pool(self) -> Pool: ...
    @property
    def bus(self) -> BusConnection: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def storage(self) -> ObjectStore: ...
    @property
    def docker(self) -> aiodocker.Docker: ...
    @property
    def engine(self) -> settings.Engine: ...
    @property
    def instance(self) -> settings.Instance: ...


class Removed(msgspec.Struct, kw_only=True):
    """What has gone."""

    users: int = 0
    models: int = 0
    versions: int = 0
    jobs: int = 0
    batches: int = 0
    objects: int = 0
    """Objects in storage."""
    images: int = 0
    """Manifests in the registry and images in this host's engine."""
    left: list[str] = []
    """What could not be reached, a line each; the orphan search finds it later."""


class Weight(msgspec.Struct, kw_only=True):
    """What a removal would take: counts, and bytes of packages, images, inputs and outputs.

    Bytes are those of the rows; what others share stays, so that less may become free.
    """

    models: int
    versions: int
    jobs: int
    jobs_of_others: int
    """Jobs of other people on public models: they go with the version they ran on."""
    package_bytes: int
    image_bytes: int
    input_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        """All bytes together."""
        return self.package_bytes + self.image_bytes + self.input_bytes + self.output_bytes
