"""`python -m services.api.admin <command>` (`make admin A="…"`): look at a platform and maintain it.

What destroys shows first what would go, and asks on a terminal; without one it needs --yes or --delete.
"""

import argparse
import asyncio
import logging
import sys

import asyncpg
import structlog

from services.api.admin.commands import COMMANDS, Refused
from shared.errors import ClinAIError
from shared.storage import STORAGE_ERRORS


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(prog='make admin A="…"', description="Inspect and maintain a ClinAI platform.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON instead of tables")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[shared])

    for name, text in (
        ("users", "accounts, newest first"),
        ("models", "models, newest first"),
        ("versions", "versions, newest first"),
        ("jobs", "jobs, newest first"),
        ("dead-letters", "messages that were delivered too often"),
    ):
        add(name, text).add_argument("--limit", type=_count, default=50, help="rows to show (default 50)")
    add("disk", "bytes by model, and free room")
    add("queue", "what has not ended, and what waits on the bus")
    add("workers", "heartbeats of all services")
    add("redrive", "send the last event of a dead letter's object again").add_argument("id")
    orphans = add("orphans", "find what nobody refers to: objects, images, containers, rows; a dry run by default")
    orphans.add_argument("--delete", action="store_true", help="remove what is found")
    orphans.add_argument("--grace-h", type=float, default=24.0, help="leave younger things alone (hours, default 24)")
    orphans.add_argument("--failed-days", type=float, help="also versions that failed or were canceled so long ago")
    for name, what in (("delete-user", "name"), ("delete-model", "id"), ("delete-version", "id"), ("delete-job", "id")):
        noun = name.removeprefix("delete-")
        remove = add(name, f"delete a {noun} with everything of it; shows first what would go")
        remove.add_argument(what)
        remove.add_argument("--yes", action="store_true", help="do not ask")
    create = add("create-operator", "make an operator; the password is asked for, or read from standard input")
    create.add_argument("name")
    create.add_argument("--email", default="", help="default: <name>@localhost")
    add("set-password", "set an account's password and sign it out everywhere").add_argument("name")
    add("ensure-operator", "make the operator `admin` with CLINAI_ADMIN_PASSWORD unless there is an operator")
    return top


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: at least 1")
    return number


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it was done, 1 with one line on stderr when not."""
    arguments = parser().parse_args(argv)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        asyncio.run(COMMANDS[arguments.command](arguments))
    except (ClinAIError, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    except (*STORAGE_ERRORS, asyncpg.PostgresError) as error:
        print(f"a part of the platform does not answer: {error or type(error).__name__} (make status)", file=sys.stderr)
        return 1
    except EOFError:
        print("No answer: nothing was done.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
