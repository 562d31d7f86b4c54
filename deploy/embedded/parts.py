"""The parts of an embedded platform and the steps between them: what runs, what it needs, when it is ready."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from deploy.embedded import migrations, postgres, probes, registry
from deploy.embedded.platform import PORT_STEP, ROOT, LauncherError, Platform, write_private

Progress = Callable[[str], None]
BIN = Path(sys.executable).parent
BACKING, SERVICES, EDGE = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Part:
    """A process that is kept running. Parts of a higher `layer` are stopped first."""

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[], Awaitable[bool]]
    needs: tuple[str, ...] = ()
    layer: int = SERVICES
    environment: Callable[[], dict[str, str]]
    prepare: Callable[[Progress], None] | None = None
    """Blocking work before each start; must be quick when there is nothing to do."""
    ports: tuple[str, ...] = ()
    user: str | None = None
    cwd: Path = ROOT
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something done once at each start of the platform before what needs it."""

    name: str
    run: Callable[[Progress], Awaitable[None]]
    needs: tuple[str, ...] = ()


Node = Part | Step
NAMES = ("postgres", "nats", "storage", "registry", "api", "notifier", "builder", "runner", "edge")


def select(only: str, without: str) -> list[str]:
    """Names of the parts to run, from comma-separated `--only` and `--without`."""
    chosen = [n.strip() for n in only.split(",") if n.strip()] or list(NAMES)
    dropped = {n.strip() for n in without.split(",") if n.strip()}
    if unknown := [n for n in (*chosen, *dropped) if n not in NAMES]:
        raise LauncherError(f"no part is called {unknown[0]}; there are {', '.join(NAMES)}")
    return [n for n in NAMES if n in chosen and n not in dropped]


def needs_engine(names: list[str]) -> bool:
    """Tell whether any of these parts uses the container engine."""
    return bool({"builder", "runner"} & set(names))


def nodes(platform: Platform, names: list[str]) -> list[Node]:
    """Parts called `names`, with the steps whose needs are among them."""
    every: list[Node] = [*_backing(platform), *_services(platform), _edge(platform)]
    chosen = {n.name for n in every if n.name in names}
    steps = [Step(name="migrations", run=lambda say: migrations.apply(platform, say), needs=("postgres",))]
    if needs_engine(names):
        steps.append(Step(name="base image", run=lambda say: _base_image(platform, say)))
    if "api" in chosen:
        steps.append(Step(name="operator account", run=lambda say: _operator(platform, say), needs=("migrations",)))
    found: list[Node] = [n for n in every if n.name in chosen]
    for step in steps:  # a step may need one before it
        if set(step.needs) <= {n.name for n in found}:
            found.append(step)
    return found


def _backing(platform: Platform) -> list[Part]:
    data, ports = platform.data, platform.ports

    def prepare_postgres(say: Progress) -> None:
        notes = postgres.prepare(data / "postgres", platform.sockets, platform.secrets["postgres_superuser"])
        for note in notes:
            say(note)

    def prepare_storage(_: Progress) -> None:
        (data / "storage").mkdir(exist_ok=True)
        # options of an earlier start would win over the ones we give now
        (data / "storage" / "mini.options").unlink(missing_ok=True)
        keys = {
            "accessKey": platform.secrets["storage_access_key"],
            "secretKey": platform.secrets["storage_secret_key"],
        }
        identity = {"name": "clinai", "credentials": [keys], "actions": ["Admin"]}
        write_private(platform.run / "s3.json", json.dumps({"identities": [identity]}))

    def prepare_nats(_: Progress) -> None:
        (data / "nats").mkdir(exist_ok=True, mode=0o700)
        template = Template((ROOT / "deploy/nats/nats-server.conf").read_text())
        text = template.substitute(instance=platform.instance, port=ports["nats"], store=data / "nats")
        write_private(platform.run / "nats-server.conf", text)

    # quoted: NATS reads a variable like a value in its file, and this one may look like a number
    nats_password = {"CLINAI_NATS_PASSWORD": f'"{platform.secrets["nats"]}"'}
    return [
        Part(
            name="postgres", layer=BACKING, command=lambda: postgres.command(data / "postgres", platform.sockets),
            ready=lambda: postgres.ready(platform), environment=_plain, prepare=prepare_postgres, cwd=Path("/"),
            user=postgres.server_user(), stop_signal=postgres.STOP_SIGNAL,
        ),
        Part(
            name="nats", layer=BACKING, ports=("nats",), prepare=prepare_nats, ready=lambda: probes.nats(platform),
            command=lambda: [str(BIN / "nats-server"), "-c", str(platform.run / "nats-server.conf")],
            environment=lambda: _plain() | {"GOMEMLIMIT": "256MiB"} | nats_password,
        ),
        Part(
            name="storage", layer=BACKING, prepare=prepare_storage, command=lambda: _storage_command(platform),
            ready=lambda: probes.http(ports["storage"], "/", accepted=(403,)),
            ports=("storage", "storage_filer", "storage_master", "storage_volume", "storage_admin"),
            # on half of the CPUs its threads wake each other less often: a sixth less CPU for an object
            environment=lambda: _plain()
            | {"GOGC": "50", "GOMEMLIMIT": "512MiB", "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2))},
            grace_s=6.0,  # it may wait 10 s for streams of its own; what it has answered lies with the kernel by then
        ),
        Part(
            name="registry", layer=BACKING, ports=("registry",), prepare=lambda _: registry.prepare(platform),
            command=lambda: registry.command(platform), environment=lambda: _plain() | registry.environment(platform),
            ready=lambda: probes.http(ports["registry"], "/v2/"),
        ),
    ]  # fmt: skip


def _storage_command(platform: Platform) -> list[str]:
    """`weed mini` without the servers we do not use; measured against `weed server -s3`: 0.6 s to 3 s until ready."""
    p = platform.ports
    return [
        str(BIN / "weed"), "mini", f"-dir={platform.data / 'storage'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-s3.config={platform.run / 's3.json'}", f"-s3.port={p['storage']}", f"-filer.port={p['storage_filer']}",
        f"-master.port={p['storage_master']}", f"-volume.port={p['storage_volume']}",
        f"-admin.port={p['storage_admin']}",
        "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-master.volumeSizeLimitMB=1024", "-s3.allowedOrigins=", "-filer.disableDirListing",
        f"-filer.localSocket={platform.sockets / 'filer.sock'}", f"-s3.localSocket={platform.sockets / 's3.sock'}",
    ]  # fmt: skip


def _services(platform: Platform) -> list[Part]:
    ports = platform.ports
    grace_s = float(os.environ.get("CLINAI_STOP_GRACE_S") or 20) + 5

    def service(name: str, needs: tuple[str, ...], port: str, path: str, metrics: str | None = None) -> Part:
        extra = {"CLINAI_METRICS_PORT": str(ports[metrics])} if metrics else {}
        return Part(
            name=name, needs=needs, grace_s=grace_s, environment=lambda: platform.environment() | extra,
            command=lambda: [sys.executable, "-m", f"services.{name}"],
            ready=lambda: probes.http(ports[port], path),
            ports=(port, *([metrics] if metrics and metrics != port else [])),
        )  # fmt: skip

    workers = ("migrations", "nats", "storage", "registry", "base image")
    return [
        service("api", ("migrations", "nats", "storage"), "api", "/api/health"),
        service("notifier", ("migrations", "nats"), "notifier", "/health", "notifier_metrics"),
        service("builder", workers, "builder_metrics", "/metrics", "builder_metrics"),
        service("runner", workers, "runner_metrics", "/metrics", "runner_metrics"),
    ]


def _edge(platform: Platform) -> Part:
    def environment() -> dict[str, str]:
        built = ROOT / "web" / "dist"
        root = built if (built / "index.html").exists() else ROOT / "deploy" / "caddy" / "landing"
        limit = os.environ.get("CLINAI_LIMIT_ZIP_BYTES", "")
        settings = {k: v for k, v in platform.settings().items() if k.endswith("_PORT")}
        return (
            _plain() | settings | {"CLINAI_WEB_ROOT": str(root), **({"CLINAI_LIMIT_ZIP_BYTES": limit} if limit else {})}
        )

    caddyfile = str(ROOT / "deploy" / "caddy" / "Caddyfile")
    return Part(
        name="edge", layer=EDGE, ports=("edge", "storage_public"), environment=environment,
        command=lambda: [str(BIN / "caddy"), "run", "--adapter", "caddyfile", "--config", caddyfile],
        ready=lambda: probes.http(platform.ports["edge"], "/"),
    )  # fmt: skip


def _plain() -> dict[str, str]:
    """Environment of programs that are not ours: nothing that they could take for a setting."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {k: os.environ[k] for k in kept if k in os.environ}


def listening(platform: Platform, part: Part) -> list[tuple[int, str]]:
    """(port, setting) of every port a part will listen on."""
    from deploy.embedded.platform import PORTS

    found = [(platform.ports[name], PORTS[name][0]) for name in part.ports]
    return found + [(port + PORT_STEP, setting) for port, setting in found if part.name == "storage"]


async def _base_image(platform: Platform, say: Progress) -> None:
    """Make the base image in a process of its own (it belongs to the builder) and remember its id."""
    out = await run_tool(
        platform, say, [sys.executable, "-m", "services.builder.base_image", "--python", platform.python]
    )
    platform.base_image = json.loads(out)["id"]
    platform.write_env_file()


async def _operator(platform: Platform, say: Progress) -> None:
    extra = {"CLINAI_ADMIN_PASSWORD": platform.secrets["admin_password"]}
    await run_tool(platform, say, [sys.executable, "-m", "services.api.admin", "ensure-operator"], extra)


async def run_tool(platform: Platform, say: Progress, command: list[str], extra: dict[str, str] | None = None) -> str:
    """Run a tool, its stderr as progress, and return its stdout; raises LauncherError with its last words."""
    from deploy.embedded.processes import MARK

    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=platform.environment() | {MARK: str(platform.data)} | (extra or {}),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    last = ""

    async def relay(stream: asyncio.StreamReader) -> None:
        nonlocal last
        async for line in stream:
            if text := line.decode(errors="replace").strip():
                last = text
                say(text)

    _, out = await asyncio.gather(relay(process.stderr), process.stdout.read())
    if await process.wait() != 0:
        raise LauncherError(last or f"{' '.join(command[1:4])} ended with {process.returncode}")
    return out.decode()
