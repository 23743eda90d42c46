"""Pushes of one series happen one after another, whoever sends them at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction

from catalog import ingest
from catalog.models import Beat, Episode, EpisodeVersion, Series
from catalog.pushes import SeriesPush
from tests.factories.catalog import SeriesFactory, episode_push, series_push, stored_video

THREADS = 6


def _at_once(pushes: list[SeriesPush], now: Any) -> list[Any]:
    barrier = Barrier(len(pushes))

    def push(body: SeriesPush) -> Any:
        try:
            barrier.wait(timeout=10)
            return ingest.ingest(external_id="helen", push=body, now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(pushes)) as pool:
        return list(pool.map(push, pushes))


def _push(**fields: Any) -> SeriesPush:
    return msgspec.convert(series_push(**fields), SeriesPush)


@pytest.mark.django_db(transaction=True)
def test_twins_that_create_make_one_series(now):
    body = _push(episodes=[episode_push(n, video=stored_video()) for n in (1, 2)])

    done = _at_once([body] * THREADS, now)

    assert sorted(result.is_created for result in done) == [False] * (THREADS - 1) + [True]
    assert sum(result.is_unchanged for result in done) == THREADS - 1
    assert len({result.series.id for result in done}) == 1
    counts = [model.objects.count() for model in (Series, Episode, EpisodeVersion, Beat)]
    assert counts == [1, 2, 2, 4]


@pytest.mark.django_db(transaction=True)
def test_twins_that_differ_leave_one_of_them_whole(now):
    video = stored_video()
    bodies = [
        _push(genre=f"genre {n}", episodes=[episode_push(k, video=video) for k in range(1, n + 2)])
        for n in range(THREADS)
    ]

    _at_once(bodies, now)

    series = Series.objects.get()
    last = int(series.genre.removeprefix("genre "))
    numbers = series.episodes.filter(state="published").values_list("number", flat=True)
    assert sorted(numbers) == list(range(1, last + 2))


@pytest.mark.django_db(transaction=True)
def test_a_push_that_waits_too_long_is_told_to_come_back(pipeline, now):
    SeriesFactory(external_id="helen")
    held, finished = Barrier(2), Barrier(2)

    def hold() -> None:
        try:
            with transaction.atomic():
                Series.objects.select_for_update().get(external_id="helen")
                held.wait(timeout=10)
                finished.wait(timeout=10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        held.wait(timeout=10)
        response = pipeline.push("helen", series_push(state="withdrawn"))
        finished.wait(timeout=10)
        holding.result()

    assert (response.status_code, response.json()["code"]) == (409, "busy")
    assert response["Retry-After"] == "1"
