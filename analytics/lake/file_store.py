"""The lake's files: where they are kept, and where they can be read on this machine.

Files are immutable under their names, so one in a bucket is fetched once and kept under DATA_DIR.
"""

import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages

_CHUNK_BYTES = 1024 * 1024


def storage() -> Storage:
    """Where the lake's files are."""
    return storages["lake"]


def local_path(name: str) -> Path:
    """Where the file can be read on this machine; it is fetched first if the lake is elsewhere."""
    try:
        return Path(storage().path(name))
    except NotImplementedError:
        kept: Path = settings.DATA_DIR / "lake-cache" / name
        if not kept.exists():
            _fetch(name, kept)
        return kept


def root_url() -> str:
    """Where the machines of a cluster find the files. Raises ImproperlyConfigured if nothing says so."""
    if settings.SPARK_LAKE_URL:
        return str(settings.SPARK_LAKE_URL).rstrip("/")
    try:
        return Path(storage().path("")).resolve().as_uri().rstrip("/")
    except NotImplementedError as error:
        raise ImproperlyConfigured("SPARK_LAKE_URL says where Spark finds the lake.") from error


def delete(name: str) -> None:
    """Deletes a file that the manifest does not name any more, and what was fetched of it."""
    storage().delete(name)
    (settings.DATA_DIR / "lake-cache" / name).unlink(missing_ok=True)


def _fetch(name: str, kept: Path) -> None:
    """Copies a stored file, so that nobody ever sees half of it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (
        storage().open(name) as source,
        tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".part", delete=False) as target,
    ):
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
    os.replace(target.name, kept)
