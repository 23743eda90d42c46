"""draft → scheduled → published → withdrawn, and who may take each step."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from catalog import publishing
from catalog.faults import SeriesInvalid
from catalog.models import ProvenanceKind, Series
from catalog.tasks import publish_due_series
from config import clock
from config.problems import NotFound
from tests.factories.catalog import (
    PAST,
    EpisodeFactory,
    SeriesFactory,
    SeriesTextFactory,
    episode_push,
    series_push,
    stored_video,
)

State = Series.State


def _draft(**fields):
    series = SeriesFactory(state=State.DRAFT, published_at=None, **fields)
    EpisodeFactory(series=series)
    return series


def test_publishes_a_draft(db, now):
    series = _draft()

    publishing.publish(series_id=series.id, now=now)

    series.refresh_from_db()
    assert (series.state, series.published_at, series.updated_at) == ("published", now, now)


def test_keeps_the_first_publication_when_published_again(db, now):
    series = _draft()
    publishing.publish(series_id=series.id, now=now)
    publishing.withdraw(series_id=series.id, now=now + timedelta(days=1))

    publishing.publish(series_id=series.id, now=now + timedelta(days=2))

    series.refresh_from_db()
    assert (series.state, series.published_at, series.is_held) == ("published", now, False)


def test_publishes_what_is_due_and_nothing_else(db, now):
    due = _draft()
    publishing.schedule(series_id=due.id, publish_at=now + timedelta(hours=1), now=now)
    later = _draft()
    publishing.schedule(series_id=later.id, publish_at=now + timedelta(hours=3), now=now)

    moment = now + timedelta(hours=1)
    assert publishing.publish_due(now=moment) == 1
    assert publishing.publish_due(now=moment) == 0

    due.refresh_from_db()
    later.refresh_from_db()
    assert (due.state, due.published_at, later.state) == ("published", moment, "scheduled")


def test_schedules_into_the_past_by_publishing(db, now):
    series = _draft()

    publishing.schedule(series_id=series.id, publish_at=PAST, now=now)

    series.refresh_from_db()
    assert (series.state, series.published_at) == ("published", now)


def test_task_publishes_by_the_present_clock(db):
    series = _draft()
    now = clock.read()
    publishing.schedule(series_id=series.id, publish_at=now + timedelta(microseconds=1), now=now)

    assert publish_due_series(sent_by="a newer release") == 1

    series.refresh_from_db()
    assert series.state == "published"
    assert series.published_at > now


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_publish_each_series_once(now):
    for _ in range(8):
        series = _draft()
        publishing.schedule(series_id=series.id, publish_at=now + timedelta(hours=1), now=now)
    barrier = Barrier(4)

    def publish(_: int) -> int:
        try:
            barrier.wait(timeout=10)
            return publishing.publish_due(now=now + timedelta(hours=2))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(publish, range(4)))

    assert sum(published) == 8
    assert not Series.objects.exclude(state=State.PUBLISHED).exists()


@pytest.mark.django_db(transaction=True)
def test_passes_over_a_series_that_another_worker_holds(now):
    held, free = _draft(), _draft()
    for series in (held, free):
        publishing.schedule(series_id=series.id, publish_at=now + timedelta(hours=1), now=now)

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        publishing.locked(held.id)

        def publish() -> int:
            try:
                return publishing.publish_due(now=now + timedelta(hours=2))
            finally:
                connection.close()

        assert pool.submit(publish).result() == 1

    free.refresh_from_db()
    assert free.state == "published"


def test_no_push_brings_back_what_an_operator_withdrew(pipeline, now):
    body = series_push(episodes=[episode_push(1, video=stored_video())])
    series_id = pipeline.push("helen", body).json()["series_id"]
    publishing.withdraw(series_id=series_id, now=now)

    response = pipeline.push("helen", body | {"genre": "western"})

    series = Series.objects.get()
    assert response.json()["state"] == "withdrawn"
    assert (series.state, series.genre) == ("withdrawn", "western")

    publishing.publish(series_id=series.id, now=now)
    assert pipeline.push("helen", body).json()["state"] == "published"


def test_a_push_withdraws_and_brings_back(pipeline):
    body = series_push(episodes=[episode_push(1, video=stored_video())])
    states = [
        pipeline.push("helen", body | {"state": state}).json()["state"]
        for state in ("published", "withdrawn", "published")
    ]

    assert states == ["published", "withdrawn", "published"]


def _without_text(series):
    series.texts.all().delete()


def _without_episodes(series):
    series.episodes.update(state="withdrawn")


def _without_version(series):
    series.episodes.update(current_version=None)


def _unlabelled_version(series):
    version = series.episodes.get().current_version
    version.provenance_kind = ProvenanceKind.AI_NATIVE
    version.save()


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (_without_text, "texts"),
        (_without_episodes, "episodes"),
        (_without_version, "episodes"),
        (_unlabelled_version, "episodes"),
    ],
)
def test_refuses_what_viewers_could_not_watch_or_were_not_told(db, now, spoil, path):
    series = _draft()
    spoil(series)

    for step in (publishing.publish, publishing.schedule):
        more = {"publish_at": now} if step is publishing.schedule else {}
        with pytest.raises(SeriesInvalid) as refused:
            step(series_id=series.id, now=now, **more)
        assert [fault.path for fault in refused.value.faults] == [path]
    series.refresh_from_db()
    assert (series.state, series.updated_at) == ("draft", PAST)


@pytest.mark.parametrize("kind", [ProvenanceKind.AI_ASSISTED, ProvenanceKind.AI_NATIVE])
def test_refuses_to_publish_ai_content_without_its_label(db, now, kind):
    series = _draft(provenance_kind=kind)

    with pytest.raises(SeriesInvalid) as refused:
        publishing.publish(series_id=series.id, now=now)
    assert [fault.path for fault in refused.value.faults] == ["provenance.content_label"]

    for state in (State.PUBLISHED, State.SCHEDULED):
        with pytest.raises(IntegrityError, match="ai_is_labelled"), transaction.atomic():
            Series.objects.filter(id=series.id).update(
                state=state, published_at=now, publish_at=now
            )

    Series.objects.filter(id=series.id).update(content_label="AI-generated")
    assert publishing.publish(series_id=series.id, now=now).state == "published"


def test_withdraws_what_could_not_be_published(db, now):
    series = SeriesFactory(state=State.DRAFT, published_at=None)

    publishing.withdraw(series_id=series.id, now=now)

    series.refresh_from_db()
    assert (series.state, series.is_held) == ("withdrawn", True)


def test_knows_no_series_that_is_not_there(db, now):
    for step in (publishing.publish, publishing.withdraw):
        with pytest.raises(NotFound):
            step(series_id=uuid4(), now=now)


def test_original_text_is_the_one_that_counts(db, now):
    series = _draft(original_locale="ja")
    SeriesTextFactory(series=series, locale="ja", title="海")

    assert publishing.publish(series_id=series.id, now=now).state == "published"
