"""Byte ranges as RFC 9110, section 14, has them."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog import playback, ranges
from catalog.ranges import Part, Unsatisfiable
from tests.factories.catalog import EpisodeVersionFactory, mp4, stored_poster, stored_video
from tests.factories.viewers import clock_headers

SIZE = 200_000
CONTENT = mp4(SIZE)


@pytest.fixture
def video(api, now):
    version = EpisodeVersionFactory(media=stored_video(CONTENT))
    url = playback.issue(version=version, viewer_id=uuid4(), now=now).url

    def get(method="get", **headers):
        return getattr(api, method)(url, headers=clock_headers(now) | headers)

    return get


PARTS = [
    ("bytes=0-", 0, SIZE - 1),
    ("bytes=0-0", 0, 0),
    ("bytes=0-99", 0, 99),
    ("bytes=100000-100999", 100_000, 100_999),
    (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ("bytes=199000-999999", 199_000, SIZE - 1),
    ("bytes=199000-" + "9" * 5000, 199_000, SIZE - 1),
    ("bytes=-1", SIZE - 1, SIZE - 1),
    ("bytes=-500", SIZE - 500, SIZE - 1),
    ("bytes=-999999", 0, SIZE - 1),
    ("bytes=-" + "9" * 5000, 0, SIZE - 1),
    ("Bytes=5-9", 5, 9),
    ("bytes= 5-9 ", 5, 9),
    ("bytes=0005-0009", 5, 9),
]


@pytest.mark.parametrize(("header", "first", "last"), PARTS, ids=[p[0][:24] for p in PARTS])
def test_serves_the_part_asked_for(video, header, first, last):
    response = video(Range=header)

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response["Content-Length"] == str(last - first + 1)
    assert response["Content-Type"] == "video/mp4"
    assert response["Accept-Ranges"] == "bytes"
    assert b"".join(response) == CONTENT[first : last + 1]


IGNORED = [
    None,
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=5-2",
    "bytes=a-b",
    "bytes=1.5-2",
    "bytes=+1-2",
    "bytes=\u0661-\u0662",
    "bytes=0-1,3-4",
    "bytes=0-,",
    "bytes=-1,-2",
    "items=0-5",
    "bytes:0-5",
    "x" * 10_000,
]


@pytest.mark.parametrize("header", IGNORED, ids=[str(h)[:24] for h in IGNORED])
def test_serves_the_whole_file_when_the_header_says_nothing_it_knows(video, header):
    response = video(**({} if header is None else {"Range": header}))

    assert response.status_code == 200
    assert "Content-Range" not in response
    assert response["Content-Length"] == str(SIZE)
    assert response["Accept-Ranges"] == "bytes"
    assert b"".join(response) == CONTENT


OUTSIDE = [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=" + "9" * 5000 + "-"]


@pytest.mark.parametrize("header", OUTSIDE, ids=[h[:24] for h in OUTSIDE])
def test_says_how_long_the_file_is_when_the_part_lies_outside(video, header):
    response = video(Range=header)

    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{SIZE}"
    assert response.content == b""


def test_answers_head_with_the_headers_of_the_whole_file(video):
    response = video(method="head", Range="bytes=0-9")

    assert (response.status_code, response.content) == (200, b"")
    assert response["Content-Length"] == str(SIZE)
    assert response["Accept-Ranges"] == "bytes"


def test_resumes_only_the_file_it_began_with(video):
    etag = video(method="head")["ETag"]
    assert etag.startswith('"')

    same = video(**{"Range": "bytes=5-9", "If-Range": etag})
    assert (same.status_code, b"".join(same)) == (206, CONTENT[5:10])
    for other in ('"another"', f"W/{etag}", "Sat, 14 Mar 2026 12:00:00 GMT", "", "*"):
        whole = video(**{"Range": "bytes=5-9", "If-Range": other})
        assert (whole.status_code, b"".join(whole)) == (200, CONTENT)


def test_a_file_that_storage_lost_is_not_found(api, now, own_media):
    asset = stored_video(CONTENT)
    version = EpisodeVersionFactory(media=asset)
    url = playback.issue(version=version, viewer_id=uuid4(), now=now).url
    (own_media / asset.storage_key).unlink()

    response = api.get(url, headers=clock_headers(now))

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@given(header=st.text(max_size=60) | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True))
@hypothesis_settings(max_examples=500, deadline=None)
def test_never_leaves_the_file(header):
    size_bytes = 1000
    try:
        part = ranges.select(header, size_bytes=size_bytes)
    except Unsatisfiable:
        return
    if part is not None:
        assert isinstance(part, Part)
        assert 0 <= part.first <= part.last < size_bytes


def test_no_range_of_an_empty_file_can_be_served():
    for header in ("bytes=0-", "bytes=-5"):
        with pytest.raises(Unsatisfiable):
            ranges.select(header, size_bytes=0)


def test_serves_ranges_of_posters_too(api, db):
    poster = stored_poster()

    response = api.get(f"/media/{poster.storage_key}", headers={"Range": "bytes=0-7"})

    assert (response.status_code, b"".join(response)) == (206, b"\x89PNG\r\n\x1a\n")
