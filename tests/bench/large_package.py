"""A package of 500 MB: how much longer it takes until it is judged than its bytes take to travel and to be hashed."""

import asyncio
import hashlib
import os
import time
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import MIB
from tests.client import Client
from tests.platforms import TestPlatform

SIZE_BYTES = 500 * 10**6
LOOK_EVERY_S = 0.1
WATCHED = ("api", "builder")
MODEL = "def run(input_path, output_dir):\n    return {'ok': True}\n"


async def measure_large_package(bench: Bench) -> list[Number]:
    """Upload → checked, in turn with a PUT that nobody looks at and a hash of the same file; memory all the while."""
    ratios, seconds, put_only, hashing = [], [], [], []
    peaks = dict.fromkeys(WATCHED, 0.0)
    shares: dict[str, float] = {}
    with TemporaryDirectory(prefix="clinai-large-") as folder:
        file = Path(folder) / "large.zip"
        async with Client(bench.platform.url) as client:
            model = await client.create_model("large")
            for n in range(bench.times(3)):
                await client.login()
                await asyncio.to_thread(_write, file, f"# {n}\n")
                idle = await client.post("/api/models/versions", {"model_id": model, "version_number": f"idle-{n}"})
                put_only.append(await _put(idle["upload_url"], file))
                hashing.append(await asyncio.to_thread(_hash, file))
                made = await client.post("/api/models/versions", {"model_id": model, "version_number": f"real-{n}"})
                watch = asyncio.create_task(_watch(bench.platform, peaks))
                try:
                    put = await _put(made["upload_url"], file)
                    judged, version = await _judged(client, made["version_id"])
                finally:
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
                shares = {"PUT": put, **{p["name"]: p["ms"] / 1000 for p in version["phases"][:2]}}
                seconds.append(put + judged)
                ratios.append((put + judged) / (put_only[-1] + hashing[-1]))
    own = ", ".join(f"{name} {took:.2g} s" for name, took in shares.items())
    plain = Number("PUT of it, and a hash of the file", "s", [p + h for p, h in zip(put_only, hashing, strict=True)])
    memory = [
        Number(f"memory of {name} at most while a package of 500 MB is judged", "MB", [peaks[name]], goal=150.0)
        for name in WATCHED
    ]
    return [
        Number("500 MB package: upload → validated", "s", seconds, beside=own),
        plain,
        Number("500 MB package, as a share of PUT and hash", "x", ratios, goal=1.5, beside="each beside its own"),
        *memory,
    ]


async def _judged(client: Client, version_id: str) -> tuple[float, dict[str, Any]]:
    """Seconds from `build` until the package is checked; the build ends there, once the package is kept."""
    path, started = f"/api/models/versions/{version_id}", time.time()
    await client.post(f"{path}/build")

    def checked(version: dict[str, Any]) -> bool:
        assert version["error_code"] is None, version
        return len(version["phases"]) > 2 and bool(version["package_sha256"])

    version = await client.until(path, checked, timeout_s=300)
    await client.post(f"{path}/cancel")
    await client.version_end(version_id)
    check = version["phases"][1]
    ended = datetime.fromisoformat(check["started_at"]).timestamp() + check["ms"] / 1000
    return ended - started, version


async def _put(url: str, file: Path) -> float:
    """Seconds of an upload, as `curl --upload-file` does it."""

    async def body() -> AsyncIterator[bytes]:
        with file.open("rb") as source:
            while chunk := await asyncio.to_thread(source.read, MIB):
                yield chunk

    size = (await asyncio.to_thread(file.stat)).st_size
    started = time.perf_counter()
    async with httpx.AsyncClient(timeout=300) as plain:
        headers = {"Content-Length": str(size)}
        (await plain.put(url, content=body(), headers=headers)).raise_for_status()
    return time.perf_counter() - started


def _hash(file: Path) -> float:
    started = time.perf_counter()
    with file.open("rb") as source:
        hashlib.file_digest(source, "sha256")
    return time.perf_counter() - started


def _write(file: Path, comment: str) -> None:
    """A package whose weights cannot be compressed; its hash is another with each comment."""
    block = os.urandom(10**6)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("predict.py", comment + MODEL)
        archive.writestr("requirements.txt", "")
        with archive.open("weights.bin", "w") as weights:
            for _ in range(SIZE_BYTES // len(block)):
                weights.write(block)


async def _watch(platform: TestPlatform, peaks: dict[str, float]) -> None:
    """Keep the most that each part took, in MB; pages that it shares with others count in part."""
    status = await asyncio.to_thread(platform.status)
    pids = {part["name"]: part["pid"] for part in status["parts"] if part["name"] in peaks}
    while True:
        for name, pid in pids.items():
            peaks[name] = max(peaks[name], await asyncio.to_thread(_memory, pid))
        await asyncio.sleep(LOOK_EVERY_S)


def _memory(pid: int) -> float:
    """Proportional set size of a process in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 10**6 for line in lines if line.startswith("Pss:"))
