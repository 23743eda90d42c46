"""What operators may do with the catalog, and what they may not."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Episode, ProvenanceKind, Series, SeriesText
from tests.factories.catalog import (
    BeatFactory,
    EpisodeFactory,
    EpisodeTextFactory,
    SeriesFactory,
    SeriesTextFactory,
    png,
    stored_poster,
    stored_video,
)

SERIES = "/admin/catalog/series/"


def _browser(settings, user):
    settings.ADMIN_SECOND_FACTOR = False
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def staff(db, settings):
    """An operator's browser; the second factor is not this file's concern."""
    return _browser(settings, User.objects.create_superuser("operator"))


@pytest.fixture
def reader(db, settings):
    """Somebody who may look at everything here, and no more."""
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return _browser(settings, user)


def _form(series: Series, **changed: Any) -> dict[str, Any]:
    texts = list(series.texts.order_by("locale"))
    form: dict[str, Any] = {
        "genre": series.genre,
        "tags": ",".join(series.tags),
        "release_year": series.release_year or "",
        "country": series.country,
        "studio": series.studio,
        "content_label": series.content_label,
        "texts-TOTAL_FORMS": len(texts),
        "texts-INITIAL_FORMS": len(texts),
        "episodes-TOTAL_FORMS": 0,
        "episodes-INITIAL_FORMS": 0,
    }
    for n, text in enumerate(texts):
        form |= {
            f"texts-{n}-id": text.id,
            f"texts-{n}-series": series.id,
            f"texts-{n}-locale": text.locale,
            f"texts-{n}-title": text.title,
            f"texts-{n}-synopsis": text.synopsis,
        }
    return form | changed


def test_lists_series_with_poster_state_and_counts(staff):
    series = SeriesFactory(title="The Hazards of Helen", poster=stored_poster())
    EpisodeFactory.create_batch(2, series=series)
    EpisodeFactory(series=series, state="withdrawn")

    response = staff.get(SERIES)

    page = response.content.decode()
    assert "The Hazards of Helen" in page
    assert f'src="/media/{series.poster.storage_key}"' in page
    assert [row.published_count for row in response.context["cl"].result_list] == [2]


@pytest.mark.parametrize(
    "path", ["series", "episode", "episodeversion", "mediaasset"], ids=lambda path: path
)
def test_lists_cost_the_same_number_of_queries_for_any_length(staff, path):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(f"/admin/catalog/{path}/").status_code == 200
        return len(captured)

    def add(count: int) -> None:
        for n in range(count):
            series = SeriesFactory(poster=stored_poster(png(f"{count} {n}".encode())))
            EpisodeFactory(series=series)

    add(2)
    queries()  # the first call also fills Django's own memory of content types
    few = queries()
    add(8)

    assert queries() == few


def test_page_costs_the_same_number_of_queries_for_any_number_of_episodes(staff):
    def queries(series: Series) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(f"{SERIES}{series.id}/change/").status_code == 200
        return len(captured)

    few, many = SeriesFactory(), SeriesFactory()
    EpisodeFactory.create_batch(2, series=few)
    EpisodeFactory.create_batch(20, series=many)
    queries(few)

    assert queries(many) == queries(few)


@pytest.mark.parametrize("term", ["hazards", "helen HAZARDS", "helen-1914"])
def test_finds_a_series_by_title_or_external_id(staff, term):
    SeriesFactory(title="The Hazards of Helen", external_id="helen-1914")
    SeriesFactory(title="Les Vampires", external_id="vampires")

    page = staff.get(SERIES, {"q": term}).content.decode()

    assert "The Hazards of Helen" in page
    assert "Les Vampires" not in page


@pytest.mark.parametrize("term", ["' OR 1=1", "x" * 3000, "\x00", "!!!", "🎬"])
def test_searches_for_anything_without_failing(staff, term):
    EpisodeFactory()

    for path in ("series", "episode", "episodeversion", "mediaasset"):
        assert staff.get(f"/admin/catalog/{path}/", {"q": term}).status_code == 200


def test_finds_an_episode_by_any_of_its_ids(staff):
    episode, other = (
        EpisodeFactory(external_id="chapter-7"),
        EpisodeFactory(external_id="chapter-8"),
    )

    for term in (episode.id, episode.series_id, "chapter-7", episode.series.external_id):
        page = staff.get("/admin/catalog/episode/", {"q": str(term)}).content.decode()
        assert "chapter-7" in page
        assert str(other.id) not in page


def test_edits_texts_and_finds_them_at_once(staff, api):
    series = SeriesFactory(title="Helen")
    SeriesTextFactory(series=series, locale="de", title="Helena")
    caches["local"].clear()
    texts = {"texts-1-title": "Railway heroine", "texts-0-title": "Eisenbahnheldin"}

    response = staff.post(f"{SERIES}{series.id}/change/", _form(series, genre="drama", **texts))

    assert response.status_code == 302
    assert Series.objects.get().genre == "drama"
    assert set(series.texts.values_list("title", flat=True)) == {
        "Railway heroine",
        "Eisenbahnheldin",
    }
    found = api.get("/v1/series", {"q": "heroine"}).json()["series"]
    assert [item["id"] for item in found] == [str(series.id)]


def test_writes_nothing_that_the_form_does_not_show(staff):
    series = SeriesFactory()
    before = Series.objects.values("external_id", "state", "content_hash", "original_locale").get()

    forged = {"external_id": "forged", "state": "withdrawn", "id": "x", "original_locale": "de"}
    staff.post(f"{SERIES}{series.id}/change/", _form(series, genre="drama", **forged))

    after = Series.objects.values("external_id", "state", "content_hash", "original_locale").get()
    assert (after, Series.objects.get().genre) == (before, "drama")


@pytest.mark.parametrize(
    "changed",
    [
        {"texts-0-DELETE": "on"},
        {"texts-0-locale": "de"},
        {"texts-0-locale": "EN"},
        {"texts-0-title": ""},
        {"genre": "x" * 61},
        {"release_year": "99"},
        {"country": "us"},
    ],
    ids=["text deleted", "text moved", "odd case", "no title", "long genre", "year", "country"],
)
def test_refuses_what_a_push_could_not_say(staff, changed):
    series = SeriesFactory(title="Helen")
    before = Series.objects.values().get(), SeriesText.objects.values().get()

    response = staff.post(f"{SERIES}{series.id}/change/", _form(series, **changed))

    assert response.status_code == 200
    assert (Series.objects.values().get(), SeriesText.objects.values().get()) == before


def test_refuses_to_unlabel_what_ai_made(staff):
    series = SeriesFactory(
        provenance_kind=ProvenanceKind.AI_NATIVE, content_label="AI-generated", title="Helen"
    )

    response = staff.post(f"{SERIES}{series.id}/change/", _form(series, content_label=""))

    assert response.status_code == 200
    assert b"What AI had a part in needs a label." in response.content
    assert Series.objects.get().content_label == "AI-generated"


def _act(browser, action, *rows):
    return browser.post(
        SERIES, {"action": action, "_selected_action": [str(row.id) for row in rows]}, follow=True
    )


def test_publishes_and_withdraws_selected_series(staff):
    series = SeriesFactory(state="draft", published_at=None)
    EpisodeFactory(series=series)

    _act(staff, "publish_selected", series)
    series.refresh_from_db()
    assert (series.state, series.is_held) == ("published", False)

    _act(staff, "withdraw_selected", series)
    series.refresh_from_db()
    assert (series.state, series.is_held) == ("withdrawn", True)
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("id")] == [
        "Published.",
        "Withdrawn.",
    ]


def test_says_why_a_series_cannot_be_published(staff):
    series = SeriesFactory(state="draft", published_at=None, external_id="empty")

    page = _act(staff, "publish_selected", series).content.decode()

    assert "empty: A series needs an episode before it may be published." in page
    assert Series.objects.get().state == "draft"


def test_publishes_and_withdraws_from_the_page_after_asking(staff):
    series = EpisodeFactory(series__state="draft", series__published_at=None).series
    page = staff.get(f"{SERIES}{series.id}/change/").content.decode()

    for name, state in (("publish", "published"), ("withdraw", "withdrawn")):
        path = f"{SERIES}{series.id}/{name}/"
        assert path in page
        asked = staff.get(path)
        assert asked.status_code == 200
        assert Series.objects.get().state != state
        response = staff.post(path, {"_form_submitted": "True"})
        assert response["HX-Redirect"] == f"{SERIES}{series.id}/change/"
        assert Series.objects.get().state == state


@pytest.mark.parametrize("name", ["nonsense", "01980000-0000-7000-8000-000000000000"])
def test_takes_no_step_with_a_series_that_is_not_there(staff, name):
    response = staff.post(f"{SERIES}{name}/publish/", {"_form_submitted": "True"})

    assert response.status_code == 404


def test_a_reader_changes_nothing(reader):
    series = SeriesFactory(genre="western")
    before = Series.objects.values().get()
    page = f"{SERIES}{series.id}/change/"

    assert reader.get(SERIES).status_code == reader.get(page).status_code == 200
    assert reader.post(page, _form(series, genre="drama")).status_code == 403
    _act(reader, "withdraw_selected", series)
    posted = reader.post(f"{SERIES}{series.id}/withdraw/", {"_form_submitted": "True"})
    assert posted.status_code == 403
    assert Series.objects.values().get() == before


def test_nobody_adds_or_deletes(staff):
    episode = EpisodeFactory(version__media=stored_video())
    rows = {
        "series": episode.series,
        "episode": episode,
        "episodeversion": episode.current_version,
        "mediaasset": episode.current_version.media,
    }

    for path, row in rows.items():
        assert staff.get(f"/admin/catalog/{path}/add/").status_code == 403
        assert staff.post(f"/admin/catalog/{path}/{row.id}/delete/").status_code == 403
    assert Episode.objects.count() == Series.objects.count() == 1


def test_shows_versions_and_beats_but_not_where_a_video_lies(staff):
    episode = EpisodeFactory(version__media=stored_video())
    EpisodeTextFactory(episode=episode)
    version = episode.current_version
    BeatFactory(version=version, hook="A runaway engine")
    secret = version.media.storage_key.removeprefix("videos/").removesuffix(".mp4")

    pages = {
        path: staff.get(f"/admin/catalog/{path}/change/").content.decode()
        for path in (
            f"episode/{episode.id}",
            f"episodeversion/{version.id}",
            f"mediaasset/{version.media_id}",
        )
    }

    assert "Leap from the water tower" in pages[f"episode/{episode.id}"]
    assert "A runaway engine" in pages[f"episodeversion/{version.id}"]
    for page in pages.values():
        assert secret not in page


def test_edits_an_episodes_text(staff):
    episode = EpisodeFactory()
    text = EpisodeTextFactory(episode=episode, title="Chapter 1")
    form = {
        "texts-TOTAL_FORMS": 1,
        "texts-INITIAL_FORMS": 1,
        "texts-0-id": text.id,
        "texts-0-episode": episode.id,
        "texts-0-locale": "en",
        "texts-0-title": "Chapter One",
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
    }

    response = staff.post(f"/admin/catalog/episode/{episode.id}/change/", form)

    text.refresh_from_db()
    assert (response.status_code, text.title) == (302, "Chapter One")
