"""Process groups that outlive whoever started them, found again by pid files and ended whole.

A web server killed by force leaves its workers behind, and they go on serving old code on a port
that a new server may share with them. Each program of ours therefore leads a group of its own, and
`<name>.pid` in a folder holds the group's number from the program's start on.

Numbers are given again, so a group counts as ours only if its oldest process was there when its pid
file was written: a stranger with the number would have come later. A zombie counts as gone.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

CLOCK_SLACK_SECONDS = 2.0
KILL_SECONDS = 5.0
_POLL_SECONDS = 0.05


def alive(folder: Path) -> dict[str, int]:
    """The groups of the folder's pid files that have a live process: name → group number."""
    groups = {file.stem: group for file in folder.glob("*.pid") if (group := _group(file))}
    if not groups:
        return {}
    oldest: dict[int, float] = {}
    for number, started_at in _processes():
        oldest[number] = min(started_at, oldest.get(number, started_at))
    return {
        name: number
        for name, (number, written_at) in groups.items()
        if oldest.get(number, float("inf")) <= written_at + CLOCK_SLACK_SECONDS
    }


def end(folder: Path, *, patience_seconds: float) -> list[str]:
    """End every live group of the folder, by force after `patience_seconds`, and the pid files.

    Returns the names of those that were alive, and only when all of them are gone.
    """
    names = list(alive(folder))
    for sign, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, KILL_SECONDS)):
        for number in alive(folder).values():
            with suppress(ProcessLookupError):
                os.killpg(number, sign)
        deadline = time.monotonic() + seconds
        while alive(folder) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    for file in folder.glob("*.pid"):
        if file.stem not in alive(folder):
            file.unlink(missing_ok=True)
    return names


def write(folder: Path, name: str) -> None:
    """Name the calling process's own group in the folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{name}.pid").write_text(f"{os.getpgrp()}\n", encoding="ascii")


def _group(file: Path) -> tuple[int, float] | None:
    """The number in a pid file and when it was written; None while a program is about to write."""
    with suppress(OSError, ValueError):
        return int(file.read_text(encoding="ascii")), file.stat().st_mtime
    return None


def _processes() -> Iterator[tuple[int, float]]:
    """The group and the start, in Unix seconds, of every process that is not a zombie."""
    return _linux_processes() if sys.platform == "linux" else _ps_processes()


def _linux_processes() -> Iterator[tuple[int, float]]:
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    booted_at = next(float(line.split()[1]) for line in lines if line.startswith("btime "))
    ticks = os.sysconf("SC_CLK_TCK")
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # A process may end while it is looked at.
            with suppress(OSError):
                # The name in parentheses may hold anything, so fields are counted after it.
                text = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                fields = text.rpartition(")")[2].split()
                if fields[0] not in {"Z", "X"}:
                    yield int(fields[2]), booted_at + int(fields[19]) / ticks


def _ps_processes() -> Iterator[tuple[int, float]]:
    listing = subprocess.run(  # noqa: S603  a fixed command
        [shutil.which("ps") or "/bin/ps", "-axo", "pgid=,stat=,lstart="],
        check=True,
        capture_output=True,
        text=True,
        env={"LC_ALL": "C"},
    ).stdout
    for line in listing.splitlines():
        group, state, started_at = line.split(maxsplit=2)
        if not state.startswith("Z"):
            moment = datetime.strptime(started_at.strip(), "%a %b %d %H:%M:%S %Y").astimezone()
            yield int(group), moment.timestamp()
