"""What a request has at hand: the signed-in user and the parts of the platform, injected by name into handlers."""

from dataclasses import dataclass
from uuid import UUID

import aiodocker
import msgspec

from services.api.predict.ends import JobEnds
from shared import settings
from shared.bus import BusConnection
from shared.db import Pool
from shared.outbox import Outbox
from shared.statuses import Role
from shared.storage import ObjectStore


class User(msgspec.Struct, frozen=True):
    """Who sent the request; `session_id` is the signed-in device. Handlers take it as `user`."""

    id: UUID
    username: str
    role: Role
    session_id: UUID

    @property
    def is_admin(self) -> bool:
        """Whether this is an operator."""
        return self.role is Role.ADMIN


@dataclass(frozen=True)
class Context:
    """Open parts and settings of the gateway, one for the process. Handlers take it as `context`."""

    pool: Pool
    bus: BusConnection
    outbox: Outbox
    ends: JobEnds
    storage: ObjectStore
    docker: aiodocker.Docker
    instance: settings.Instance
    auth: settings.Auth
    engine: settings.Engine
    limits: settings.Limits
    storage_settings: settings.Storage
    work: settings.Work
