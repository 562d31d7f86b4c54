"""`python -m services.api.admin` against the session's parts: as a process where that matters, else in a thread."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
import structlog

from services.api.admin.__main__ import main, parser
from services.api.users.passwords import Passwords
from shared.db import Pool
from shared.ids import new_id
from tests.integration.admin.conftest import World
from tests.platforms import ROOT, TestPlatform


@dataclass
class Finished:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Awaitable[Finished]]
SECRET = "analytical-engine"


@pytest.fixture
def clean_environ(parts: TestPlatform) -> Iterator[dict[str, str]]:
    """No setting but where the data folder is: the rest comes from its clinai.env. Put back afterwards."""
    before = dict(os.environ)
    env = {key: value for key, value in before.items() if not key.startswith("CLINAI_")}
    env["CLINAI_DATA"] = str(parts.data)
    yield env
    os.environ.clear()
    os.environ.update(before)
    structlog.reset_defaults()


@pytest.fixture
def run(
    clean_environ: dict[str, str],
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command in a thread, with a loop of its own; starting a process for each would take seconds each."""

    async def command(*arguments: str, stdin: str = "", **environ: str) -> Finished:
        os.environ.clear()
        os.environ.update(clean_environ | environ)
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            code = await asyncio.to_thread(main, list(arguments))
        except SystemExit as stop:
            return Finished(1, capsys.readouterr().out, str(stop))
        return Finished(code, *capsys.readouterr())

    return command


def done(finished: Finished) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refused(finished: Finished) -> str:
    """One line on stderr, no traceback."""
    assert finished.returncode == 1, finished.stdout
    [line] = finished.stderr.strip().splitlines()
    return line


async def test_the_first_operator(run: Run, pool: Pool) -> None:
    """Made once, with the password given; needs one when there is none."""
    assert "CLINAI_ADMIN_PASSWORD" in refused(await run("ensure-operator"))
    done(await run("ensure-operator", CLINAI_ADMIN_PASSWORD=SECRET))
    done(await run("ensure-operator", CLINAI_ADMIN_PASSWORD="another-password"))
    [row] = await pool.fetch("SELECT username, role, hashed_password FROM users")
    assert (row["username"], row["role"]) == ("admin", "admin")
    assert row["hashed_password"].startswith("$argon2id$")
    assert await Passwords().verify(row["hashed_password"], SECRET)


def test_as_a_process(parts: TestPlatform, clean_environ: dict[str, str]) -> None:
    """As `make admin` runs it: tables on stdout, errors as one line on stderr, warnings none."""
    command = [sys.executable, "-W", "error", "-m", "services.api.admin", "users"]
    listed = subprocess.run(command, cwd=ROOT, env=clean_environ, capture_output=True, text=True, check=True)
    assert listed.stderr == ""
    assert listed.stdout.split()[0] in ("id", "No")
    env = clean_environ | {"CLINAI_DATA": "/nonexistent"}
    failed = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)


async def test_accounts(run: Run, pool: Pool, world: World) -> None:
    """Passwords come from standard input; a new one ends every session; rules are those of registration."""
    done(await run("create-operator", "boss", stdin=f"{SECRET}\n"))
    assert "taken" in refused(await run("create-operator", "BOSS", stdin=f"{SECRET}\n"))
    assert "8 to 1024" in refused(await run("create-operator", "other", stdin="short\n"))
    assert "username" in refused(await run("create-operator", "no way", stdin=f"{SECRET}\n"))
    user = await world.user()
    name = await pool.fetchval("SELECT username FROM users WHERE id = $1", user)
    done(await run("set-password", name, stdin="another-password\n"))
    hashed = await pool.fetchval("SELECT hashed_password FROM users WHERE id = $1", user)
    assert await Passwords().verify(hashed, "another-password")
    assert await pool.fetchval("SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL", user) == 0
    assert refused(await run("set-password", "nobody", stdin=f"{SECRET}\n")) == "There is no user nobody."


async def test_looking(run: Run, world: World) -> None:
    """Every listing as a table and as JSON."""
    user = await world.user()
    version = await world.version(await world.model(user), b"A", image=False)
    job, waiting = await world.job(version, user), await world.queued(version, user)
    assert str(user) in done(await run("users"))
    [shown] = json.loads(done(await run("versions", "--json")))
    assert (shown["id"], shown["status"], shown["image_bytes"]) == (str(version), "READY", 10)
    assert {row["id"] for row in json.loads(done(await run("jobs", "--json")))} == {str(job), str(waiting)}
    assert len(json.loads(done(await run("jobs", "--json", "--limit", "1")))) == 1
    assert "SUCCEEDED" in done(await run("jobs"))
    with pytest.raises(SystemExit):
        parser().parse_args(["jobs", "--limit", "0"])
    assert "QUEUED" in (shown := done(await run("queue")))
    assert shown.splitlines()[0].split() == ["noun", "status", "count", "oldest", "age"]
    assert json.loads(done(await run("queue", "--json")))["items"][0]["count"] == 1
    assert "free on the data folder's disk" in done(await run("disk"))
    assert "No service has reported" in done(await run("workers"))
    assert "No dead letters" in done(await run("dead-letters"))
    assert done(await run("models")).splitlines()[0].split()[:3] == ["id", "name", "owner"]


async def test_deleting_needs_a_yes(run: Run, world: World, pool: Pool) -> None:
    """Without one it shows what would go and removes nothing."""
    user, other = await world.user(), await world.user()
    name = await pool.fetchval("SELECT username FROM users WHERE id = $1", user)
    version = await world.version(await world.model(user), b"A")
    await world.job(version, other)
    dry = await run("delete-user", name)
    assert refused(dry) == "Nothing was removed. Say --yes to remove it."
    assert "1 model, 1 version, 1 job (1 of other people), up to 24 B" in dry.stdout
    assert await world.count("jobs") == 1

    said = done(await run("delete-user", name, "--yes"))
    assert said.splitlines()[-1].startswith("Removed 1 model, 1 version, 1 job")
    assert await pool.fetch("SELECT id FROM users") == [(other,)]
    assert await world.keys() == {key for key in await world.keys() if key.startswith("quarantine/")}
    assert refused(await run("delete-user", name, "--yes")) == f"There is no user {name}."
    assert "There is no model" in refused(await run("delete-model", str(new_id()), "--yes"))
    assert "is no id" in refused(await run("delete-model", "mine", "--yes"))


async def test_deleting_a_model(run: Run, world: World) -> None:
    """JSON says what has gone."""
    model: UUID = await world.model(await world.user())
    await world.version(model, b"A", image=False)
    gone = json.loads(done(await run("delete-model", str(model), "--yes", "--json")))
    assert (gone["models"], gone["versions"], gone["left"]) == (1, 1, [])
    assert await world.count("models") == 0


async def test_orphans(run: Run, world: World) -> None:
    """A dry run by default; a part that is away is told."""
    await world.parts.storage.put(f"jobs/{new_id()}/1/out.png", b"loose")
    assert "No orphans." in done(await run("orphans"))
    said = done(await run("orphans", "--grace-h", "0"))
    assert "1 thing, 5 B: would go" in said
    assert len(await world.keys()) == 1
    away = json.loads(done(await run("orphans", "--json", CLINAI_REGISTRY="127.0.0.1:9")))
    assert [line.split(":")[0] for line in away["problems"]] == ["registry"]
    assert "1 thing, 5 B: removed" in done(await run("orphans", "--grace-h", "0", "--delete"))
    assert await world.keys() == set()


async def test_redriving(run: Run, world: World, pool: Pool) -> None:
    """Says when there is nothing to send."""
    assert refused(await run("redrive", str(new_id()))) == "There is no such dead letter."
    user = await world.user()
    job = await world.queued(await world.version(await world.model(user), b"A", image=False), user)
    letter = new_id()
    await pool.execute(
        "INSERT INTO dead_letters (id, kind, stream, consumer, stream_seq, deliveries, object_id)"
        " VALUES ($1, 'max_deliver', 'EVENTS', 'runner', 1, 20, $2)",
        *(letter, job),
    )
    done(await run("redrive", str(letter)))
    assert await pool.fetchval("SELECT published_at IS NOT NULL AND emission = 2 FROM outbox WHERE object_id = $1", job)


async def test_a_platform_that_is_not_there(run: Run) -> None:
    """One line that says what to do."""
    missing = await run("users", CLINAI_DATA="/nonexistent")
    assert missing.returncode == 1
    assert missing.stderr == "/nonexistent/clinai.env is not there: start the platform first (make up)"
    url = "postgresql://clinai:x@127.0.0.1:9/clinai"
    assert "the database does not answer" in refused(await run("users", CLINAI_DATABASE_URL=url))
