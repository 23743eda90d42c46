"""Advisory file locks: who uses the services, and which process supervises them.

These are flock(2) locks. They belong to the open file, so a forked child shares its parent's lock,
a descriptor handed to a child process carries the lock with it, and the kernel releases a lock
when the last process that has the file open is gone, however it ended.
"""

import fcntl
import os
from pathlib import Path


def open_lock(path: Path) -> int:
    """A descriptor of the lock file, made if missing; not inherited by programs we start."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def try_exclusive(descriptor: int) -> bool:
    """Take the lock alone, without waiting. False when anybody else holds it."""
    return _try(descriptor, fcntl.LOCK_EX)


def try_shared(descriptor: int) -> bool:
    """Take the lock beside others, without waiting. False when somebody holds it alone."""
    return _try(descriptor, fcntl.LOCK_SH)


def release(descriptor: int) -> None:
    """Give the lock up for every process that shares this open file."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_held_exclusively(path: Path) -> bool:
    """Whether some process holds this lock alone at this moment."""
    if not path.exists():
        return False
    descriptor = open_lock(path)
    try:
        return not try_shared(descriptor)
    finally:
        os.close(descriptor)


def is_file(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the file that was opened."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def holders(path: Path) -> list[int] | None:
    """The processes that took a shared lock on the file; None where the system cannot tell.

    A process that forked counts once, by its own id, even after it has ended before its children.
    """
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        found = path.stat()
    except OSError:
        return None
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return [
        int(fields[4])
        for fields in map(str.split, lines)
        if fields[1:2] == ["FLOCK"] and fields[3] == "READ" and fields[5] == wanted
    ]


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
