"""The base image that every model image starts from, and the toolchain image that compiles what has no wheel.

Contract of a base image: `/usr/local/bin/python` is the interpreter, `/usr/local/bin/uv` is uv; user `model` (65532,
home /tmp) runs models, user `build` (65533) owns /opt/venv and installs into it; /app is root's; /workspace/in and
/workspace/out exist; libGL, glib and libgomp load.

`python -m services.builder.base_image --python 3.11 [--toolchain]` makes one and prints it as JSON.
"""

import argparse
import asyncio
import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, cast

import aiodocker
import msgspec

from services.builder import debian_root
from shared.errors import PlatformFault
from shared.settings import Engine, Group, Instance, docker_host, load

Progress = Callable[[str], None]
CHUNK = 1 << 20
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}

# What Debian's maintainer scripts and python:slim do not leave behind: a library cache, compiled standard library (the
# root of a sandbox is read-only, so an uncompiled one is compiled again at each start), users and folders.
SETTLE = """set -e
ldconfig
python -m compileall -q -j 0 "$(python -c 'import os; print(os.path.dirname(os.__file__))')" || true
python - <<'CHECK'
import ctypes, pwd, sqlite3, ssl, lzma, bz2, zlib, uuid
names = "libGL.so.1 libgthread-2.0.so.0 libgomp.so.1 libSM.so.6 libXext.so.6 libXrender.so.1 libstdc++.so.6"
for library in names.split():
    ctypes.CDLL(library)
assert pwd.getpwnam("model").pw_uid == 65532 and pwd.getpwnam("build").pw_uid == 65533
CHECK
uv --version
"""
USERS_AND_FOLDERS = """set -e
printf 'build:x:65533:65533:build:/tmp:/bin/sh\\nmodel:x:65532:65532:model:/tmp:/bin/sh\\n' >> /etc/passwd
printf 'build:x:65533:\\nmodel:x:65532:\\n' >> /etc/group
mkdir -p /app /workspace/in /workspace/out /opt/venv
chown 65533:65533 /opt/venv
chown 65532:65532 /workspace/out
find / -xdev -perm /6000 -type f -exec chmod a-s {} +
"""
APT_LIBRARIES = "libgl1 libglib2.0-0 libgomp1 libsm6 libxext6 libxrender1"
APT_TOOLCHAIN = "git gcc g++ make patch pkgconf"


class Base(Group, frozen=True, kw_only=True):
    """Where base images come from."""

    prefix = "CLINAI_BASE_"
    source: str = "python:{python}-slim"
    """Image to pull and build on; empty: always made from Debian packages."""
    first_answer_s: float = 10.0
    """How long the registry of `source` may take until it answers at all."""
    stall_s: float = 60.0
    """How long a pull may show no progress."""


class BaseImage(msgspec.Struct, frozen=True):
    """An image that is present in the engine."""

    reference: str
    id: str
    python: str


async def ensure_base(docker: aiodocker.Docker, python: str, *, progress: Progress) -> BaseImage:
    """Find or make the base image for `python` ("3.11"): pulled where a registry answers, else from Debian packages.

    May be called any number of times; one made by the same recipe is reused. Raises PlatformFault when neither way
    works here.
    """
    reference, settings = f"clinai/base:{python}", load(Base)
    recipe = _recipe(settings, python)
    if found := await _present(docker, reference, recipe):
        return BaseImage(reference, found, python)
    labels = {"clinai.kind": "base", "clinai.recipe": recipe, "clinai.python": python}
    source = settings.source.format(python=python)
    if source and await _pull(docker, source, settings, progress):
        labels["clinai.origin"] = source
        await _build_on(docker, source, reference, labels, progress)
    else:
        if (missing := debian_root.can_make()) or python not in debian_root.SUITES:
            missing = missing or f"Debian has Python {', '.join(debian_root.SUITES)}, not {python}"
            raise PlatformFault(
                f"no base image for Python {python}: {source or 'no image'} cannot be pulled and {missing}"
            )
        labels["clinai.origin"] = f"debian:{debian_root.SUITES[python]}"
        await _import_debian(docker, python, reference, labels, progress)
    made = await docker.images.inspect(reference)
    return BaseImage(reference, made["Id"], python)


async def ensure_toolchain(docker: aiodocker.Docker, base: BaseImage, *, progress: Progress) -> BaseImage:
    """Find or make the image that adds git, a C and C++ compiler and Python's headers to `base`."""
    reference = f"clinai/toolchain:{base.python}"
    recipe = _digest(base.id, *debian_root.TOOLCHAIN_PACKAGES, APT_TOOLCHAIN)
    if found := await _present(docker, reference, recipe):
        return BaseImage(reference, found, base.python)
    labels = {"clinai.kind": "base", "clinai.recipe": recipe, "clinai.python": base.python}
    origin = (await docker.images.inspect(base.id))["Config"]["Labels"].get("clinai.origin", "")
    if origin.startswith("debian:"):
        arch, folder = await _arch(docker), _cache()
        tree = await asyncio.to_thread(debian_root.make_toolchain, base.python, arch, folder, progress)
        steps, files = (
            ["ADD toolchain.tar /", "RUN ldconfig && git --version && g++ --version"],
            {"toolchain.tar": tree},
        )
    else:
        steps, files = [_apt_step(APT_TOOLCHAIN)], {}
    progress("building the toolchain image")
    await _build(docker, [f"FROM {base.id}", "USER 0", *steps], files, reference, labels)
    for tree in files.values():
        tree.unlink()
    made = await docker.images.inspect(reference)
    return BaseImage(reference, made["Id"], base.python)


async def _present(docker: aiodocker.Docker, reference: str, recipe: str) -> str | None:
    try:
        found = await docker.images.inspect(reference)
    except aiodocker.DockerError as error:
        if error.status == 404:
            return None
        raise PlatformFault(f"the engine does not answer: {error.message}") from error
    image_id: str = found["Id"]
    return image_id if (found["Config"].get("Labels") or {}).get("clinai.recipe") == recipe else None


async def _pull(docker: aiodocker.Docker, source: str, settings: Base, progress: Progress) -> bool:
    """Pull `source`; False when its registry does not answer, so that the caller can make an image instead."""
    try:
        await docker.images.inspect(source)
        return True
    except aiodocker.DockerError:
        pass
    try:
        async with asyncio.timeout(settings.first_answer_s) as limit:
            shown = ""
            async for item in docker.images.pull(source, stream=True):
                limit.reschedule(asyncio.get_running_loop().time() + settings.stall_s)
                if (status := item.get("status", "")) != shown and not item.get("progressDetail"):
                    shown = status
                    progress(f"pulling {source}: {status}")
        await docker.images.inspect(source)
    except (aiodocker.DockerError, TimeoutError):
        progress(f"{source} cannot be pulled here; making the base image from Debian packages")
        return False
    return True


async def _build_on(
    docker: aiodocker.Docker, source: str, reference: str, labels: dict[str, str], progress: Progress
) -> None:
    progress(f"adding system libraries and uv to {source}")
    uv, files = _uv(), {}
    if platform.system() == "Linux" and await _arch(docker) == _host_arch():
        files["uv"] = uv
        add_uv = "COPY uv /usr/local/bin/uv"
    else:  # this host's uv does not run in the engine
        add_uv = f"RUN python -m pip install --no-cache-dir uv=={_uv_version()}"
    steps = [f"FROM {source}", "USER 0", _apt_step(APT_LIBRARIES), add_uv]
    steps += [_run_step(USERS_AND_FOLDERS), _run_step(SETTLE), *(f"ENV {k}={v}" for k, v in ENVIRONMENT.items())]
    await _build(docker, steps, files, reference, labels)


async def _import_debian(
    docker: aiodocker.Docker, python: str, reference: str, labels: dict[str, str], progress: Progress
) -> None:
    arch, folder = await _arch(docker), _cache()
    if arch != _host_arch() or platform.system() != "Linux":
        raise PlatformFault(
            f"the engine is {arch} and this host {_host_arch()}: set CLINAI_BASE_SOURCE to an image it can pull"
        )
    files = {"usr/local/bin/uv": _uv()}
    tree = await asyncio.to_thread(debian_root.make_tree, python, arch, folder, files, progress)
    progress("importing it into the engine")
    staged = f"{reference}-staged"
    environment = [f"ENV {k}={v}" for k, v in ENVIRONMENT.items()]
    try:
        await _import_tar(docker, tree, staged, environment)
    finally:
        tree.unlink()
    progress("compiling the standard library, checking the libraries")
    container = await docker.containers.create(
        {"Image": staged, "Cmd": ["/bin/sh", "-c", SETTLE], "HostConfig": {"NetworkMode": "none"}, "Labels": labels}
    )
    try:
        await container.start()
        ended = await container.wait()
        if ended["StatusCode"] != 0:
            said = "".join(await container.log(stdout=True, stderr=True))
            raise PlatformFault(f"the new base image does not work: {said.strip()[-800:]}")
        repository, _, tag = reference.rpartition(":")
        changes = [*environment, 'CMD ["/usr/local/bin/python"]', *(f'LABEL {k}="{v}"' for k, v in labels.items())]
        await container.commit(repository=repository, tag=tag, changes=changes)
    finally:
        await container.delete(force=True)
        await docker.images.delete(staged, force=True)


async def _import_tar(docker: aiodocker.Docker, tree: Path, reference: str, changes: list[str]) -> None:
    """`docker import`; aiodocker has no call for it, so its request function is used directly."""
    repository, _, tag = reference.rpartition(":")
    params = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": "\n".join(changes)}

    async def body() -> AsyncIterator[bytes]:
        with tree.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk

    headers = {"Content-Type": "application/x-tar"}
    async with docker._query_chunked_post("images/create", params=params, data=body(), headers=headers) as response:
        said = await response.text()
    if '"error"' in said:
        raise PlatformFault(f"the engine refused the base image: {said.strip()[-300:]}")


async def _build(
    docker: aiodocker.Docker, steps: list[str], files: dict[str, Path], reference: str, labels: dict[str, str]
) -> None:
    """Build from Dockerfile lines and files with the build endpoint; raises PlatformFault with its last words."""
    with await asyncio.to_thread(_context, steps, files) as context:
        said: list[str] = []
        try:
            async for item in docker.images.build(
                fileobj=context, tag=reference, encoding="identity", labels=labels, stream=True, forcerm=True
            ):
                said = [*said[-20:], str(item.get("stream", ""))]
        except aiodocker.DockerError as error:
            raise PlatformFault(f"building {reference} failed: {error.message}; {''.join(said)[-600:]}") from error


def _context(steps: list[str], files: dict[str, Path]) -> BinaryIO:
    context = cast(BinaryIO, tempfile.TemporaryFile(dir=_cache()))  # noqa: SIM115 - the caller closes it, and it is gone
    with tarfile.open(fileobj=context, mode="w") as tar:
        dockerfile = "\n".join(steps).encode()
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile)
        tar.addfile(info, io.BytesIO(dockerfile))
        for name, path in files.items():
            tar.add(path, name)
    context.seek(0)
    return context


def _apt_step(packages: str) -> str:
    return f"RUN apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"


def _run_step(script: str) -> str:
    return "RUN " + json.dumps(["/bin/sh", "-c", script])


def _recipe(settings: Base, python: str) -> str:
    how = (SETTLE, USERS_AND_FOLDERS, APT_LIBRARIES, repr(ENVIRONMENT), debian_root.recipe())
    return _digest(settings.source, python, _uv_version(), *how)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _uv() -> Path:
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        raise PlatformFault("uv is not beside this Python nor on PATH: install the extra `embedded`, or uv")
    return Path(found).resolve()


def _uv_version() -> str:
    return subprocess.run([_uv(), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def _host_arch() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


async def _arch(docker: aiodocker.Docker) -> str:
    arch: str = (await docker.version())["Arch"]
    return arch


def _cache() -> Path:
    folder = load(Instance).data / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m services.builder.base_image", description=__doc__)
    parser.add_argument("--python", default=load(Engine).python)
    parser.add_argument("--toolchain", action="store_true", help="make the toolchain image too")
    args = parser.parse_args()
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {line}", file=sys.stderr, flush=True)

    async with aiodocker.Docker(url=docker_host(load(Engine))) as docker:
        image = await ensure_base(docker, args.python, progress=progress)
        if args.toolchain:
            await ensure_toolchain(docker, image, progress=progress)
    print(json.dumps({"reference": image.reference, "id": image.id, "python": image.python}))


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except PlatformFault as fault:
        raise SystemExit(fault.message) from None
