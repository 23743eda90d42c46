"""The log that the supervisor and its services share."""

import os
import shutil

from config.embedded.places import Places

LIMIT_BYTES = 16 * 1024 * 1024


def open_journal(places: Places) -> int:
    """A descriptor that appends to the log."""
    descriptor = os.open(places.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    places.adopt(places.log)
    return descriptor


def trim(places: Places) -> None:
    """Keep the log and one predecessor, each of about LIMIT_BYTES.

    The file is emptied in place: the services keep their descriptors, which append.
    """
    try:
        if places.log.stat().st_size <= LIMIT_BYTES:
            return
    except FileNotFoundError:
        return
    former = places.log.with_suffix(".log.1")
    shutil.copyfile(places.log, former)
    os.truncate(places.log, 0)
    places.adopt(former)


def tail(places: Places, *, lines: int = 25) -> str:
    """The last lines of the log, for an error message."""
    try:
        with places.log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 16_384))
            text = stream.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])
