"""Serving a stored file over HTTP: whole, or the one range that RFC 9110 lets a client ask for."""

import hashlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from django.core.files.base import File
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

from catalog import ranges
from catalog.media import storage
from config.problems import NotFound

CHUNK_BYTES = 64 * 1024


class Slice:
    """`length` bytes of an open file from where it stands, in chunks; closes the file."""

    def __init__(self, file: File[bytes], length: int) -> None:
        self.file, self.left = file, length

    def __iter__(self) -> Iterator[bytes]:
        while self.left > 0:
            chunk = self.file.read(min(CHUNK_BYTES, self.left))
            if not chunk:
                return
            self.left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self.file.close()


def serve(
    request: HttpRequest, *, storage_key: str, content_type: str, headers: Mapping[str, str]
) -> HttpResponseBase:
    """The stored file: 200, 206, 304 or 416, to GET or HEAD. Raises NotFound.

    A stored file never changes under its name, so the ETag is strong and made from the name.
    """
    etag = f'"{hashlib.sha256(storage_key.encode()).hexdigest()[:32]}"'
    common = {**headers, "ETag": etag, "Accept-Ranges": "bytes"}
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=common)
    try:
        file = storage().open(storage_key)
    except FileNotFoundError as error:
        raise NotFound from error
    try:
        size_bytes = file.size
        part = ranges.select(_range_header(request, etag), size_bytes=size_bytes)
    except ranges.Unsatisfiable:
        file.close()
        return _unsatisfiable(size_bytes, common)
    return _response(request, file, part, content_type=content_type, headers=common)


def _range_header(request: HttpRequest, etag: str) -> str | None:
    """The Range header if it counts: only on GET (section 14.2), and only if If-Range holds.

    A date or a weak tag in If-Range never holds here (section 13.1.5): we send neither.
    """
    if request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    return request.headers.get("Range")


def _unsatisfiable(size_bytes: int, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(
        status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        headers={**headers, "Content-Range": f"bytes */{size_bytes}"},
    )


def _response(
    request: HttpRequest,
    file: File[bytes],
    part: ranges.Part | None,
    *,
    content_type: str,
    headers: Mapping[str, str],
) -> HttpResponseBase:
    status, length = HTTPStatus.OK, file.size
    own = {**headers, "Content-Type": content_type}
    if part is not None:
        status, length = HTTPStatus.PARTIAL_CONTENT, part.length
        own["Content-Range"] = f"bytes {part.first}-{part.last}/{file.size}"
        file.seek(part.first)
    own["Content-Length"] = str(length)
    if request.method == "HEAD":
        file.close()
        return HttpResponse(status=status, headers=own)
    return StreamingHttpResponse(Slice(file, length), status=status, headers=own)
