"""PUT /v1/pipeline/media/{sha256}: a file comes in once, whole, and is what it says it is."""

import hashlib
import io
import tracemalloc
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.http.request import UnreadablePostError

from catalog import media
from catalog.models import MediaAsset
from tests.factories.catalog import MP4_HEAD, mp4, png, stored_video
from tests.factories.viewers import clock_headers, pipeline_headers
from viewers.models import Scope

FILES = {
    "image/png": png(),
    "image/jpeg": b"\xff\xd8\xff\xe0 a photograph",
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 a picture",
    "video/mp4": mp4(),
}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("content_type", FILES)
def test_keeps_the_file_under_a_name_of_its_own(pipeline, now, own_media, content_type):
    content = FILES[content_type]

    response = pipeline.upload(_sha256(content), content, content_type)

    asset = MediaAsset.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "sha256": _sha256(content),
        "size_bytes": len(content),
        "content_type": content_type,
        "purpose": "video" if content_type == "video/mp4" else "poster",
        "unchanged": False,
    }
    assert (asset.sha256, asset.created_at) == (_sha256(content), now)
    assert asset.sha256 not in asset.storage_key
    assert (own_media / asset.storage_key).read_bytes() == content


def test_keeps_the_same_file_once(pipeline, own_media):
    content = mp4()
    pipeline.upload(_sha256(content), content, "video/mp4")
    before = MediaAsset.objects.values().get()

    again = pipeline.upload(_sha256(content), content, "video/mp4")

    assert (again.status_code, again.json()["unchanged"]) == (200, True)
    assert MediaAsset.objects.values().get() == before
    assert len(_files(own_media)) == 1


def test_puts_back_a_file_that_storage_lost(pipeline, own_media):
    content = mp4()
    asset = stored_video(content)
    default_storage.delete(asset.storage_key)

    response = pipeline.upload(asset.sha256, content, "video/mp4")

    asset.refresh_from_db()
    assert (response.status_code, response.json()["unchanged"]) == (200, True)
    assert (own_media / asset.storage_key).read_bytes() == content
    assert len(_files(own_media)) == 1


def test_refuses_a_body_that_is_not_the_one_addressed(pipeline, own_media):
    response = pipeline.upload(_sha256(mp4()), mp4() + b"!", "video/mp4")

    assert (response.status_code, response.json()["code"]) == (422, "media_mismatch")
    assert response.json()["detail"] == "The SHA-256 of the body is not the one in the address."
    assert not MediaAsset.objects.exists()
    assert _files(own_media) == []


WRONG_STARTS = [
    pytest.param(content_type, content, id=f"{name} as {content_type}")
    for content_type in FILES
    for name, content in {
        "html": b"<html>",
        "one byte": b"\x00",
        "a cut head": MP4_HEAD[:6],
        "a wave file": b"RIFF\x10\x00\x00\x00WAVEfmt",
        **FILES,
    }.items()
    if name != content_type
]


@pytest.mark.parametrize(("content_type", "content"), WRONG_STARTS)
def test_refuses_a_file_that_does_not_start_as_its_type_does(
    pipeline, own_media, content_type, content
):
    response = pipeline.upload(_sha256(content), content, content_type)

    assert (response.status_code, response.json()["code"]) == (422, "media_mismatch")
    assert response.json()["detail"] == f"The body does not start as {content_type} does."
    assert not MediaAsset.objects.exists()
    assert _files(own_media) == []


def test_refuses_an_empty_file(db, own_media, now):
    with pytest.raises(media.MediaMismatch):
        media.receive(sha256=_sha256(b""), content_type="video/mp4", stream=io.BytesIO(), now=now)
    assert _files(own_media) == []


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "", "video/mp4x", "é"])
def test_takes_no_other_types(pipeline, own_media, content_type):
    response = pipeline.upload(_sha256(png()), png(), content_type)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert _files(own_media) == []


@pytest.mark.parametrize("name", ["abc", "A" * 64, "g" * 64, "a" * 65, "a" * 63 + "%00"])
def test_takes_only_a_sha256_as_address(pipeline, own_media, name):
    response = pipeline.upload(name, png(), "image/png")

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
    assert _files(own_media) == []


def test_refuses_a_file_over_the_limit(pipeline, own_media, settings):
    settings.MEDIA_UPLOAD_BYTES = 1000
    content = mp4(1001)

    response = pipeline.upload(_sha256(content), content, "video/mp4")

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.json()["limit_bytes"] == 1000
    assert _files(own_media) == []


def test_notices_the_limit_though_a_shorter_length_was_declared(db, own_media, settings, now):
    settings.MEDIA_UPLOAD_BYTES = 1000

    with pytest.raises(media.BodyTooLarge):
        media.receive(
            sha256=_sha256(mp4(1001)),
            content_type="video/mp4",
            stream=io.BytesIO(mp4(1001)),
            declared_bytes=10,
            now=now,
        )
    assert _files(own_media) == []


def test_keeps_nothing_of_an_upload_that_breaks_off(db, own_media, now):
    class Cut(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise UnreadablePostError
            return super().read(100)

    with pytest.raises(media.MediaMismatch, match="ended before"):
        media.receive(sha256=_sha256(mp4()), content_type="video/mp4", stream=Cut(mp4()), now=now)
    assert not MediaAsset.objects.exists()
    assert _files(own_media) == []


def test_never_holds_a_whole_file_in_memory(db, own_media, now):
    content = mp4(24 * 1024 * 1024)
    tracemalloc.start()
    try:
        media.receive(
            sha256=_sha256(content),
            content_type="video/mp4",
            stream=io.BytesIO(content),
            now=now,
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 4 * 1024 * 1024


def test_takes_a_file_larger_than_a_body_in_memory_may_be(pipeline, own_media, settings):
    content = mp4(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

    assert pipeline.upload(_sha256(content), content, "video/mp4").status_code == 200


def test_refuses_callers_without_a_key_that_may_write(pipeline, now, own_media):
    for headers, status, code in (
        (clock_headers(now), 401, "not_authenticated"),
        (pipeline_headers(now=now, scopes=[Scope.PIPELINE_READ]), 403, "scope_missing"),
    ):
        pipeline.headers = headers

        response = pipeline.upload(_sha256(png()), png(), "image/png")

        assert (response.status_code, response.json()["code"]) == (status, code)
    assert _files(own_media) == []
