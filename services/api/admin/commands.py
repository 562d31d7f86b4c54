"""The commands of `make admin`, each on open parts of the platform."""

import asyncio
import getpass
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiodocker
import asyncpg

from services.api.admin import accounts, service, show
from services.api.admin.disk import measure
from services.api.admin.schemas import Cleanup
from services.api.paging import NEWEST
from shared import settings
from shared.bus import BusConnection, open_bus
from shared.db import Pool, load_queries, open_pool
from shared.engine import open_engine
from shared.errors import NotFound
from shared.outbox import Outbox
from shared.removal import Removed, WithParts, remove_job, remove_model, remove_user, remove_version, weigh
from shared.settings import load, load_env_file
from shared.storage import ObjectStore, open_storage

_queries = load_queries("admin")

Command = Callable[[Namespace], Coroutine[Any, Any, None]]
CONNECT_TIMEOUT_S = 10.0


class Refused(Exception):
    """Not done; the message says why."""


@dataclass(frozen=True)
class OpenParts:
    """What commands work on, open for the time of one of them."""

    pool: Pool
    bus: BusConnection
    outbox: Outbox
    storage: ObjectStore
    docker: aiodocker.Docker
    engine: settings.Engine
    instance: settings.Instance
    work: settings.Work


def load_platform() -> None:
    """Read `<data>/clinai.env` unless the environment says where the platform is, as in production."""
    if not os.environ.get("CLINAI_DATABASE_URL"):
        load_env_file()


@asynccontextmanager
async def database() -> AsyncIterator[Pool]:
    """The database alone."""
    load_platform()
    try:
        pool = await open_pool(load(settings.Database), "admin")
    except (OSError, asyncpg.PostgresError) as error:
        raise Refused(f"the database does not answer: {error} (is the platform up? make status)") from None
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def everything() -> AsyncIterator[OpenParts]:
    """All parts. NATS must answer; an engine, registry or storage that is away shows in what a command reports."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                bus = await stack.enter_async_context(open_bus(load(settings.Bus), "admin"))
        except (OSError, TimeoutError) as error:
            raise Refused(f"the bus does not answer: {str(error) or 'no connection'} (make status)") from None
        yield OpenParts(
            pool=pool,
            bus=bus,
            outbox=Outbox(pool, bus),
            storage=await stack.enter_async_context(open_storage(load(settings.Storage))),
            docker=await stack.enter_async_context(open_engine(load(settings.Engine))),
            engine=load(settings.Engine),
            instance=load(settings.Instance),
            work=load(settings.Work),
        )


# -- looking ----------------------------------------------------------------------------------------------------------


def _listing(query: str, empty: str) -> Command:
    async def command(arguments: Namespace) -> None:
        async with database() as pool:
            found = [row async for row in getattr(_queries, query)(pool, before=NEWEST, limit=arguments.limit)]
        show.rows(found, as_json=arguments.json, empty=empty)

    return command


async def disk(arguments: Namespace) -> None:
    """Bytes by model."""
    async with everything() as parts:
        found = await measure(parts)
    if arguments.json:
        show.json(found)
        return
    show.rows(found.items, as_json=False, empty="Nothing is stored yet.")
    print(f"\n{show.size(found.free_bytes)} of {show.size(found.disk_bytes)} free on the data folder's disk")


async def queue(arguments: Namespace) -> None:
    """What has not ended."""
    async with everything() as parts:
        found = await service.queue(parts.pool, parts.bus)
    if arguments.json:
        show.json(found)
        return
    show.rows(found.items, as_json=False, empty="Nothing waits and nothing runs.")
    if found.consumers is None:
        print("\nThe bus does not answer.")
    else:
        print()
        show.rows(found.consumers, as_json=False, empty="No worker has a consumer on the bus yet.")
    if found.unpublished_events:
        print(f"\n{found.unpublished_events} events wait to leave for the bus")


async def workers(arguments: Namespace) -> None:
    """Heartbeats."""
    async with database() as pool:
        found = await service.workers(pool)
    show.rows(found.items, as_json=arguments.json, empty="No service has reported within a day.")


# -- mending ----------------------------------------------------------------------------------------------------------


async def redrive(arguments: Namespace) -> None:
    """Send a dead letter's event again."""
    async with everything() as parts:
        await service.redrive(parts, _id(arguments.id))
    print("Its last event was sent again.")


async def orphans(arguments: Namespace) -> None:
    """Find, show, and remove when asked."""
    wanted = Cleanup(dry_run=not arguments.delete, grace_h=arguments.grace_h, failed_days=arguments.failed_days)
    async with everything() as parts:
        if arguments.delete and sys.stdin.isatty() and not arguments.json:
            dry = Cleanup(grace_h=wanted.grace_h, failed_days=wanted.failed_days)
            found = await service.clean_up(parts, dry, upload_hours=parts.work.upload_expires_h)
            show.rows(found.items, as_json=False, empty="No orphans.")
            if not found.items:
                return
            _ask(f"Delete these {len(found.items)} ({show.size(found.total_bytes)})?")
        report = await service.clean_up(parts, wanted, upload_hours=parts.work.upload_expires_h)
    if arguments.json:
        show.json(report)
        return
    show.rows(report.items, as_json=False, empty="No orphans.")
    for problem in report.problems:
        print(f"! {problem}")
    if report.items:
        did = "would go (nothing was removed; --delete removes)" if report.dry_run else "removed"
        print(f"\n{show.counted(things=len(report.items))}, {show.size(report.total_bytes)}: {did}")


async def delete_user(arguments: Namespace) -> None:
    """Remove an account wholly."""
    async with everything() as parts:
        user = await accounts.find(parts.pool, arguments.name)
        await _delete(parts, arguments, f"user {arguments.name}", user, remove_user)


async def _delete_by_id(arguments: Namespace) -> None:
    noun = arguments.command.removeprefix("delete-")
    remove = {"model": remove_model, "version": remove_version, "job": remove_job}[noun]
    async with everything() as parts:
        await _delete(parts, arguments, f"{noun} {arguments.id}", _id(arguments.id), remove)


async def _delete(
    parts: OpenParts,
    arguments: Namespace,
    what: str,
    id_: UUID,
    remove: Callable[[WithParts, UUID], Awaitable[Removed]],
) -> None:
    weight = await weigh(parts, **{what.split(" ", 1)[0]: id_})
    if not what.startswith("user ") and not (weight.models or weight.versions or weight.jobs):
        raise NotFound(f"There is no {what}.")
    if not arguments.json:
        print(
            f"{what}: {show.counted(models=weight.models, versions=weight.versions, jobs=weight.jobs)} "
            f"({weight.jobs_of_others} of other people), up to {show.size(weight.total_bytes)}"
        )
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise Refused("Nothing was removed. Say --yes to remove it.")
        _ask("Delete all of this for good?")
    removed = await remove(parts, id_)
    if arguments.json:
        show.json(removed)
        return
    gone = show.counted(
        models=removed.models, versions=removed.versions, jobs=removed.jobs,
        objects=removed.objects, images=removed.images,
    )  # fmt: skip
    print(f"Removed {gone}.")
    for line in removed.left:
        print(f'! left: {line} (make admin A="orphans" finds it)')


# -- accounts ---------------------------------------------------------------------------------------------------------


async def create_operator(arguments: Namespace) -> None:
    """Make an operator."""
    password = _password()
    async with database() as pool:
        await accounts.create_operator(pool, arguments.name, arguments.email, password)
    print(f"{arguments.name} is an operator.")


async def set_password(arguments: Namespace) -> None:
    """Set a password and end every session."""
    password = _password()
    async with database() as pool:
        await accounts.set_password(pool, arguments.name, password)
    print(f"The password of {arguments.name} was set; the account is signed out everywhere.")


async def ensure_operator(_: Namespace) -> None:
    """Make `admin` unless there is an operator already."""
    async with database() as pool:
        if await _queries.count_operators(pool):
            return
        password = os.environ.get("CLINAI_ADMIN_PASSWORD", "")
        if not password:
            raise Refused('there is no operator yet: set CLINAI_ADMIN_PASSWORD, or make admin A="create-operator NAME"')
        await accounts.create_operator(pool, accounts.FIRST_OPERATOR, "", password)
    print(f"made the operator {accounts.FIRST_OPERATOR}", file=sys.stderr)


def _password() -> str:
    """Ask twice on a terminal; else take the first line of standard input. Never an argument: those are seen."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise Refused("The two passwords differ; nothing was changed.")
    return password


def _ask(question: str) -> None:
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("Nothing was removed.")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused(f"{text} is no id; `models`, `versions`, `jobs` and `dead-letters` show them") from None


COMMANDS: dict[str, Command] = {
    "users": _listing("page_users", "No users."),
    "models": _listing("page_models", "No models."),
    "versions": _listing("page_versions", "No versions."),
    "jobs": _listing("page_jobs", "No jobs."),
    "dead-letters": _listing("page_dead_letters", "No dead letters: every message was handled."),
    "disk": disk,
    "queue": queue,
    "workers": workers,
    "redrive": redrive,
    "orphans": orphans,
    "delete-user": delete_user,
    "delete-model": _delete_by_id,
    "delete-version": _delete_by_id,
    "delete-job": _delete_by_id,
    "create-operator": create_operator,
    "set-password": set_password,
    "ensure-operator": ensure_operator,
}
