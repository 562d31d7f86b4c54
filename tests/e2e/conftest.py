"""One model that does whatever its parameters say, built once for all tests of a job's end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import make_zip
from tests.platforms import TestPlatform

OBEDIENT = '''
"""Does what `params["do"]` says; by default it behaves."""
import json, os, signal, sys, time
from pathlib import Path


def run(input_path, output_dir, params):
    out = Path(output_dir)
    do = params.get("do", "")
    print("doing", do or "well")
    (out / "copy.bin").write_bytes(Path(input_path).read_bytes())
    if do == "raise":
        raise ValueError("the sky is not an image")
    if do == "hang":
        time.sleep(3600)
    if do == "sleep":
        time.sleep(params["seconds"])
    if do == "eat memory":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1024)) * (16 << 10))
    if do == "nothing":
        (out / "copy.bin").unlink()
        return {}
    if do == "fill disk":
        with open(out / "big.bin", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
    if do == "fill tmp":
        with open("/tmp/big.bin", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
    if do == "link":
        (out / "link").symlink_to("/etc/passwd")
    if do == "list":
        return [1, 2]
    if do == "set":
        return {"a": {1, 2}}
    if do == "big result":
        return {"a": "x" * (2 << 20)}
    if do == "print":
        line = "y" * 1023 + "\\n"
        for _ in range(params["mebibytes"] << 10):
            sys.stdout.write(line)
    if do == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do == "exit":
        os._exit(0)
    if do == "fork bomb":
        while True:
            os.fork()
    if do == "many files":
        for n in range(1100):
            (out / f"{n}.txt").write_text("x")
    if do == "subfolder":
        (out / "extra").mkdir()
        (out / "extra" / "mask.txt").write_text("1")
    return {"did": do, "bytes": (out / "copy.bin").stat().st_size, "name": Path(input_path).name}
'''


@pytest.fixture(scope="session")
async def owner(platform: TestPlatform) -> AsyncIterator[Client]:
    """The user who owns the session's models."""
    async with Client(platform.url) as user:
        yield user


@pytest.fixture(scope="session")
async def obedient(owner: Client) -> dict[str, Any]:
    """A READY version of the obedient model, with little memory."""
    return await build_obedient(owner, timeout_s=30)


@pytest.fixture(scope="session")
async def impatient(owner: Client) -> dict[str, Any]:
    """The same with a short time limit, which other ends would meet on a busy machine."""
    return await build_obedient(owner, timeout_s=2)


async def build_obedient(owner: Client, *, timeout_s: int) -> dict[str, Any]:
    """Build a version of the obedient model with this time limit for a job."""
    limits = f'timeout_s = {timeout_s}\nmemory = "256MiB"\n'
    version = await owner.build(make_zip({"predict.py": OBEDIENT, "requirements.txt": "", "clinai.toml": limits}))
    assert version["status"] == "READY", version
    return version
