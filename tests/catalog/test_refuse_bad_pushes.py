"""A push that cannot be taken is refused with the reason, and nothing of it is kept."""

import json
from typing import Any

import pytest

from catalog.models import Episode, Series
from tests.factories.catalog import episode_push, series_push, stored_poster, stored_video
from tests.factories.viewers import DeviceFactory, clock_headers, pipeline_headers, viewer_headers
from viewers.models import Scope


def _malformed() -> dict[str, bytes]:
    text = json.dumps(series_push())
    deep = "[" * 100_000 + "]" * 100_000
    return {
        "not JSON": b"{",
        "empty": b"",
        "a list": b"[]",
        "an unknown field": json.dumps(series_push(price_coins=5)).encode(),
        "not UTF-8": text.replace("Kalem", "K\xe4lem").encode("latin-1"),
        "a NUL": text.replace("Kalem", "Ka\\u0000lem").encode(),
        "a NUL in a key": text.replace('"en": {', '"e\\u0000n": {').encode(),
        "a raw NUL": text.replace("Kalem", "Ka\x00lem").encode(),
        "half a surrogate pair": text.replace("Kalem", "\\ud83d").encode(),
        "deep nesting": text.replace('["railway"]', deep).encode(),
        "a number as text": json.dumps(series_push(release_year="1914")).encode(),
        "an endless number": text.replace("1914", "9" * 5000).encode(),
        "a number past its column": json.dumps(series_push(release_year=2**40)).encode(),
        "not a number": text.replace("1914", "NaN").encode(),
        "no provenance": json.dumps(series_push(provenance=None)).encode(),
        "an unknown provenance": json.dumps(series_push(provenance={"kind": "magic"})).encode(),
        "an unknown state": json.dumps(series_push(state="live")).encode(),
        "a moment without zone": json.dumps(series_push(publish_at="2026-01-01T00:00:00")).encode(),
        "a locale in odd case": json.dumps(series_push(original_locale="EN-us")).encode(),
        "a locale and a newline": json.dumps(series_push(original_locale="en\n")).encode(),
        "a blank title": json.dumps(series_push(texts={"en": {"title": " "}})).encode(),
        "a long title": json.dumps(series_push(texts={"en": {"title": "x" * 201}})).encode(),
        "too many locales": json.dumps(
            series_push(texts={f"a{a}{b}": {"title": "t"} for a in "abcdefg" for b in "abcdefg"})
        ).encode(),
        "a hash in capitals": json.dumps(series_push(poster_sha256="A" * 64)).encode(),
        "too many episodes": json.dumps(
            series_push(episodes=[{"external_id": "e", "number": 1}] * 2001)
        ).encode(),
    }


@pytest.mark.parametrize(("name", "body"), _malformed().items(), ids=_malformed())
def test_refuses_malformed_bodies(pipeline, name, body):
    response = pipeline.push("helen", body)

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body"), name
    assert not Series.objects.exists()


def test_refuses_a_body_over_four_megabytes(pipeline):
    response = pipeline.push("helen", b" " * (4 * 1024 * 1024 + 1))

    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    "name", ["x" * 201, "-starts-with-a-dash", "has%20space", "nul%00", "line%0A", "%F0%9F%8E%AC"]
)
def test_refuses_external_ids_it_could_not_store_or_print(pipeline, name):
    response = pipeline.push(name, series_push())

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
    assert not Series.objects.exists()


def _faults(response: Any) -> list[tuple[str, str]]:
    assert (response.status_code, response.json()["code"]) == (422, "series_invalid")
    assert not Series.objects.exists()
    return [(error["path"], error["message"]) for error in response.json()["errors"]]


def test_names_every_fault_with_its_place(pipeline):
    video = stored_video()
    overlapping = [{"start_ms": 0, "end_ms": 3000}, {"start_ms": 2000, "end_ms": 9000}]
    body = series_push(
        state="scheduled",
        texts={"de": {"title": "Helene"}},
        provenance={"kind": "ai_native"},
        episodes=[
            episode_push(1, video=video, beats=overlapping),
            episode_push(3, video=video, beats=[{"start_ms": 5, "end_ms": 5}])
            | {"external_id": "episode-1", "texts": {"de": {"title": "Drei"}}},
            episode_push(4, video=video, provenance={"kind": "ai_assisted"}) | {"texts": {}},
            {"external_id": "episode-5", "number": 5},
        ],
    )

    assert _faults(pipeline.push("helen", body)) == [
        ("texts", "There is no text in the original locale en."),
        ("publish_at", "A scheduled series needs the moment of its publication."),
        ("provenance.content_label", "What AI had a part in needs a label."),
        (
            "episodes[2].version.provenance.content_label",
            "What AI had a part in needs a label.",
        ),
        ("episodes[3].version", "Only a draft may have episodes without one."),
        ("episodes", "The numbers do not run from 1 without gap or repetition."),
        ("episodes", "The external id episode-1 names 2 episodes."),
        ("episodes[0].version.beats[1]", "The beat ends after its version does."),
        ("episodes[0].version.beats[1]", "The beat starts before the last one ends."),
        ("episodes[1].texts", "There is no text in the original locale en."),
        ("episodes[1].version.beats[0]", "The beat does not end after it starts."),
    ]


def test_refuses_to_publish_a_series_without_episodes(pipeline):
    assert _faults(pipeline.push("helen", series_push())) == [
        ("episodes", "A series needs an episode before it may be published.")
    ]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_refuses_moments_that_no_clock_will_show(pipeline, moment):
    body = series_push(state="draft", publish_at=moment)

    assert _faults(pipeline.push("helen", body)) == [
        ("publish_at", "The moment is not between the years 2000 and 2200.")
    ]


def test_stops_at_a_hundred_faults(pipeline):
    body = series_push(
        episodes=[{"external_id": f"e{number}", "number": number} for number in range(1, 300)]
    )

    assert len(_faults(pipeline.push("helen", body))) == 100


def test_names_media_that_was_never_uploaded(pipeline):
    video = stored_video()
    missing = ["a" * 64, "b" * 64]
    body = series_push(
        poster_sha256=missing[1],
        episodes=[
            episode_push(1, video=video),
            episode_push(2, video=video, media_sha256=missing[0]),
        ],
    )

    response = pipeline.push("helen", body)

    assert (response.status_code, response.json()["code"]) == (422, "media_missing")
    assert response.json()["sha256s"] == missing
    assert not Series.objects.exists()


def test_refuses_a_video_as_poster_and_a_poster_as_video(pipeline):
    poster, video = stored_poster(), stored_video()
    body = series_push(poster_sha256=video.sha256, episodes=[episode_push(1, video=poster)])

    assert _faults(pipeline.push("helen", body)) == [
        ("poster_sha256", "This file is not an image."),
        ("episodes[0].version.media_sha256", "This file is not a video."),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"duration_ms": 8001},
        {"width": 361},
        {"locale": "de"},
        {"provenance": {"kind": "ai_native", "content_label": "AI-generated"}},
        {"beats": []},
    ],
    ids=["duration", "size", "locale", "provenance", "beats"],
)
def test_refuses_to_change_a_version_once_ingested(pipeline, changed):
    video = stored_video()
    pipeline.push("helen", series_push(episodes=[episode_push(1, video=video)]))
    before = Series.objects.values().get(), Episode.objects.values().get()

    body = series_push(genre="western", episodes=[episode_push(1, video=video, **changed)])
    response = pipeline.push("helen", body)

    assert (response.status_code, response.json()["code"]) == (422, "series_invalid")
    assert response.json()["errors"] == [
        {
            "path": "episodes[0].version",
            "message": "The version v1 was ingested with other content;"
            " push the new cut under a new external id.",
        }
    ]
    assert (Series.objects.values().get(), Episode.objects.values().get()) == before


def test_refuses_callers_without_a_key_that_may_write(pipeline, now):
    reader = pipeline_headers(now=now, scopes=[Scope.PIPELINE_READ])
    viewer = viewer_headers(DeviceFactory(), now=now)
    for headers, status, code in (
        (clock_headers(now), 401, "not_authenticated"),
        ({"Authorization": "Bearer clf_nothing"}, 401, "api_key_invalid"),
        (viewer, 401, "api_key_invalid"),
        (reader, 403, "scope_missing"),
    ):
        pipeline.headers = headers

        response = pipeline.push("helen", series_push())

        assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Series.objects.exists()


@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_answers_no_other_method(pipeline, method):
    response = getattr(pipeline.client, method)(
        "/v1/pipeline/series/helen", headers=pipeline.headers
    )

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
