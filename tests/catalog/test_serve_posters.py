"""Posters are open to anyone, never change, and are the only files that are."""

import pytest

from tests.factories.catalog import png, stored_poster, stored_video


def test_serves_a_poster_for_ever(api, db):
    poster = stored_poster()

    response = api.get(f"/media/{poster.storage_key}")

    assert (response.status_code, b"".join(response)) == (200, png())
    assert response["Content-Type"] == "image/png"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["X-Content-Type-Options"] == "nosniff"
    known = api.get(f"/media/{poster.storage_key}", headers={"If-None-Match": response["ETag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_serves_no_video_as_a_poster(api, db, own_media):
    video = stored_video()
    name = video.storage_key.removeprefix("videos/")

    for path in (
        f"/media/posters/{name}",
        f"/media/posters/..%2Fvideos%2F{name}",
        f"/media/{video.storage_key}",
        f"/media/video/{name}",
    ):
        assert api.get(path).status_code in {403, 404}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "%2e%2e%2fsecrets",
        "..%5C..%5Csecrets.png",
        "%00.png",
        "a.png%00",
        "a.png%0A",
        "a" * 32 + ".svg",
        "a" * 32 + ".png",
        "x" * 5000 + ".png",
        "é" * 32 + ".png",
    ],
)
def test_leaves_its_folder_for_no_name(api, db, own_media, name):
    own_media.mkdir()
    (own_media.parent / "secrets").write_text("secret")

    response = api.get(f"/media/posters/{name}")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
