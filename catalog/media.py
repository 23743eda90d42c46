"""Files of the catalog: taken in once by what they hold, kept under random names.

An upload is spooled to a temporary file, checked, and only then handed to storage, so that a
broken or mistaken one leaves nothing behind and none is ever whole in memory.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.core.files.storage.base import Storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import Error
from django.http.request import UnreadablePostError

from catalog.models import MediaAsset
from config.problems import BodyTooLarge, Problem

CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 16
FIRST_BOX_BYTES = 1024
NAME_BYTES = 24


class _Kind(NamedTuple):
    purpose: MediaAsset.Purpose
    folder: str
    extension: str


POSTERS = "posters"
VIDEOS = "videos"
KINDS: Mapping[str, _Kind] = {
    "image/jpeg": _Kind(MediaAsset.Purpose.POSTER, POSTERS, "jpg"),
    "image/png": _Kind(MediaAsset.Purpose.POSTER, POSTERS, "png"),
    "image/webp": _Kind(MediaAsset.Purpose.POSTER, POSTERS, "webp"),
    "video/mp4": _Kind(MediaAsset.Purpose.VIDEO, VIDEOS, "mp4"),
}


class MediaMismatch(Problem):
    code = "media_mismatch"
    title = "The file is not what its address or content type says"


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def storage() -> Storage:
    """Where media is kept: the file system, or S3 when a bucket is configured."""
    return storages["default"]


def is_served_here() -> bool:
    """True when our own views serve media; otherwise storage hands out URLs of its own."""
    return isinstance(storage(), FileSystemStorage)


def receive(
    *, sha256: str, content_type: str, stream: Readable, declared_bytes: int = 0, now: datetime
) -> tuple[MediaAsset, bool]:
    """Keeps the file read from `stream` and returns its asset, and whether it was there before.

    `content_type` is one of KINDS. A file that storage lost is put back by the same upload. Raises
    BodyTooLarge past MEDIA_UPLOAD_BYTES, at once if so many are declared, and MediaMismatch; then
    nothing was kept.
    """
    kind = KINDS[content_type]
    if declared_bytes > settings.MEDIA_UPLOAD_BYTES:
        raise BodyTooLarge(limit_bytes=settings.MEDIA_UPLOAD_BYTES)
    with TemporaryUploadedFile(f"upload.{kind.extension}", content_type, 0, None) as spool:
        size_bytes = _spool(stream, spool, sha256=sha256, content_type=content_type)
        known = MediaAsset.objects.filter(sha256=sha256).first()
        if known is not None and storage().exists(known.storage_key):
            return known, True
        facts = {
            "content_type": content_type,
            "size_bytes": size_bytes,
            "purpose": kind.purpose,
            "created_at": now,
        }
        return _keep(spool, kind, sha256=sha256, facts=facts)


def poster_url(asset: MediaAsset | None) -> str | None:
    """Where anyone may fetch the poster; the address never changes its content."""
    if asset is None:
        return None
    if is_served_here():
        return f"{settings.PUBLIC_URL}/media/{asset.storage_key}"
    return storage().url(asset.storage_key)


def presigned_url(asset: MediaAsset, *, ttl_seconds: int) -> str:
    """The storage's own URL of the file, good for `ttl_seconds` from the storage's present."""
    url: str = storage().url(asset.storage_key, expire=ttl_seconds)  # type: ignore[call-arg]
    return url


def _spool(
    stream: Readable, spool: TemporaryUploadedFile, *, sha256: str, content_type: str
) -> int:
    """Copies the stream, checks it, rewinds, and returns its length in bytes."""
    hasher, size_bytes, head = hashlib.sha256(), 0, b""
    while chunk := _next_chunk(stream):
        size_bytes += len(chunk)
        if size_bytes > settings.MEDIA_UPLOAD_BYTES:
            raise BodyTooLarge(limit_bytes=settings.MEDIA_UPLOAD_BYTES)
        head = (head + chunk[:HEAD_BYTES])[:HEAD_BYTES]
        hasher.update(chunk)
        spool.write(chunk)
    if hasher.hexdigest() != sha256:
        raise MediaMismatch("The SHA-256 of the body is not the one in the address.")
    if not _starts_as(content_type, head):
        raise MediaMismatch(f"The body does not start as {content_type} does.")
    spool.flush()
    spool.seek(0)
    return size_bytes


def _next_chunk(stream: Readable) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except UnreadablePostError as error:
        raise MediaMismatch("The body ended before its declared length.") from error


def _starts_as(content_type: str, head: bytes) -> bool:
    if content_type == "video/mp4":
        # The first box opens with its own length (ISO/IEC 14496-12, 4.2), which is never long.
        return head[4:8] == b"ftyp" and int.from_bytes(head[:4], "big") <= FIRST_BOX_BYTES
    if content_type == "image/webp":
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    start = b"\x89PNG\r\n\x1a\n" if content_type == "image/png" else b"\xff\xd8\xff"
    return head.startswith(start)


def _keep(
    spool: TemporaryUploadedFile, kind: _Kind, *, sha256: str, facts: Mapping[str, object]
) -> tuple[MediaAsset, bool]:
    name = f"{kind.folder}/{secrets.token_urlsafe(NAME_BYTES)}.{kind.extension}"
    key = storage().save(name, spool)
    try:
        asset, is_new = MediaAsset.objects.get_or_create(
            sha256=sha256, defaults={**facts, "storage_key": key}
        )
    except Error:
        storage().delete(key)
        raise
    if is_new:
        return asset, False
    return _reconcile(asset, key), True


def _reconcile(asset: MediaAsset, key: str) -> MediaAsset:
    """A twin upload was first: its file stays and ours goes, unless storage has lost the other."""
    if storage().exists(asset.storage_key):
        storage().delete(key)
    else:
        asset.storage_key = key
        asset.save(update_fields=["storage_key"])
    return asset
