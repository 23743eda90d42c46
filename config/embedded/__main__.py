"""`python -m config.embedded`: look at the embedded services, end them, or run a command on them."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from config.embedded import users
from config.embedded.control import InUse, status, stop
from config.embedded.endpoints import Endpoints
from config.embedded.errors import EmbeddedServicesError

_PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.action == "run":
            return _run(chosen.data_dir, chosen.command)
        if chosen.action == "stop":
            return _stop(chosen.data_dir, force=chosen.force)
        return _print_status(chosen.data_dir)
    except EmbeddedServicesError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("DATA_DIR") or _PROJECT / ".data"),
        help="the data folder (default: DATA_DIR, else .data in the project)",
    )
    actions = parser.add_subparsers(dest="action")
    actions.add_parser("status", help="what runs, as a table (the default)")
    ending = actions.add_parser("stop", help="end the services now")
    ending.add_argument("--force", action="store_true", help="even while others use them")
    running = actions.add_parser(
        "run", help="run a command with DATABASE_URL, REDIS_URL and CACHE_URL set"
    )
    running.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _print_status(data_dir: Path) -> int:
    found = status(data_dir)
    rows = [
        ("data folder", data_dir),
        ("services", found.phase),
        ("supervisor", found.supervisor_pid),
        ("postgres", found.postgres_pid),
        ("broker", found.broker_pid),
        ("cache", found.cache_pid),
        ("sockets", found.socket_dir),
        ("users", "unknown" if found.user_pids is None else " ".join(map(str, found.user_pids))),
    ]
    for name, value in rows:
        sys.stdout.write(f"{name:12} {value or '-'}\n")
    return 0


def _stop(data_dir: Path, *, force: bool) -> int:
    try:
        has_stopped = stop(data_dir, force=force)
    except InUse as refusal:
        raise EmbeddedServicesError(f"{refusal} End them first, or repeat with --force.") from None
    sys.stdout.write("Stopped.\n" if has_stopped else "Nothing runs.\n")
    return 0


def _run(data_dir: Path, command: list[str]) -> int:
    """Run the command while holding the services; its exit code, 128 + n after signal n."""
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        raise EmbeddedServicesError("Say which command to run: run -- COMMAND …")
    services = users.acquire(data_dir)
    # The terminal sends an interrupt to the command as well, which decides what it means. A handler
    # that does nothing is not inherited by the command, as being ignored would be.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(  # noqa: S603  the command the user typed
            command,
            env={**os.environ, **_variables(services)},
            pass_fds=(users.hold_descriptor(data_dir),),
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda number, _: process.send_signal(number))
    code = process.wait()
    return code if code >= 0 else 128 - code


def _variables(services: Endpoints) -> dict[str, str]:
    return {
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.broker_url,
        "CACHE_URL": services.cache_url,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
