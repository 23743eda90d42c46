"""What anyone may read of the catalog, exactly."""

from datetime import timedelta
from uuid import uuid4

import pytest

from catalog.models import ProvenanceKind, Series
from tests.factories.catalog import (
    PAST,
    EpisodeFactory,
    EpisodeTextFactory,
    SeriesFactory,
    SeriesTextFactory,
    stored_poster,
    stored_video,
)

HIDDEN = [Series.State.DRAFT, Series.State.SCHEDULED, Series.State.WITHDRAWN]


@pytest.fixture
def series(db):
    return SeriesFactory(
        title="The Hazards of Helen",
        tags=["railway", "stunts"],
        release_year=1914,
        country="US",
        studio="Kalem",
        poster=stored_poster(),
        provenance_kind=ProvenanceKind.AI_ASSISTED,
        provenance_model="upscaler-3",
        content_label="Restored with AI",
    )


def test_shows_a_series(api, series, settings):
    EpisodeFactory.create_batch(2, series=series)
    EpisodeFactory(series=series, state="withdrawn")
    settings.PUBLIC_URL = "https://drama.example"

    response = api.get(f"/v1/series/{series.id}")

    assert response.status_code == 200
    assert response.json() == {
        "id": str(series.id),
        "title": "The Hazards of Helen",
        "synopsis": "A telegraph operator and her trains.",
        "locale": "en",
        "original_locale": "en",
        "genre": "adventure",
        "tags": ["railway", "stunts"],
        "release_year": 1914,
        "country": "US",
        "studio": "Kalem",
        "poster_url": f"https://drama.example/media/{series.poster.storage_key}",
        "provenance": {"kind": "ai_assisted", "content_label": "Restored with AI"},
        "episode_count": 2,
        "published_at": "2026-03-01T09:00:00Z",
    }


def test_lists_newest_first_in_pages(api, db):
    titles = [f"Series {n}" for n in range(7)]
    for days, title in enumerate(titles):
        SeriesFactory(title=title, published_at=PAST + timedelta(days=days // 3))
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = api.get("/v1/series", {"limit": 3, "cursor": cursor}).json()
        pages.append([item["title"] for item in body["series"]])
        cursor = body["next_cursor"]

    assert pages == [
        ["Series 6", "Series 5", "Series 4"],
        ["Series 3", "Series 2", "Series 1"],
        ["Series 0"],
    ]


def test_a_series_published_meanwhile_moves_no_later_page(api, db):
    for days in range(4):
        SeriesFactory(title=f"Series {days}", published_at=PAST + timedelta(days=days))
    first = api.get("/v1/series", {"limit": 2}).json()
    SeriesFactory(title="Newer", published_at=PAST + timedelta(days=9))

    second = api.get("/v1/series", {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["title"] for item in second["series"]] == ["Series 1", "Series 0"]
    assert second["next_cursor"] is None


def test_filters_by_genre(api, db):
    SeriesFactory(title="A western", genre="western")
    SeriesFactory(title="A romance", genre="romance")

    body = api.get("/v1/series", {"genre": "romance"}).json()

    assert [item["title"] for item in body["series"]] == ["A romance"]


@pytest.mark.parametrize("state", HIDDEN)
def test_hides_what_is_not_published(api, series, state):
    Series.objects.filter(id=series.id).update(state=state, publish_at=PAST)
    EpisodeFactory(series=series)

    assert api.get("/v1/series").json() == {"series": [], "next_cursor": None}
    for path in (f"/v1/series/{series.id}", f"/v1/series/{series.id}/episodes"):
        response = api.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_lists_episodes_by_number_in_pages(api, series):
    episodes = EpisodeFactory.create_batch(3, series=series, version__media=stored_video())
    EpisodeTextFactory(episode=episodes[0])
    EpisodeFactory(series=series, state="withdrawn")

    first = api.get(f"/v1/series/{series.id}/episodes", {"limit": 2}).json()
    second = api.get(
        f"/v1/series/{series.id}/episodes", {"limit": 2, "cursor": first["next_cursor"]}
    ).json()

    assert first["series_id"] == str(series.id)
    assert first["episodes"][0] == {
        "id": str(episodes[0].id),
        "number": 1,
        "title": "Leap from the water tower",
        "synopsis": "",
        "locale": "en",
        "duration_ms": 60_000,
        "provenance": {"kind": "human", "content_label": ""},
    }
    assert [e["number"] for e in first["episodes"] + second["episodes"]] == [1, 2, 3]
    assert second["next_cursor"] is None


def test_tells_nothing_that_leads_to_an_episodes_media(api, series):
    video = stored_video()
    version = EpisodeFactory(series=series, version__media=video).current_version

    for path in ("/v1/series", f"/v1/series/{series.id}", f"/v1/series/{series.id}/episodes"):
        text = api.get(path).content.decode()
        for secret in (video.id, video.sha256, video.storage_key, version.id, version.external_id):
            assert f'"{secret}"' not in text
            assert str(secret) not in text or secret == version.external_id


@pytest.mark.parametrize("rows", [1, 12])
def test_costs_the_same_number_of_queries_for_any_page(api, db, rows, django_assert_num_queries):
    for _ in range(rows):
        series = SeriesFactory(poster=None, title="Railway")
        SeriesTextFactory(series=series, locale="de", title="Eisenbahn")
    for _ in range(rows):
        EpisodeTextFactory(episode=EpisodeFactory(series=series))

    for path, ceiling in (
        ("/v1/series?locale=de", 2),
        ("/v1/series?q=railway", 2),
        (f"/v1/series/{series.id}", 2),
        (f"/v1/series/{series.id}/episodes", 3),
    ):
        with django_assert_num_queries(ceiling):
            assert api.get(path).status_code == 200


def test_answers_again_without_a_query(api, series, django_assert_num_queries):
    first = api.get("/v1/series")

    with django_assert_num_queries(0):
        again = api.get("/v1/series")
        unchanged = api.get("/v1/series", headers={"If-None-Match": first["ETag"]})

    assert again.content == first.content
    assert first["Cache-Control"] == "public, max-age=30"
    assert first["Vary"] == "Accept-Language"
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_knows_no_series_that_is_not_there(api, db):
    for name in (uuid4(), "not-an-id", "%00", "x" * 5000):
        for path in (f"/v1/series/{name}", f"/v1/series/{name}/episodes"):
            response = api.get(path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
