"""A compressed body is as large as what it unpacks to, and is never unpacked further than it may be."""

import gzip
import tracemalloc

import pytest
import zstandard

from config import encodings
from config.problems import BodyTooLarge, MalformedBody, UnsupportedMediaType

LIMIT = 10_000
PLAIN = b'{"a": "b"}' * 50
PACKED = {
    "gzip": gzip.compress(PLAIN),
    "zstd": zstandard.compress(PLAIN),
}


def packed(name: str, plain: bytes) -> bytes:
    return gzip.compress(plain) if name == "gzip" else zstandard.compress(plain)


@pytest.mark.parametrize("name", ["", "identity", " Identity "])
def test_no_encoding_changes_nothing(name):
    assert encodings.decoded(PLAIN, name, limit_bytes=LIMIT) == PLAIN


@pytest.mark.parametrize("name", sorted(PACKED))
def test_unpacks_what_was_packed(name):
    assert encodings.decoded(PACKED[name], name.upper(), limit_bytes=LIMIT) == PLAIN
    twice = PACKED[name] + PACKED[name]
    assert encodings.decoded(twice, name, limit_bytes=LIMIT) == PLAIN * 2, "members in a row"


@pytest.mark.parametrize("name", sorted(PACKED))
def test_the_limit_is_that_of_what_comes_out(name):
    exactly, beyond = packed(name, b"x" * LIMIT), packed(name, b"x" * (LIMIT + 1))
    assert len(encodings.decoded(exactly, name, limit_bytes=LIMIT)) == LIMIT
    with pytest.raises(BodyTooLarge):
        encodings.decoded(beyond, name, limit_bytes=LIMIT)


@pytest.mark.parametrize("name", sorted(PACKED))
def test_a_bomb_is_never_unpacked(name):
    bomb = packed(name, bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            encodings.decoded(bomb, name, limit_bytes=256 * 1024)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 * 1024 * 1024


def test_a_frame_that_asks_for_a_huge_window_is_refused():
    greedy = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    body = greedy.compress(PLAIN) + greedy.flush()
    with pytest.raises(MalformedBody):
        encodings.decoded(body, "zstd", limit_bytes=LIMIT)


@pytest.mark.parametrize("name", sorted(PACKED))
@pytest.mark.parametrize("body", [b"\x00", b"no such thing", PLAIN])
def test_what_is_not_of_its_encoding_is_malformed(name, body):
    with pytest.raises(MalformedBody):
        encodings.decoded(body, name, limit_bytes=LIMIT)


def test_a_stream_that_is_cut_short_is_never_taken_for_whole():
    for end in range(1, len(PACKED["gzip"])):
        with pytest.raises(MalformedBody):
            encodings.decoded(PACKED["gzip"][:end], "gzip", limit_bytes=LIMIT)
    for end in range(len(PACKED["zstd"]) - 1):
        try:
            got = encodings.decoded(PACKED["zstd"][:end], "zstd", limit_bytes=LIMIT)
        except MalformedBody:
            continue
        assert got != PLAIN


@pytest.mark.parametrize("name", ["br", "deflate", "gzip, gzip", "x" * 9000])
def test_other_encodings_are_refused(name):
    with pytest.raises(UnsupportedMediaType):
        encodings.decoded(PLAIN, name, limit_bytes=LIMIT)
