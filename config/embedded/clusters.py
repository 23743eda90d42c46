"""Where an instance keeps its data, and which instance a data folder is.

A data folder gets a random id when it is first used. The id marks the instance's processes, names
its socket folder and ties it to its data. The data lies inside the data folder, unless root starts
services whose account cannot enter it (a project under /root): then it lies in
`/var/lib/cliffhanger/data-<id>`, and the data folder remembers that.

- Deleting the data folder deletes the id: the next start begins afresh, and no later data folder
  can find the data outside. A supervisor that still runs removes them.
- A moved data folder keeps its id and its data.
- A copied one is known by its inode and gets a new id, its own copy of the data with it (of data
  outside, as they are when the copy is first used). A copy made while the original ran is refused:
  its files are not of one moment.
"""

import json
import logging
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from config.embedded import accounts, processes
from config.embedded.accounts import Account
from config.embedded.binaries import OUTSIDE, root_only
from config.embedded.errors import EmbeddedServicesError
from config.embedded.places import Places

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """Who a data folder is; kept in it."""

    id: str
    inode: int
    device: int
    path: str
    outside: bool = False


@dataclass(frozen=True)
class Cluster:
    """The data of one instance and the account that owns them."""

    id: str
    folder: Path
    account: Account

    @property
    def mark(self) -> str:
        """What every process of this instance carries in its command line."""
        return _mark(self.id)

    @property
    def sockets_name(self) -> str:
        """The name of the socket folder; it contains the mark."""
        return f"{self.mark}-{self.account.uid}"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    def own_folder(self, name: str) -> Path:
        """A folder of the service account inside the cluster, made or taken over if need be."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account.is_other and folder.lstat().st_uid != self.account.uid:
            _give(folder, self.account)  # copied by root, so everything in it became root's
        return folder


def locate(places: Places) -> Cluster:
    """The cluster of a data folder, deciding where it lies if this is the first start.

    Raises EmbeddedServicesError when its data are gone, cannot be entered, or were copied from a
    running instance.
    """
    known = _read(places)
    identity = known or _new_identity(places)
    if known is not None and not _is_same_folder(known, places):
        identity = _identity_of_copy(known, places)
    account = accounts.choose(
        path.stat().st_uid
        for path in (_folder(identity, places) / "postgres", places.data_dir)
        if path.exists()
    )
    if not accounts.can_enter(account, places.folder) and not identity.outside:
        identity = _moved_outside(identity, places, account)
    folder = _folder(identity, places)
    if not folder.is_dir():
        raise EmbeddedServicesError(
            f"The data of {places.folder} lay in {folder}, which is gone. Restore it, or delete"
            f" {places.folder} to begin afresh."
        )
    current = replace(identity, path=str(places.data_dir))
    if current != known:
        _write(places, current)
    return Cluster(id=identity.id, folder=folder, account=account)


def is_deleted(places: Places, folder_descriptor: int) -> bool:
    """Whether the folder that was opened has lost its identity, its lock and its PostgreSQL."""
    for name in (places.identity.name, places.users_lock.name, "postgres/PG_VERSION"):
        try:
            os.stat(name, dir_fd=folder_descriptor)
        except OSError:
            continue
        return False
    return True


def finish_deletion(places: Places, cluster: Cluster) -> None:
    """Remove what is left of a deleted instance: data outside, and files written meanwhile."""
    if cluster.folder != places.folder:
        shutil.rmtree(cluster.folder, ignore_errors=True)
    if not places.identity.exists() and not places.users_lock.exists():
        shutil.rmtree(places.folder, ignore_errors=True)
        with suppress(OSError):  # it is not empty, or gone
            places.data_dir.rmdir()


def _mark(instance_id: str) -> str:
    return f"cliffhanger-{instance_id}"


def _folder(identity: Identity, places: Places) -> Path:
    return OUTSIDE / f"data-{identity.id}" if identity.outside else places.folder


def _new_identity(places: Places) -> Identity:
    found = places.folder.stat()
    return Identity(
        id=secrets.token_hex(6),
        inode=found.st_ino,
        device=found.st_dev,
        path=str(places.data_dir),
    )


def _is_same_folder(identity: Identity, places: Places) -> bool:
    # A rename keeps inode and device. A device number alone may change with a restart.
    found = places.folder.stat()
    return identity.inode == found.st_ino and (
        identity.device == found.st_dev or identity.path == str(places.data_dir)
    )


def _identity_of_copy(original: Identity, places: Places) -> Identity:
    is_running = bool(processes.servers(_mark(original.id)))
    identity = replace(_new_identity(places), outside=original.outside)
    log.info(
        "%s is a copy of %s: it becomes an instance of its own", places.data_dir, original.path
    )
    if original.outside:
        if is_running:
            raise EmbeddedServicesError(
                f"{places.data_dir} is a copy of {original.path}, whose data are outside of it and"
                f" in use: stop its services, so that {_folder(original, places)} can be copied."
            )
        if _folder(original, places).is_dir():
            _copy_outside(_folder(original, places), _folder(identity, places))
        return identity
    lock_file = places.folder / "postgres" / "postmaster.pid"
    if lock_file.exists() and (is_running or original.path != str(places.data_dir)):
        raise EmbeddedServicesError(
            f"{places.data_dir} was copied from {original.path} while its services ran, so its"
            " files are not of one moment. Stop them (python -m config.embedded stop) and copy"
            f" again, or delete {places.folder} to begin afresh. If they were not running, but had"
            f" ended by a crash, delete {lock_file}."
        )
    return identity


def _moved_outside(identity: Identity, places: Places, account: Account) -> Identity:
    if (places.folder / "postgres").exists():
        raise EmbeddedServicesError(
            f"User {account.name}, which runs the services for root, cannot enter {places.folder}"
            " any more: let it pass through the folders above, or run as their owner."
        )
    log.info("user %s cannot enter %s: data go to %s", account.name, places.folder, OUTSIDE)
    outside = replace(identity, outside=True)
    try:
        root_only(OUTSIDE)
        root_only(_folder(outside, places))
    except OSError as error:
        raise EmbeddedServicesError(
            f"User {account.name}, which runs the services for root, can enter neither"
            f" {places.folder} nor {OUTSIDE}: {error}"
        ) from error
    return outside


def _copy_outside(source: Path, target: Path) -> None:
    root_only(target)
    for part in source.iterdir():
        shutil.copytree(part, target / part.name, symlinks=True)
        owner = part.lstat()
        _give(target / part.name, Account(uid=owner.st_uid, gid=owner.st_gid, name=""))


def _give(folder: Path, account: Account) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    folder.chmod(0o700)


def _read(places: Places) -> Identity | None:
    try:
        return Identity(**json.loads(places.identity.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise EmbeddedServicesError(f"{places.identity} cannot be read: {error}") from error


def _write(places: Places, identity: Identity) -> None:
    draft = places.identity.with_suffix(".new")
    draft.write_text(json.dumps(asdict(identity)), encoding="utf-8")
    places.adopt(draft)
    draft.replace(places.identity)
