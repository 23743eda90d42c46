"""PUT /v1/pipeline/series/{external_id}: the whole desired state of one series."""

from datetime import timedelta

import pytest

from catalog.models import Beat, Episode, EpisodeText, Series, SeriesText
from tests.factories.catalog import episode_push, series_push, stored_poster, stored_video


def test_creates_series_with_all_it_says(pipeline, now):
    poster, video = stored_poster(), stored_video()
    body = series_push(poster_sha256=poster.sha256, episodes=[episode_push(1, video=video)])

    response = pipeline.push("helen", body)

    series = Series.objects.get()
    episode = series.episodes.get()
    version = episode.current_version
    assert response.status_code == 201
    assert response.json() == {
        "series_id": str(series.id),
        "external_id": "helen",
        "state": "published",
        "created": True,
        "unchanged": False,
        "episodes": [
            {
                "external_id": "episode-1",
                "episode_id": str(episode.id),
                "version_id": str(version.id),
            }
        ],
    }
    assert (series.genre, series.tags, series.release_year) == ("adventure", ["railway"], 1914)
    assert (series.country, series.studio, series.poster) == ("US", "Kalem", poster)
    assert series.published_at == series.created_at == series.updated_at == now
    assert dict(series.texts.values_list("locale", "title")) == {
        "en": "The Hazards of Helen",
        "zh-Hans": "海伦历险记",
    }
    assert (episode.number, episode.state, episode.texts.get().title) == (
        1,
        "published",
        "Chapter 1",
    )
    assert (version.media, version.duration_ms, version.width) == (video, 8000, 360)
    assert list(version.beats.values_list("position", "start_ms", "end_ms", "kind", "emotion")) == [
        (0, 0, 2000, "hook", "curiosity"),
        (1, 2000, 8000, "cliffhanger", ""),
    ]


def test_answers_unchanged_and_moves_nothing_when_pushed_again(pipeline, now):
    body = series_push(episodes=[episode_push(1, video=stored_video())])
    first = pipeline.push("helen", body)
    before = Series.objects.values().get(), Episode.objects.values().get()

    again = pipeline.push("helen", dict(reversed(body.items())))

    assert again.status_code == 200
    assert again.json() == first.json() | {"created": False, "unchanged": True}
    assert (Series.objects.values().get(), Episode.objects.values().get()) == before


def test_replaces_what_changed_and_leaves_the_rest(pipeline, now):
    video = stored_video()
    pipeline.push("helen", series_push(episodes=[episode_push(n, video=video) for n in (1, 2)]))
    untouched = Episode.objects.values().get(number=1)
    changed = series_push(
        genre="railway drama",
        texts={"en": {"title": "Helen"}, "de": {"title": "Helens Abenteuer"}},
        episodes=[episode_push(1, video=video), episode_push(2, video=video, external_id="v2")],
    )

    response = pipeline.push("helen", changed)

    assert response.status_code == 200
    assert (response.json()["created"], response.json()["unchanged"]) == (False, False)
    assert Series.objects.get().genre == "railway drama"
    assert dict(SeriesText.objects.values_list("locale", "title")) == {
        "en": "Helen",
        "de": "Helens Abenteuer",
    }
    assert Episode.objects.values().get(number=1) == untouched
    second = Episode.objects.get(number=2)
    assert second.current_version.external_id == "v2"
    assert set(second.versions.values_list("external_id", flat=True)) == {"v1", "v2"}


def test_goes_back_to_an_earlier_version(pipeline):
    video = stored_video()
    for name in ("v1", "v2"):
        body = series_push(episodes=[episode_push(1, video=video, external_id=name)])
        pipeline.push("helen", body)

    pipeline.push("helen", series_push(episodes=[episode_push(1, video=video)]))

    episode = Episode.objects.get()
    assert episode.current_version.external_id == "v1"
    assert episode.versions.count() == 2


def test_counts_a_numbering_up_only_when_an_episode_gets_another_number(pipeline):
    video = stored_video()
    one, two, three = (episode_push(n, video=video) for n in (1, 2, 3))
    seen = []
    for episodes in ([one, two], [one, two, three], [two | {"number": 1}, one | {"number": 2}]):
        pipeline.push("helen", series_push(episodes=episodes))
        seen.append(Series.objects.get().numbering)

    assert seen == [1, 1, 2]


def test_withdraws_episodes_left_out_and_brings_them_back(pipeline):
    video = stored_video()
    one, two = (episode_push(n, video=video) for n in (1, 2))
    pipeline.push("helen", series_push(episodes=[one, two]))
    ids = dict(Episode.objects.values_list("external_id", "id"))

    shorter = pipeline.push("helen", series_push(episodes=[two | {"number": 1}]))

    assert [e["external_id"] for e in shorter.json()["episodes"]] == ["episode-2"]
    assert dict(Episode.objects.values_list("external_id", "state")) == {
        "episode-1": "withdrawn",
        "episode-2": "published",
    }
    assert dict(Episode.objects.values_list("external_id", "number")) == {
        "episode-1": 1,
        "episode-2": 1,
    }

    pipeline.push("helen", series_push(episodes=[one, two]))

    assert dict(Episode.objects.values_list("external_id", "id")) == ids
    assert set(Episode.objects.values_list("number", "state")) == {
        (1, "published"),
        (2, "published"),
    }


def test_renumbers_episodes_that_keep_their_identity(pipeline):
    video = stored_video()
    episodes = [episode_push(n, video=video) for n in (1, 2, 3)]
    pipeline.push("helen", series_push(episodes=episodes))
    ids = dict(Episode.objects.values_list("external_id", "id"))

    turned = [episode | {"number": 4 - episode["number"]} for episode in episodes]
    response = pipeline.push("helen", series_push(episodes=turned))

    assert response.status_code == 200
    assert [e["external_id"] for e in response.json()["episodes"]] == [
        "episode-3",
        "episode-2",
        "episode-1",
    ]
    assert dict(Episode.objects.values_list("external_id", "id")) == ids


def test_makes_default_beats_of_thirty_seconds(pipeline):
    episode = episode_push(1, video=stored_video(), duration_ms=70_000, beats=[])

    pipeline.push("helen", series_push(episodes=[episode]))

    assert list(Beat.objects.values_list("position", "start_ms", "end_ms", "kind")) == [
        (0, 0, 30_000, "interval"),
        (1, 30_000, 60_000, "interval"),
        (2, 60_000, 70_000, "interval"),
    ]


def test_takes_a_draft_without_versions_or_optional_fields(pipeline):
    body = {
        "original_locale": "en",
        "provenance": {"kind": "ai_native"},
        "texts": {"en": {"title": "Untitled"}},
        "episodes": [{"external_id": "e1", "number": 1}],
    }

    response = pipeline.push("sketch", body)

    assert response.status_code == 201
    assert response.json()["state"] == "draft"
    assert response.json()["episodes"][0]["version_id"] is None
    assert not EpisodeText.objects.exists()


def test_publishes_at_once_when_the_scheduled_moment_has_passed(pipeline, now):
    body = series_push(state="scheduled", episodes=[episode_push(1, video=stored_video())])

    future = pipeline.push("later", body | {"publish_at": (now + timedelta(days=1)).isoformat()})
    past = pipeline.push("earlier", body | {"publish_at": (now - timedelta(days=1)).isoformat()})

    assert (future.json()["state"], past.json()["state"]) == ("scheduled", "published")


def test_takes_a_moment_at_any_offset(pipeline):
    body = series_push(state="draft", publish_at="2026-05-01T12:00:00+23:59")

    assert pipeline.push("helen", body).status_code == 201
    assert Series.objects.get().publish_at.isoformat() == "2026-04-30T12:01:00+00:00"


@pytest.mark.parametrize("state", ["draft", "scheduled"])
def test_never_turns_a_published_series_back(pipeline, now, state):
    episodes = [episode_push(1, video=stored_video())]
    pipeline.push("helen", series_push(episodes=episodes))
    before = Series.objects.values().get()

    moment = (now + timedelta(days=1)).isoformat()
    body = series_push(state=state, publish_at=moment, episodes=episodes)
    response = pipeline.push("helen", body)

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"path": "state", "message": f"A published series cannot become {state}."}
    ]
    assert Series.objects.values().get() == before
