"""Bodies that come compressed: what they unpack to is bounded while it is unpacked, never afterwards."""

import zlib
from collections.abc import Callable, Mapping

import zstandard

from config.problems import BodyTooLarge, MalformedBody, UnsupportedMediaType

#: RFC 8878 section 3.1.1.1.2 has every decoder take windows of so much; a frame may ask for gigabytes.
LARGEST_WINDOW_BYTES = 8 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS


def decoded(body: bytes, encoding: str, *, limit_bytes: int) -> bytes:
    """The body without its Content-Encoding: none, `identity`, `gzip` or `zstd`.

    Raises BodyTooLarge as soon as more than `limit_bytes` come out, MalformedBody for what is not of its
    encoding or cut short, and UnsupportedMediaType for another one, or several.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in _DECODERS:
        raise UnsupportedMediaType(
            f"There is no decoder for Content-Encoding `{name[:40]}`.", accepted=sorted(_DECODERS)
        )
    unpacked = _DECODERS[name](body, limit_bytes + 1)
    if len(unpacked) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    return unpacked


def _gunzipped(body: bytes, at_most: int) -> bytes:
    """All members (RFC 1952 section 2.2), up to so many bytes."""
    parts, size, rest = list[bytes](), 0, body
    while rest and size < at_most:
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest, at_most - size)
        except zlib.error as error:
            raise MalformedBody("The body is not gzip.") from error
        parts.append(part)
        size += len(part)
        if not member.eof and size < at_most:
            raise MalformedBody("The body ended before its gzip stream.")
        rest = member.unused_data
    return b"".join(parts)


def _unzstandard(body: bytes, at_most: int) -> bytes:
    """All frames, up to so many bytes. One that was cut short gives what there is of it."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW_BYTES)
    parts, size = list[bytes](), 0
    try:
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            while size < at_most and (part := reader.read(at_most - size)):
                parts.append(part)
                size += len(part)
    except zstandard.ZstdError as error:
        raise MalformedBody("The body is not zstd, or asks for too large a window.") from error
    return b"".join(parts)


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzipped,
    "zstd": _unzstandard,
}
