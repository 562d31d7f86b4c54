"""What one embedded platform consists of on disk: folder, ports, secrets, and the settings its services get."""

import hashlib
import json
import os
import random
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from shared.settings import Engine, docker_host, load

ROOT = Path(__file__).resolve().parents[2]
SOCKET_PATH_MAX = 100
"""Unix socket paths end at 107 bytes; PostgreSQL adds its own name and a lock suffix."""

PORTS = {  # name: (setting, default); a storage part listens on its port + 10000 as well
    "edge": ("CLINAI_EDGE_PORT", 8000),
    "storage_public": ("CLINAI_STORAGE_PUBLIC_PORT", 9000),
    "nats": ("CLINAI_NATS_PORT", 4222),
    "registry": ("CLINAI_REGISTRY_PORT", 5001),
    "api": ("CLINAI_API_PORT", 8001),
    "notifier": ("CLINAI_NOTIFIER_PORT", 8002),
    "builder_metrics": ("CLINAI_BUILDER_METRICS_PORT", 8011),
    "runner_metrics": ("CLINAI_RUNNER_METRICS_PORT", 8012),
    "notifier_metrics": ("CLINAI_NOTIFIER_METRICS_PORT", 8013),
    "storage": ("CLINAI_STORAGE_PORT", 8333),
    "storage_filer": ("CLINAI_STORAGE_FILER_PORT", 8334),
    "storage_master": ("CLINAI_STORAGE_MASTER_PORT", 8335),
    "storage_volume": ("CLINAI_STORAGE_VOLUME_PORT", 8336),
    "storage_admin": ("CLINAI_STORAGE_ADMIN_PORT", 8337),
}
PORT_STEP = 10_000


class LauncherError(Exception):
    """Something a person has to mend; the message is one line that says what."""


@dataclass
class Platform:
    """One embedded platform: the same folder gives the same ports, secrets and instance for ever."""

    data: Path
    ports: dict[str, int]
    secrets: dict[str, str]
    instance: str
    python: str = "3.11"
    base_image: str = ""
    docker_host: str = ""
    disk_min_bytes: int = 1 << 30
    """Free bytes on the data folder's disk below which nothing is started (CLINAI_DISK_MIN_BYTES)."""
    extra: dict[str, str] = field(default_factory=dict)
    """CLINAI_… variables of the environment that the launcher does not decide itself."""

    @classmethod
    def open(cls, environ: dict[str, str] | None = None) -> "Platform":
        """Open the platform of CLINAI_DATA; a new folder gets its secrets and, with CLINAI_PORTS=auto, its ports."""
        env = dict(os.environ) if environ is None else environ
        data = Path(env.get("CLINAI_DATA") or ROOT / ".clinai").absolute()
        try:
            for sub in ("run", "logs", "cache", "storage", "registry", "tmp"):
                (data / sub).mkdir(parents=True, exist_ok=True)
                # whoever else has an account here reads no package, image, input or log; sockets are passed to
                (data / sub).chmod(0o711 if sub == "run" else 0o700)
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            raise LauncherError(
                f"the data folder {data} cannot be used: {error.strerror} (CLINAI_DATA moves it)"
            ) from None
        kept = _secrets(data)
        platform = cls(
            data=data,
            ports=_ports(data, env),
            secrets=kept,
            instance=env.get("CLINAI_INSTANCE") or kept["instance"],
            python=env.get("CLINAI_PYTHON") or "3.11",
            docker_host=docker_host(load(Engine, env)),
            disk_min_bytes=_disk_min(env.get("CLINAI_DISK_MIN_BYTES", "")),
        )
        decided = platform.settings()
        platform.extra = {
            k: v for k, v in env.items() if k.startswith("CLINAI_") and k not in decided and k not in NOT_KEPT
        }
        return platform

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def sockets(self) -> Path:
        """Folder for Unix sockets: in the data folder unless that path is too long for a socket."""
        folder = self.run / "sockets"
        if len(str(folder / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_MAX:
            return folder
        return Path(tempfile.gettempdir()) / f"clinai-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"

    @property
    def control_socket(self) -> Path:
        return self.sockets / "control.sock"

    @property
    def passwords(self) -> Path:
        """File that tells the operator's and the demo user's password."""
        return self.data / "passwords.txt"

    def database_url(self, *, user: str = "clinai", database: str = "clinai") -> str:
        """DSN for asyncpg over the Unix socket."""
        password = self.secrets["postgres" if user == "clinai" else "postgres_superuser"]
        return f"postgresql://{user}:{password}@/{database}?host={quote(str(self.sockets))}&port=5432"

    def settings(self) -> dict[str, str]:
        """Every setting a service or tool needs to reach this platform, secrets included."""
        p, s = self.ports, self.secrets
        values = {
            "CLINAI_DATA": str(self.data),
            "CLINAI_INSTANCE": self.instance,
            "CLINAI_PYTHON": self.python,
            "CLINAI_DATABASE_URL": self.database_url(),
            "CLINAI_NATS_URL": f"nats://clinai:{s['nats']}@127.0.0.1:{p['nats']}",
            "CLINAI_STORAGE_ENDPOINT": f"http://127.0.0.1:{p['storage']}",
            "CLINAI_STORAGE_BUCKET": "clinai",
            "CLINAI_STORAGE_ACCESS_KEY": s["storage_access_key"],
            "CLINAI_STORAGE_SECRET_KEY": s["storage_secret_key"],
            "CLINAI_STORAGE_REGION": "us-east-1",
            "CLINAI_REGISTRY": f"127.0.0.1:{p['registry']}",
            "CLINAI_DOCKER_HOST": self.docker_host,
            "CLINAI_SECRET_KEY": s["secret_key"],
            **{setting: str(p[name]) for name, (setting, _) in PORTS.items()},
        }
        if self.base_image:
            values["CLINAI_BASE_IMAGE"] = self.base_image
        return values

    def environment(self) -> dict[str, str]:
        """Environment of our own services and tools: this process's, with the platform's settings on top."""
        environ = {k: v for k, v in os.environ.items() if k not in NOT_KEPT}
        bundle = os.environ.get("CLINAI_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or ""
        path = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)])
        environ |= {"PATH": path, "PYTHONUNBUFFERED": "1", **({"CLINAI_CA_BUNDLE": bundle} if bundle else {})}
        return environ | self.settings()

    def write_env_file(self) -> Path:
        """Write `<data>/clinai.env` for tools that want to reach the platform (`shared.settings.load_env_file`)."""
        lines = [f"{k}={v}" for k, v in sorted((self.extra | self.settings()).items())]
        return write_private(self.data / "clinai.env", "\n".join(lines) + "\n")

    def write_passwords(self) -> Path:
        """Write the file in which a person looks up the generated passwords."""
        text = f"operator  admin  {self.secrets['admin_password']}\ndemo      demo   {self.secrets['demo_password']}\n"
        return write_private(self.passwords, text)


NOT_KEPT = {"CLINAI_PORTS", "CLINAI_DISK_MIN_BYTES", "CLINAI_BASE_IMAGE", "CLINAI_ADMIN_PASSWORD", "CLINAI_PART_OF"}
"""Variables that speak to the launcher only."""


def write_private(path: Path, text: str) -> Path:
    """Replace a file at once; only its owner can read it, at no moment anybody else."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")  # made with mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _secrets(data: Path) -> dict[str, str]:
    path = data / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    fresh: dict[str, Callable[[], str]] = {
        "instance": lambda: f"clinai-{secrets.token_hex(4)}",
        "storage_access_key": lambda: secrets.token_hex(10),
        **dict.fromkeys(
            ("postgres", "postgres_superuser", "nats", "storage_secret_key", "secret_key"),
            lambda: secrets.token_hex(32),
        ),
        **dict.fromkeys(("admin_password", "demo_password"), lambda: secrets.token_urlsafe(18)),
    }
    missing = {name: make() for name, make in fresh.items() if name not in kept}
    if missing:
        kept |= missing
        write_private(path, json.dumps(kept, indent=1))
    return kept


def _disk_min(raw: str) -> int:
    if raw and not raw.isdecimal():
        raise LauncherError(f"CLINAI_DISK_MIN_BYTES={raw} is no number of bytes")
    return int(raw) if raw else 1 << 30


def _ports(data: Path, env: dict[str, str]) -> dict[str, int]:
    remembered_in = data / "ports.json"
    remembered: dict[str, int] = json.loads(remembered_in.read_text()) if remembered_in.exists() else {}
    ports: dict[str, int] = {}
    for name, (setting, default) in PORTS.items():
        if raw := env.get(setting, ""):
            if not raw.isdecimal() or not 0 < int(raw) < 65536:
                raise LauncherError(f"{setting}={raw} is no port number")
            ports[name] = int(raw)
        elif name in remembered:
            ports[name] = remembered[name]
        elif env.get("CLINAI_PORTS") == "auto":
            ports[name] = _free_port({*ports.values(), *remembered.values()})
            remembered[name] = ports[name]
        else:
            ports[name] = default
    if env.get("CLINAI_PORTS") == "auto":
        write_private(remembered_in, json.dumps(remembered, indent=1))
    return ports


def _free_port(taken: set[int]) -> int:
    """Port p below the ephemeral range such that p and p + PORT_STEP can be bound now."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 2_000):
        if port not in taken and can_bind(port) and can_bind(port + PORT_STEP):
            return port
    raise LauncherError("no free port between 20000 and 32000")


def can_bind(port: int, host: str = "0.0.0.0") -> bool:  # noqa: S104 - only to ask whether it is free
    """Tell whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
