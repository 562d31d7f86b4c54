"""Settings from the environment (`CLINAI_…`): one class per concern, units in the field names.

`load(Storage)` reads the variables `<prefix><FIELD>`; a wrong value is an error that names the variable.
"""

import json
import math
import os
import socket
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all settings classes; `prefix` precedes the upper-cased field name. Numbers are 0 or more."""

    prefix: ClassVar[str] = "CLINAI_"
    least: ClassVar[dict[str, int]] = {}
    """Fields that may be below 0, and by how much."""


S = TypeVar("S", bound=Group)

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

WANTED: dict[Any, str] = {
    int: "must be a whole number",
    float: "must be a number",
    bool: "must be true or false",
    LogFormat: "must be json or console",
    LogLevel: "must be debug, info, warning or error",
}
"""What a setting of each type takes, in the words of the one who set it."""


def load(group: type[S], environ: dict[str, str] | None = None) -> S:
    """Read one settings class from the environment.

    Raises SystemExit naming the variable when a value cannot be read: a service must not start half configured.
    """
    env = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(group):
        name = f"{group.prefix}{field.name.upper()}"
        if (raw := env.get(name, "")) != "":
            try:
                value = msgspec.convert(raw, field.type, strict=False, dec_hook=_path)
            except msgspec.ValidationError as error:
                raise SystemExit(
                    f"setting {name}={raw!r} {WANTED.get(field.type, error)} (docs/operations.md)"
                ) from None
            least = group.least.get(field.name, 0)
            if isinstance(value, int | float) and not least <= value < math.inf:
                raise SystemExit(f"setting {name}={raw!r} must be {least} or more (docs/operations.md)")
            values[field.name] = value
        elif field.required:
            raise SystemExit(f"setting {name} is missing; start with `make up`, or set it (docs/operations.md)")
    return group(**values)


def _path(kind: type, value: Any) -> Any:
    return kind(value)


def load_env_file(data: Path | str | None = None) -> dict[str, str]:
    """Put the settings of the platform in `data` (default CLINAI_DATA) into os.environ; what is set already wins.

    The launcher writes `<data>/clinai.env` as KEY=value lines. Returns what the file says.
    """
    folder = Path(data or os.environ.get("CLINAI_DATA", ".clinai"))
    path = folder / "clinai.env"
    if not path.exists():
        raise SystemExit(f"{path} is not there: start the platform first (make up)")
    pairs = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    for key, value in pairs.items():
        os.environ.setdefault(key, value)
    return pairs


class Instance(Group, frozen=True, kw_only=True):
    """Who we are."""

    data: Path = Path(".clinai")
    instance: str = "default"
    """Value of the label `clinai.instance` on every engine object."""
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"
    worker_id: str = ""
    metrics_port: int = 0
    """Loopback port of the Prometheus page of builder, runner and notifier; 0 for none."""

    def worker(self, service: str) -> str:
        """Stable name of this worker; unique per process, the same after a restart."""
        return self.worker_id or f"{service}-{socket.gethostname()}"


class Database(Group, frozen=True, kw_only=True):
    """PostgreSQL."""

    prefix: ClassVar[str] = "CLINAI_DATABASE_"
    url: str
    pool_min: int = 1
    pool_max: int = 16
    command_timeout_s: float = 30.0


class Bus(Group, frozen=True, kw_only=True):
    """NATS JetStream."""

    prefix: ClassVar[str] = "CLINAI_NATS_"
    url: str
    replicas: int = 1


class Storage(Group, frozen=True, kw_only=True):
    """S3 object storage."""

    prefix: ClassVar[str] = "CLINAI_STORAGE_"
    endpoint: str
    public_url: str = ""
    """Origin clients reach storage at; empty: the host the request came to, with `public_port`."""
    public_port: int = 9000
    bucket: str = "clinai"
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    upload_expires_s: int = 900
    download_expires_s: int = 3600


class Engine(Group, frozen=True, kw_only=True):
    """Container engine and registry."""

    docker_host: str = ""
    registry: str = "127.0.0.1:5001"
    sandbox_runtime: str = ""
    """Engine runtime of sandboxes, e.g. `runsc`; empty: the engine's default."""
    base_image: str = ""
    python: str = "3.11"


class Work(Group, frozen=True, kw_only=True):
    """Leases, deadlines and concurrency of builder and runner."""

    least: ClassVar[dict[str, int]] = {"warm_sandboxes": -1}

    runner_slots: int = 0
    """Jobs at once; 0: from this host's CPU and memory."""
    builder_slots: int = 0
    """Builds at once; 0: from this host's CPU and memory."""
    warm_sandboxes: int = -1
    """Sandboxes with a loaded model that a runner keeps waiting; 0: a container a job; -1: by this host's memory."""
    warm_idle_s: float = 300.0
    """How long a loaded sandbox waits for its next job before it is removed."""
    lease_s: float = 30.0
    heartbeat_s: float = 10.0
    ack_wait_s: float = 30.0
    sweep_every_s: float = 5.0
    relay_every_s: float = 1.0
    reemit_after_s: float = 30.0
    """A queued object that nobody took so long after its turn is emitted again; doubles with each emission."""
    job_deadline_s: float = 900.0
    """A batch has that long and the model's time limit for each of its inputs."""
    build_deadline_s: float = 3600.0
    chunk_s: float = 5.0
    """How long a runner works on one piece of a batch before it stores what it has and takes the next."""
    upload_expires_h: float = 24.0
    stop_grace_s: float = 20.0
    """How long a stopping worker lets running work finish before it hands it back."""


class Index(Group, frozen=True, kw_only=True):
    """Where and how packages of requirements come from."""

    index_url: str = ""
    extra_index_url: str = ""
    find_links: str = ""
    ca_bundle: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    torch_backend: str = "cpu"
    allowed_index_hosts: str = ""
    """Comma-separated hosts a requirements.txt may name in --index-url and the like."""

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Hosts from `allowed_index_hosts`, lower-cased."""
        return frozenset(h.strip().lower() for h in self.allowed_index_hosts.split(",") if h.strip())


class Limits(Group, frozen=True, kw_only=True):
    """Limits of design section 7; every one a setting `CLINAI_LIMIT_…`."""

    prefix: ClassVar[str] = "CLINAI_LIMIT_"
    zip_bytes: int = 2 * GIB
    unpacked_bytes: int = 4 * GIB
    entries: int = 20_000
    ratio: int = 200
    input_bytes: int = 100 * MIB
    batch_inputs: int = 1_000
    batch_bytes: int = 2 * GIB
    """The inputs of a batch together, as they are sent."""
    output_bytes: int = 512 * MIB
    output_files: int = 1_000
    result_bytes: int = MIB
    message_bytes: int = 4 * KIB
    job_log_bytes: int = 4 * MIB
    build_log_bytes: int = 16 * MIB
    live_log_lines: int = 20_000
    """Lines of one object sent live; the rest is only in the stored log."""
    log_line_bytes: int = 8 * KIB
    tmp_bytes: int = 256 * MIB
    processes: int = 128
    job_s: float = 60.0
    job_s_max: float = 600.0
    """Highest timeout a clinai.toml may ask for."""
    memory_bytes: int = 2 * GIB
    memory_bytes_max: int = 8 * GIB
    """Highest memory a clinai.toml may ask for."""
    cpus: float = 1.0
    build_s: float = 1800.0
    build_memory_bytes: int = 4 * GIB
    build_cpus: float = 2.0
    image_bytes: int = 8 * GIB
    user_bytes: int = 0
    """What one user's packages and images may take together; 0: no quota."""


class Auth(Group, frozen=True, kw_only=True):
    """Accounts and tokens."""

    secret_key: str
    """At least 32 bytes; signs access tokens (HS256)."""
    access_token_s: int = 900
    refresh_token_s: int = 30 * 86400
    cookie_secure: bool = False
    register_per_minute: int = 60
    login_failures_per_minute: int = 10
    requests_per_second: int = 100
    trusted_proxies: str = "127.0.0.1,::1"
    """Addresses whose X-Forwarded-For is believed (the edge)."""


def docker_host(settings: Engine) -> str:
    """URL of the engine: CLINAI_DOCKER_HOST, DOCKER_HOST, the current docker context, else the default socket."""
    for value in (settings.docker_host, os.environ.get("DOCKER_HOST", "")):
        if value:
            return value
    return _context_host() or "unix:///var/run/docker.sock"


def _context_host() -> str | None:
    """Endpoint of the current docker context (`~/.docker/config.json` and `contexts/meta/<sha256>`)."""
    import hashlib

    root = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    try:
        name = os.environ.get("DOCKER_CONTEXT") or json.loads((root / "config.json").read_text()).get("currentContext")
        if not name or name == "default":
            return None
        digest = hashlib.sha256(name.encode()).hexdigest()
        meta = json.loads((root / "contexts" / "meta" / digest / "meta.json").read_text())
        host = meta["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError):
        return None
    return host if isinstance(host, str) and urlsplit(host).scheme else None
