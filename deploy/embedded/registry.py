"""The registry part: Debian's docker-registry as a process, or the `registry` image where Debian's is not to be had."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.platform import LauncherError, Platform, write_private

IMAGE = "registry:2.8.3"

CONFIG = """version: 0.1
log: {{level: warn, formatter: json, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
  headers: {{X-Content-Type-Options: [nosniff]}}
"""


def prepare(platform: Platform) -> None:
    """Find or fetch a registry, and write its configuration."""
    (platform.data / "registry").mkdir(exist_ok=True)
    text = CONFIG.format(root=platform.data / "registry", port=platform.ports["registry"])
    write_private(platform.run / "registry.yml", text)
    if binary(platform) is None and not _fetch(platform) and not _pull(platform):
        raise LauncherError(
            f"no registry: neither Debian's docker-registry nor the image {IMAGE} can be had here; "
            "install the package docker-registry, or let the engine pull that image"
        )
    if binary(platform) is None:
        _remove_container(platform)


def binary(platform: Platform) -> Path | None:
    """The registry program: installed, or unpacked into the data folder's cache."""
    if found := shutil.which("docker-registry"):
        return Path(found)
    unpacked = platform.data / "cache" / "registry" / "usr" / "bin" / "docker-registry"
    return unpacked if unpacked.exists() else None


def command(platform: Platform) -> list[str]:
    """Command line of the registry; a container's is its attached client, which ends when it ends."""
    if program := binary(platform):
        return [str(program), "serve", str(platform.run / "registry.yml")]
    port, name = platform.ports["registry"], _container(platform)
    return [
        "docker", "run", "--rm", "--name", name, "--label", f"clinai.instance={platform.instance}",
        "--label", "clinai.kind=registry", "-p", f"127.0.0.1:{port}:5000", "-v", f"{name}:/var/lib/registry",
        "-e", "REGISTRY_STORAGE_DELETE_ENABLED=true", "-e", "OTEL_TRACES_EXPORTER=none", IMAGE,
    ]  # fmt: skip


def environment(platform: Platform) -> dict[str, str]:
    """Variables besides the plain ones."""
    return {} if binary(platform) else {"DOCKER_HOST": platform.docker_host}


def remove(platform: Platform) -> None:
    """Remove what a registry in a container keeps outside the data folder."""
    if binary(platform) is None and shutil.which("docker"):
        _remove_container(platform)
        _docker(platform, "volume", "rm", "-f", _container(platform))


def _container(platform: Platform) -> str:
    return f"{platform.instance}-registry"


def _remove_container(platform: Platform) -> None:
    _docker(platform, "rm", "-f", _container(platform))


def _docker(platform: Platform, *args: str, timeout_s: float = 60) -> bool:
    env = {**os.environ, "DOCKER_HOST": platform.docker_host}
    try:
        done = subprocess.run(["docker", *args], env=env, capture_output=True, timeout=timeout_s, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _fetch(platform: Platform) -> bool:
    """Unpack Debian's package without installing it: its service would start on a public port of its own."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    folder = platform.data / "cache" / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30"]
    fetch = ["apt-get", *options, "download", "docker-registry"]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode != 0:
        return False
    package = max(folder.glob("docker-registry_*.deb"), key=lambda p: p.stat().st_mtime, default=None)
    if package is None:
        return False
    done = subprocess.run(["dpkg-deb", "--extract", package, folder], capture_output=True, check=False)
    package.unlink()
    return done.returncode == 0


def _pull(platform: Platform) -> bool:
    return _docker(platform, "image", "inspect", IMAGE) or _docker(platform, "pull", "-q", IMAGE, timeout_s=300)
