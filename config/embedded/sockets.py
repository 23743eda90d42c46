"""The private folder of the services' sockets.

A socket's path may have about a hundred bytes, far fewer than a project's path may, so the folder
lies among the temporary files, where other users can write too. It is trusted only while it is a
real folder of the service account that nobody else can enter.
"""

import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path

from config.embedded import accounts
from config.embedded.accounts import Account
from config.embedded.errors import EmbeddedServicesError

_PATH_LIMIT_BYTES = 103  # macOS; Linux allows 107
_LONGEST_NAME = "/.s.PGSQL.5432.lock"

log = logging.getLogger(__name__)


def claim(account: Account, name: str) -> Path:
    """The socket folder called `name`, empty, owned by the account and closed to others.

    A folder of that name that is not ours is left alone and another name is taken.
    Raises EmbeddedServicesError when no temporary folder will do.
    """
    for parent in _parents(account):
        folder = parent / name
        if _make(folder, account) or is_trusted(folder, account.uid):
            _empty(folder)
            return folder
        log.warning("%s is not ours: taking another name", folder)
        folder = parent / f"{name}-{secrets.token_hex(3)}"
        if _make(folder, account):
            return folder
    raise EmbeddedServicesError(
        f"No folder for sockets: {tempfile.gettempdir()}, /tmp and /var/tmp are too long for a"
        f" socket's path, closed to user {account.name}, or writable by all without a sticky bit."
    )


def is_trusted(folder: Path, uid: int) -> bool:
    """Whether `folder` is a real folder, of that user, closed to everybody else."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def refresh(folder: Path) -> None:
    """Keep cleaners of temporary files, which go by age, away from the sockets."""
    for path in (folder, *folder.iterdir()):
        os.utime(path, follow_symlinks=False)


def remove(folder: Path) -> None:
    """Remove the folder and what is left in it."""
    if folder.is_dir():
        _empty(folder)
        folder.rmdir()


def _parents(account: Account) -> list[Path]:
    unique = dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108  see above
    return [path for path in map(Path, unique) if _is_suitable(path, account)]


def _is_suitable(parent: Path, account: Account) -> bool:
    longest = len(os.fsencode(parent)) + len("/cliffhanger-4294967295-0123456789ab-abcdef")
    # libpq reads a comma in a host as the start of the next host.
    if longest + len(_LONGEST_NAME) > _PATH_LIMIT_BYTES or "," in str(parent):
        return False
    try:
        mode = parent.stat().st_mode
    except OSError:
        return False
    is_shared = bool(mode & stat.S_IWOTH)
    return (not is_shared or bool(mode & stat.S_ISVTX)) and accounts.can_enter(account, parent)


def _make(folder: Path, account: Account) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        return False
    if account.is_other:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
