"""The files of this package inside a data folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from config.embedded.errors import EmbeddedServicesError


@dataclass(frozen=True)
class Places:
    """Paths under `<data folder>/embedded`. Nothing above the data folder is ever changed."""

    data_dir: Path

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """The places of a data folder, whichever way its path was written."""
        return cls(data_dir=data_dir.resolve())

    @property
    def folder(self) -> Path:
        return self.data_dir / "embedded"

    @property
    def users_lock(self) -> Path:
        """Every process that uses the services holds this shared."""
        return self.folder / "users.lock"

    @property
    def supervisor_lock(self) -> Path:
        """The one supervisor holds this exclusively."""
        return self.folder / "supervisor.lock"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def identity(self) -> Path:
        return self.folder / "identity.json"

    @property
    def log(self) -> Path:
        return self.folder / "services.log"

    def prepare(self) -> None:
        """Make the folder. As root others may pass through it, never list it.

        Raises EmbeddedServicesError when it belongs to another user.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.mkdir(mode=0o700)
        except FileExistsError:
            owner = self.folder.stat().st_uid
            if os.geteuid() not in {0, owner}:
                raise EmbeddedServicesError(
                    f"{self.folder} belongs to user id {owner}, this is {os.geteuid()}: set"
                    " DATA_DIR to a folder of your own, or DATABASE_URL and REDIS_URL."
                ) from None
        else:
            if os.geteuid() == 0:
                self.folder.chmod(0o711)
            self.adopt(self.folder)

    def adopt(self, path: Path) -> None:
        """Give what root just made to the data folder's owner, who may come without root next."""
        if os.geteuid() == 0:
            owner = self.data_dir.stat()
            if owner.st_uid != 0:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
