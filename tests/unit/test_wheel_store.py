"""Kept wheels: fetched once, side by side, proven each time they leave, bounded; over a real HTTP server."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.builder.lock import Wheel
from services.builder.wheels import Wheels, WheelsAway, WheelStore
from shared.settings import Index


class Files:
    """An index's file server, which counts what it is asked for."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.at_once = self.most_at_once = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Give a file."""
        self.asked.append(request.match_info["name"])
        self.logins.append(request.headers.get("Authorization", ""))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.05)
        self.at_once -= 1
        return web.Response(body=self.bodies[request.match_info["name"]])

    def wheel(self, name: str, body: bytes, *, sha256: str = "") -> Wheel:
        """Offer a file, and the lock's entry for it."""
        filename = f"{name}-1-py3-none-any.whl"
        self.bodies[filename] = body
        return Wheel(
            requirement=f"{name}==1",
            url=f"{self.url}files/{filename}",
            filename=filename,
            sha256=sha256 or hashlib.sha256(body).hexdigest(),
            size=len(body),
        )


@pytest.fixture
async def files() -> AsyncIterator[Files]:
    """A running file server."""
    served = Files()
    app = web.Application()
    app.router.add_get("/files/{name}", served.answer)
    async with TestServer(app) as server:
        served.url = str(server.make_url("/"))
        yield served


def store(folder: Path, *, max_bytes: int = 1 << 20, index: Index | None = None) -> WheelStore:
    """A store of its own."""
    return WheelStore(folder / "kept", Wheels(max_bytes=max_bytes), index or Index(), b"")


async def gathered(made: WheelStore, wheels: list[Wheel], folder: Path) -> list[str]:
    """Gather, look that each file is right, and return what was said."""
    said: list[str] = []
    await made.gather(wheels, folder, said.append)
    for wheel in wheels:
        assert hashlib.sha256((folder / wheel.filename).read_bytes()).hexdigest() == wheel.sha256
    return said


async def test_fetched_side_by_side_and_then_kept(files: Files, tmp_path: Path) -> None:
    made = store(tmp_path)
    wheels = [files.wheel(f"w{n}", os.urandom(1000)) for n in range(6)]
    said = await gathered(made, wheels, tmp_path / "1")
    assert sum(line.startswith("Downloading") for line in said) == 6
    assert files.most_at_once > 1
    assert await gathered(made, wheels, tmp_path / "2") == ["6 of 6 wheels are here already"]
    assert sorted(files.asked) == sorted(wheel.filename for wheel in wheels)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()} == {0o400}


async def test_two_builds_at_once_fetch_a_wheel_once(files: Files, tmp_path: Path) -> None:
    made = store(tmp_path)
    wheel = files.wheel("one", b"x" * 100_000)
    await asyncio.gather(*(gathered(made, [wheel], tmp_path / str(n)) for n in range(3)))
    assert files.asked == [wheel.filename]


@pytest.mark.parametrize("harm", ["other bytes", "cut short"])
async def test_a_wheel_changed_on_the_disk_is_fetched_anew(files: Files, tmp_path: Path, harm: str) -> None:
    made = store(tmp_path)
    wheel = files.wheel("one", b"good" * 1000)
    await gathered(made, [wheel], tmp_path / "1")
    kept = tmp_path / "kept" / wheel.sha256
    kept.chmod(0o600)
    kept.write_bytes(b"evil" * 1000 if harm == "other bytes" else b"good")
    await gathered(made, [wheel], tmp_path / "2")
    assert len(files.asked) == 2
    assert kept.read_bytes() == b"good" * 1000


async def test_those_used_least_recently_make_room(files: Files, tmp_path: Path) -> None:
    made = store(tmp_path, max_bytes=3500)
    wheels = [files.wheel(f"w{n}", bytes([n]) * 1000) for n in range(4)]
    for n, wheel in enumerate(wheels[:3]):
        await gathered(made, [wheel], tmp_path / f"first-{n}")
        os.utime(tmp_path / "kept" / wheel.sha256, (n + 1, n + 1))
    await gathered(made, [wheels[0]], tmp_path / "again")  # used now: it stays
    await gathered(made, [wheels[3]], tmp_path / "more")
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {wheels[n].sha256 for n in (0, 2, 3)}


async def test_nothing_is_kept_when_the_limit_is_zero(files: Files, tmp_path: Path) -> None:
    made = store(tmp_path, max_bytes=0)
    wheel = files.wheel("one", b"x")
    for n in range(2):
        await gathered(made, [wheel], tmp_path / str(n))
    assert len(files.asked) == 2
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("fault", ["other bytes", "more bytes", "nobody there"])
async def test_what_is_not_the_wheel_is_not_kept(files: Files, tmp_path: Path, fault: str) -> None:
    made = store(tmp_path)
    wheel = files.wheel("one", b"what the lock names")
    files.bodies[wheel.filename] = b"something else here" if fault == "other bytes" else b"what the lock names, longer"
    if fault == "nobody there":
        wheel = msgspec.structs.replace(wheel, url="http://127.0.0.1:9/")
    with pytest.raises(WheelsAway, match=r"one-1-py3-none-any\.whl"):
        await made.gather([wheel], tmp_path / "1", print)
    assert not (tmp_path / "kept").exists()


async def test_the_index_password_goes_to_its_own_origin_only(files: Files, tmp_path: Path) -> None:
    own = files.url.replace("http://", "http://reader:s3cret@") + "simple"
    wheel = files.wheel("one", b"1")
    await gathered(store(tmp_path / "a", index=Index(index_url=own)), [wheel], tmp_path / "1")
    elsewhere = Index(index_url="http://reader:s3cret@127.0.0.1:9/simple")
    await gathered(store(tmp_path / "b", index=elsewhere), [wheel], tmp_path / "2")
    assert [bool(login) for login in files.logins] == [True, False]
