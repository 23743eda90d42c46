"""Files that are whole and on disk once saved, as an object store's are."""

import os
import tempfile
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class DurableFiles(FileSystemStorage):
    """A folder in which a file appears whole, under its name, after it has reached the disk.

    Django's own writes in place and waits for nothing: a reader could see half a file, and after a
    power failure the manifest could name one that is gone.
    """

    def _save(self, name: str, content: File[bytes]) -> str:
        path = Path(self.path(name))
        _make_folder(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as target:
            for chunk in content.chunks():
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        os.replace(target.name, path)
        _sync_folder(path.parent)
        return name


def _make_folder(folder: Path) -> None:
    """Makes the folder with all above it, and has each entry reach the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
