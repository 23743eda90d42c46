"""Processes of the services: dying with their supervisor, and being found again by their mark.

Every process of an instance carries the instance's mark in its command line: PostgreSQL as
`cluster_name`, which all its backends show, Redis in the path of its socket. What a killed
supervisor left behind is therefore recognised by what it is, never by a process id alone.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded.accounts import Account

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SERVERS = frozenset({"postgres", "valkey-server", "redis-server"})
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    """A live process of the process table."""

    pid: int
    uid: int
    program: str
    title: str

    @property
    def is_backend(self) -> bool:
        """A process that a PostgreSQL server started; the server itself is told to stop them."""
        return self.title.startswith("postgres: ")


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent dies, so that they can be reaped (Linux)."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def dying_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """A function for a new child, after its change of user: get `sign` when its parent dies.

    A change of user would clear the request, so it must come last. Elsewhere than on Linux it does
    nothing and leftovers are ended by the next supervisor.
    """
    parent = os.getpid()

    def arm() -> None:
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return arm


def servers(mark: str) -> list[Process]:
    """The live PostgreSQL and Redis processes that carry the mark, whoever runs them."""
    return [
        process
        for process in _process_table()
        if process.program in _SERVERS and mark in process.title
    ]


def end_leftovers(mark: str, account: Account, *, patience_seconds: float = 20) -> None:
    """End what a dead supervisor left running: ask, then insist, then kill."""
    for sign, seconds in ((None, patience_seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        for process in _own(mark, account):
            if sign is not None:
                _send(process.pid, sign)
            elif not process.is_backend:
                is_postgres = process.program == "postgres"
                _send(process.pid, signal.SIGINT if is_postgres else signal.SIGTERM)
        if _wait_until_gone(mark, account, seconds):
            return


def end_backends(mark: str, account: Account, *, patience_seconds: float = 2) -> None:
    """End the backends of a PostgreSQL server that died: they would block its successor."""
    started = time.monotonic()
    while left := [process for process in _own(mark, account) if process.is_backend]:
        waited_seconds = time.monotonic() - started
        if waited_seconds > 2 * patience_seconds:
            return  # unkillable for now; the successor fails and is tried again
        sign = signal.SIGQUIT if waited_seconds < patience_seconds else signal.SIGKILL
        for process in left:
            _send(process.pid, sign)
        time.sleep(0.05)
        reap(process.pid for process in left)


def reap(pids: Iterable[int]) -> None:
    """Collect the exit of adopted processes among `pids`; those not ours are skipped."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def program_of(pid: int) -> str | None:
    """The program name of a live process, or None when there is none."""
    return next((found.program for found in _process_table() if found.pid == pid), None)


def _own(mark: str, account: Account) -> list[Process]:
    return [process for process in servers(mark) if process.uid == account.uid]


def _send(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sign)


def _wait_until_gone(mark: str, account: Account, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _own(mark, account):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _process_table() -> Iterator[Process]:
    if sys.platform == "linux":
        yield from _linux_process_table()
    else:
        yield from _ps_process_table()


def _linux_process_table() -> Iterator[Process]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # A process may end while it is looked at; a zombie has no command line any more.
            with suppress(OSError):
                title = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ")
                if title:
                    yield Process(
                        pid=int(entry.name),
                        uid=entry.stat().st_uid,
                        program=Path(entry.path, "comm").read_text(errors="replace").rstrip("\n"),
                        title=os.fsdecode(title),
                    )


def _ps_process_table() -> Iterator[Process]:
    listing = subprocess.run(  # noqa: S603  a fixed command
        [shutil.which("ps") or "/bin/ps", "-axwwo", "pid=,uid=,stat=,ucomm=,command="],
        check=True,
        capture_output=True,
    ).stdout
    for line in os.fsdecode(listing).splitlines():
        fields = line.split(maxsplit=4)
        if len(fields) == 5 and not fields[2].startswith("Z"):
            pid, uid, _, program, title = fields
            yield Process(pid=int(pid), uid=int(uid), program=program, title=title)
