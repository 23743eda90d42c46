"""Which user runs the services: whoever starts them, except root, whom PostgreSQL refuses."""

import os
import pwd
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.errors import EmbeddedServicesError


@dataclass(frozen=True)
class Account:
    """A user that services run as."""

    uid: int
    gid: int
    name: str

    @property
    def is_other(self) -> bool:
        """Whether a process must change user to become this account."""
        return self.uid != os.geteuid()

    def popen_arguments(self) -> dict[str, Any]:
        """What makes subprocess start a program as this account."""
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def choose(candidate_uids: Iterable[int]) -> Account:
    """The account for the services of this process.

    As root that is the first of the candidates that is not root, else `postgres`, else `nobody`.
    Raises EmbeddedServicesError when the account has no entry in the password database, without
    which PostgreSQL cannot create a cluster.
    """
    if os.geteuid() != 0:
        return _account(os.geteuid())
    for uid in candidate_uids:
        if uid != 0:
            return _account(uid)
    for name in ("postgres", "nobody"):
        try:
            return _account(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise EmbeddedServicesError(
        "PostgreSQL does not run as root and there is neither a `postgres` nor a `nobody` user:"
        " run as another user, or set DATABASE_URL and REDIS_URL."
    )


def name_of(uid: int) -> str | None:
    """The name of a user id, or None when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def can_enter(account: Account, folder: Path) -> bool:
    """Whether the account can reach `folder`, by trying.

    A child process changes user and enters the folder, so that every mode bit, access list and
    mount option on the way counts.
    """
    ended = subprocess.run(  # noqa: S603  a fixed command
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder],
        cwd="/",
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **account.popen_arguments(),
    )
    return ended.returncode == 0


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServicesError(
            f"User id {uid} has no entry in the password database, which PostgreSQL needs to"
            " create a cluster: add one, or set DATABASE_URL and REDIS_URL."
        ) from None
    return Account(uid=uid, gid=entry.pw_gid, name=entry.pw_name)
