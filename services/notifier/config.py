"""Settings of the notifier."""

from typing import ClassVar

from shared.settings import MIB, Group


class Live(Group, frozen=True, kw_only=True):
    """Sockets and their bounds; every one a setting `CLINAI_NOTIFIER_…`."""

    prefix: ClassVar[str] = "CLINAI_NOTIFIER_"
    port: int = 8002
    queue_frames: int = 512
    """Frames that may wait for one client before it is closed with 4408."""
    queue_bytes: int = 2 * MIB
    """Characters that may wait for one client before it is closed with 4408."""
    stall_s: float = 30.0
    """A client that takes nothing for that long is closed with 4408."""
    heartbeat_s: float = 20.0
    subscriptions: int = 32
    """Logs one socket may follow at once."""
    replays: int = 16
    """Clients whose missed events are read from the stream at the same moment; others wait their turn."""
    revoke_every_s: float = 10.0
    """How often sockets of disabled or deleted accounts and of signed-out devices are looked for."""
