"""Where a viewer stands: the last write stays, on whatever device it was made."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from catalog import history
from catalog.models import Episode, Series, WatchPosition
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.viewers import DeviceFactory, viewer_headers

THREADS = 8


@pytest.fixture
def device(db):
    return DeviceFactory()


@pytest.fixture
def put(api: Client, device, now):
    """PUT /v1/me/history as a viewer."""

    def put(episode: Any, position_ms: int = 1000, *, at: Any = now, **body: Any) -> Any:
        sent = {
            "series_id": str(episode.series_id),
            "episode_id": str(episode.id),
            "position_ms": position_ms,
        } | body
        headers = viewer_headers(device, now=at)
        return api.put("/v1/me/history", sent, "application/json", headers=headers)

    return put


@pytest.fixture
def listed(api: Client, device, now):
    """GET /v1/me/history as a viewer."""

    def listed(*, by: Any = device, **query: Any) -> Any:
        return api.get("/v1/me/history", query, headers=viewer_headers(by, now=now)).json()

    return listed


def test_answers_where_the_viewer_stands(api, put, listed, now):
    first = EpisodeFactory()
    second = EpisodeFactory(series=first.series)

    put(first, 9000)
    answer = put(second, 4000, at=now + timedelta(minutes=5)).json()

    assert answer == {
        "series_id": str(first.series_id),
        "episode_id": str(second.id),
        "episode_number": 2,
        "position_ms": 4000,
        "updated_at": "2026-03-14T12:05:00Z",
    }
    series = api.get(f"/v1/series/{first.series_id}").json()
    assert listed() == {"history": [answer | {"series": series}], "next_cursor": None}


def test_lists_last_watched_first_in_pages(put, listed, now):
    episodes = EpisodeFactory.create_batch(5)
    for minutes, episode in enumerate(episodes):
        put(episode, at=now + timedelta(minutes=minutes // 2))
    shown: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = listed(limit=2, cursor=cursor)
        shown.append([row["episode_id"] for row in page["history"]])
        cursor = page["next_cursor"]

    assert [len(page) for page in shown] == [2, 2, 1]
    everything = [row for page in shown for row in page]
    assert everything[0] == str(episodes[4].id)
    assert sorted(everything) == sorted(str(episode.id) for episode in episodes)


def test_keeps_what_was_noted_later(put, listed, now):
    episode = EpisodeFactory()
    put(episode, 9000, at=now + timedelta(hours=1))

    answer = put(episode, 1000).json()

    assert answer["position_ms"] == 9000
    assert [row["position_ms"] for row in listed()["history"]] == [9000]


def test_shows_nothing_of_another_viewer(put, listed):
    put(EpisodeFactory())

    assert listed(by=DeviceFactory()) == {"history": [], "next_cursor": None}


def test_leaves_out_what_is_withdrawn_until_it_is_back(put, listed, now):
    kept, gone = EpisodeFactory(), EpisodeFactory()
    put(kept)
    put(gone, at=now + timedelta(minutes=1))
    Series.objects.filter(id=gone.series_id).update(state=Series.State.WITHDRAWN)

    first = listed(limit=1)
    Series.objects.filter(id=gone.series_id).update(state=Series.State.PUBLISHED)

    assert [row["episode_id"] for row in first["history"]] == [str(kept.id)]
    assert first["next_cursor"] is None
    assert len(listed()["history"]) == 2


def test_leaves_out_an_episode_that_is_withdrawn_until_it_is_back(put, listed, now):
    kept, gone = EpisodeFactory(), EpisodeFactory()
    put(kept)
    put(gone, at=now + timedelta(minutes=1))
    Episode.objects.filter(id=gone.id).update(state=Episode.State.WITHDRAWN)

    first = listed(limit=1)
    Episode.objects.filter(id=gone.id).update(state=Episode.State.PUBLISHED)

    assert [row["episode_id"] for row in first["history"]] == [str(kept.id)]
    assert first["next_cursor"] is None
    assert [row["episode_id"] for row in listed(limit=1)["history"]] == [str(gone.id)]


@pytest.mark.parametrize("what", ["series", "episode", "other series", "withdrawn", "episode gone"])
def test_refuses_what_is_not_published(put, what):
    episode = EpisodeFactory(series__state="withdrawn" if what == "withdrawn" else "published")
    body = {
        "series": {"series_id": str(uuid4())},
        "episode": {"episode_id": str(uuid4())},
        "other series": {"series_id": str(SeriesFactory().id)},
    }.get(what, {})
    if what == "episode gone":
        episode.state = "withdrawn"
        episode.save()

    response = put(episode, **body)

    assert (response.status_code, response.json()["code"]) == (404, "series_unavailable")
    assert not WatchPosition.objects.exists()


def test_forgets_the_series_least_recently_watched(put, listed, now, monkeypatch):
    monkeypatch.setattr(history, "KEPT_SERIES", 3)
    episodes = EpisodeFactory.create_batch(5)
    for minutes, episode in enumerate(episodes):
        put(episode, at=now + timedelta(minutes=minutes))
    # By a clock that is behind: this viewer's oldest, and yet what they watch now.
    late = put(EpisodeFactory(), at=now - timedelta(days=1))

    kept = [row["episode_id"] for row in listed()["history"]]
    assert kept == [str(episodes[4].id), str(episodes[3].id), late.json()["episode_id"]]


def test_costs_the_same_number_of_queries_for_any_page(put, listed, django_assert_num_queries):
    for episode in EpisodeFactory.create_batch(6):
        put(episode)

    for limit in (1, 6):
        with django_assert_num_queries(3):
            listed(limit=limit)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_the_last_by_our_clock_stays(now):
    device, episode = DeviceFactory(), EpisodeFactory()
    barrier = Barrier(THREADS)

    def put(seconds: int) -> None:
        try:
            barrier.wait(timeout=10)
            for step in range(5):
                history.put(
                    viewer_id=device.viewer_id,
                    series_id=episode.series_id,
                    episode_id=episode.id,
                    position_ms=100 * seconds + step,
                    now=now + timedelta(seconds=seconds, milliseconds=step),
                )
        finally:
            connection.close()

    for _ in range(5):
        WatchPosition.objects.all().delete()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(put, range(THREADS)))
        assert WatchPosition.objects.get().position_ms == 100 * (THREADS - 1) + 4
