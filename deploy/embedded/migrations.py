"""Schema of the database: dbmate's migrations, and the dump that shows where they lead."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from deploy.embedded import postgres
from deploy.embedded.platform import ROOT, LauncherError, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATIONS = ROOT / "shared" / "db" / "migrations"
SCHEMA = ROOT / "shared" / "db" / "schema.sql"
VOLATILE = re.compile(r"^(\\(un)?restrict .*|-- Dumped (from|by) .*|-- Name: \w+; Type: SCHEMA.*)\n", re.MULTILINE)
"""Lines of pg_dump that differ from one run or patch release to the next."""


async def apply(platform: Platform, say: Callable[[str], None]) -> None:
    """Bring the platform's database to the newest migration; the dump in the tree is left alone."""
    for line in (await asyncio.to_thread(dbmate, dbmate_url(platform), "--no-dump-schema", "migrate")).splitlines():
        if line.startswith("Applied"):
            say(line)


def migrate(platform: Platform) -> str:
    """Apply all migrations and write the dump, as `make migrate` does."""
    said = dbmate(dbmate_url(platform), "--no-dump-schema", "migrate")
    write_dump(dump(dbmate_url(platform)))
    return said


def rollback(platform: Platform) -> str:
    """Undo the last migration and write the dump."""
    said = dbmate(dbmate_url(platform), "--no-dump-schema", "rollback")
    write_dump(dump(dbmate_url(platform)))
    return said


def new(name: str) -> str:
    """Make an empty migration file."""
    return dbmate("", "new", name)


def check(*, write: bool = False) -> str | None:
    """Compare the dump in the tree with what the migrations make of an empty database, down and up again.

    Uses a PostgreSQL of its own in a temporary folder. Returns None when they agree, else what to do.
    """
    with _scratch() as url:
        dbmate(url, "--no-dump-schema", "migrate")
        first = dump(url)
        for _ in list(MIGRATIONS.glob("*.sql")):
            dbmate(url, "--no-dump-schema", "rollback")
        dbmate(url, "--no-dump-schema", "migrate")
        if dump(url) != first:
            return "rolling every migration back and forth changes the schema: a `migrate:down` does not undo its up"
    if write:
        write_dump(first)
        return None
    if not SCHEMA.exists() or normal(SCHEMA.read_text()) != first:
        return f"{SCHEMA.relative_to(ROOT)} is not what the migrations make: `python -m deploy schema-check --write`"
    return None


def dbmate_url(platform: Platform, database: str = "clinai") -> str:
    """URL of a database in dbmate's spelling (`socket` is the folder)."""
    return _url("clinai", platform.secrets["postgres"], database, platform.sockets)


def _url(user: str, password: str, database: str, sockets: Path) -> str:
    return f"postgres://{user}:{password}@/{database}?socket={quote(str(sockets))}&sslmode=disable"


def dbmate(url: str, *args: str) -> str:
    """Run dbmate; raises LauncherError with its words. The URL goes through the environment: it has a password."""
    path = os.pathsep.join([str(postgres.BINARIES), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        ["dbmate", "--env-file", os.devnull, "--migrations-dir", MIGRATIONS, "--schema-file", SCHEMA, *args],
        env={**os.environ, "PATH": path, "DATABASE_URL": url}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LauncherError(f"dbmate {args[-1]}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def dump(url: str) -> str:
    """Schema of a database and its applied migrations as SQL, without volatile lines."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "schema.sql"
        dbmate(url, "--schema-file", str(target), "dump")
        return normal(target.read_text())


def normal(text: str) -> str:
    """A dump without what differs between runs."""
    return re.sub(r"\n{3,}", "\n\n", VOLATILE.sub("", text)).strip() + "\n"


def write_dump(text: str) -> None:
    """Write the dump into the tree unless it says the same already."""
    if not SCHEMA.exists() or SCHEMA.read_text() != text:
        SCHEMA.write_text(text)


@contextmanager
def _scratch() -> "Iterator[str]":
    """An empty PostgreSQL that lasts as long as the block; yields the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="clinai-schema-") as folder:
        data, sockets, password = Path(folder) / "data", Path(folder) / "sockets", os.urandom(16).hex()
        postgres.prepare(data, sockets, password)
        user = postgres.server_user()
        with (
            (Path(folder) / "log").open("wb") as log,
            subprocess.Popen(
                [*postgres.command(data, sockets), "--fsync=off"], user=user, group=user,
                extra_groups=[] if user else None, cwd="/", stdout=log, stderr=log,
            ) as server,
        ):  # fmt: skip
            try:
                url = _url("postgres", password, "scratch", sockets)
                dbmate(url, "--wait", "create")
                yield url
            finally:
                server.send_signal(postgres.STOP_SIGNAL)
                server.wait(30)
