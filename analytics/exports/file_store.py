"""The files of exports, in a folder of their own for each: what a holder wrote, and nobody ended, too."""

from typing import BinaryIO
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages

#: How long an address of the storage's own opens a file: a browser follows it at once.
REDIRECT_SECONDS = 60


def storage() -> Storage:
    """Where they are."""
    return storages["exports"]


def save(path: str, content: BinaryIO) -> None:
    """Puts a file there, whole or not at all."""
    storage().save(path, File(content))


def delete_all(export_id: UUID) -> None:
    """Deletes every file of an export; safe to repeat."""
    folder = str(export_id)
    try:
        _, names = storage().listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        storage().delete(f"{folder}/{name}")


def delete(path: str) -> None:
    """Deletes one; safe to repeat."""
    storage().delete(path)


def own_address(path: str, *, file_name: str, content_type: str) -> str | None:
    """A short-lived address at the storage itself; None where files are served from here."""
    if isinstance(storage(), FileSystemStorage):
        return None
    told = {
        "ResponseContentDisposition": f'attachment; filename="{file_name}"',
        "ResponseContentType": content_type,
    }
    url: str = storage().url(path, parameters=told, expire=REDIRECT_SECONDS)  # type: ignore[call-arg]
    return url
