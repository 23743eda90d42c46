"""A flush notes of watching what the app could not say, and the lake reads older files beside."""

from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.exports.datasets import DATASETS, Span
from analytics.intake import inbox
from analytics.lake import (
    datasets,
    erasing,
    file_store,
    flushing,
    merging,
    reading,
    repeats,
    writing,
)
from analytics.lake.schema import ADDED_COLUMNS, EVENT_SCHEMA
from analytics.models import LakeFile, RepeatedEvent
from payments.access import paywall
from payments.unlocking import unlocks
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.events import Playback, app_open, body, event
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import ViewerFactory

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]


def flush(events, *, at, viewer_id=None, **members):
    inbox.receive(
        viewer_id=viewer_id or uuid4(),
        environment="production",
        body=body(events, sent_at=at, **members),
        now=at,
    )
    flushing.finish(flushing.write(flushing.claim(now=at)), now=at)


def rows(columns):
    with reading.connection() as opened:
        found = opened.execute(f"SELECT {columns} FROM events ORDER BY occurred_at, type")
        return found.fetchall()


def _watched(viewer_id, episode, now):
    return Playback(
        viewer_id,
        now,
        series_id=episode.series_id,
        episode_id=episode.id,
        version_id=episode.current_version_id,
    )


def _unlocked(viewer, episode, now):
    shown = paywall.show(
        viewer_id=viewer.id, environment="production", series_id=episode.series_id, now=now
    )
    done = unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=episode.id,
        quote=shown.quote.token(),
        now=now,
    )
    assert done.outcome.outcome == "unlocked"


def test_watching_is_counted_as_the_trade_does(now):
    default_plan()
    viewer, series = ViewerFactory(), SeriesFactory()
    free, paid = (EpisodeFactory(series=series, number=number) for number in (2, 9))
    fund(viewer.id, now=now)
    _unlocked(viewer, paid, now)
    first, second = (_watched(viewer.id, each, now) for each in (free, paid))
    unknown = Playback(viewer.id, now)
    events = [
        first.progress(0, 30_000, actual_ms=15_000),
        second.progress(10_000, 65_000, actual_ms=55_000),
        second.event("playback_seek", after=timedelta(minutes=2), from_ms=0, to_ms=60_000),
        unknown.progress(0, 10_000, actual_ms=10_000),
    ]

    flush(events, at=now + timedelta(minutes=3), viewer_id=viewer.id)

    assert rows("type, actual_ms, story_ms, furthest_percent, episode_number, opened_by") == [
        ("playback_progress", 10_000, 10_000, None, None, None),
        ("playback_progress", 15_000, 30_000, 50, 2, "free"),
        ("playback_progress", 55_000, 55_000, 100, 9, "coins"),
        ("playback_seek", None, None, None, 9, "coins"),
    ]


def test_what_comes_late_or_from_a_fast_clock_is_marked(now):
    hour = timedelta(hours=1)
    ahead = now + 30 * hour
    flush([app_open(at=now - 49 * hour), app_open(at=now - 47 * hour)], at=now)
    inbox.receive(
        viewer_id=uuid4(),
        environment="production",
        body=body([app_open(at=ahead - hour)], sent_at=ahead),
        now=now,
    )
    flushing.finish(flushing.write(flushing.claim(now=now)), now=now)

    assert rows("is_late, is_ahead") == [(True, False), (False, False), (False, True)]


def test_a_batch_leaves_its_version_with_its_events(now):
    sent = event("purchase_cancelled", at=now, product_id=str(uuid4()))
    flush([sent], at=now, catalogue=2)

    assert rows("catalogue, product_id, intent_id") == [(2, sent["product_id"], None)]


def _make_old(file):
    """As the first version of the columns has it."""
    path = file_store.local_path(file.path)
    table = pq.read_table(path, partitioning=None).drop_columns(list(ADDED_COLUMNS[2]))
    pq.write_table(table, path)
    LakeFile.objects.filter(id=file.id).update(columns_version=1)


def test_a_file_of_before_reads_null_in_columns_that_came_later(now):
    for at in (now, now + timedelta(seconds=1)):
        flush([app_open(at=at)], at=at, catalogue=2)
    _make_old(LakeFile.objects.order_by("id").first())
    repeats.settle(now=now)

    assert rows("catalogue, is_late, story_ms") == [(None, None, None), (2, False, None)]

    assert merging.merge_next(now=now + timedelta(days=3)) == 2
    merged = LakeFile.objects.get(retired_at=None)
    assert merged.columns_version == datasets.EVENTS.version == 2
    assert rows("catalogue, is_late, story_ms") == [(None, None, None), (2, False, None)]


def test_a_file_of_before_is_compared_exported_and_erased_like_any(now):
    """It has no moment of arrival, so its copy came first; and exports that continue have told of it."""
    gone, second = ViewerFactory(), timedelta(seconds=1)
    opened = [app_open(at=now) for _ in range(4)]
    flush(opened[:2], at=now, viewer_id=gone.id)
    _make_old(LakeFile.objects.get())
    for at, some in ((now + second, opened[1:3]), (now + 2 * second, [opened[0], opened[3]])):
        flush(some, at=at)
    versions = zip((each["event_id"] for each in opened), (None, None, 1, 1), strict=True)
    counted = sorted(versions, key=itemgetter(0))
    assert sorted(rows("event_id, catalogue"), key=itemgetter(0)) == counted

    assert repeats.settle(now=now) == 3
    assert sorted(rows("event_id, catalogue"), key=itemgetter(0)) == counted
    assert sorted(RepeatedEvent.objects.values_list("file__columns_version")) == [(2,), (2,)]

    far = Span(start=None, end=now + timedelta(days=9999), since=None, until=None)
    assert _exported(far) == 4
    assert _exported(replace(far, start=now)) == 2

    gone.erased_at = now
    gone.save()
    assert erasing.erase_due(now=now + timedelta(hours=9)) == 1
    assert LakeFile.objects.get(columns_version=1, retired_at=None).row_count == 2
    assert sorted(rows("event_id, catalogue"), key=itemgetter(0)) == counted
    assert str(gone.id) not in {viewer_id for (viewer_id,) in rows("viewer_id")}


def _exported(span):
    with DATASETS["events"].opened(span) as opened:
        assert opened.count == sum(map(len, opened.parts))
        return opened.count


def test_a_column_that_comes_next_is_null_in_all_files_there_are(now, monkeypatch):
    flush([app_open(at=now)], at=now)
    grown = datasets.Dataset(
        name="events",
        folder="events",
        schema=EVENT_SCHEMA.append(pa.field("mood", pa.string())),
        key="event_id",
        moment="occurred_at",
        order=datasets.EVENTS.order,
        added={**ADDED_COLUMNS, 3: ("mood",)},
    )
    monkeypatch.setattr(reading, "EVENTS", grown)
    assert rows("type, mood") == [("app_open", None)]

    later = writing.write(
        "events/day=2026-03-14/grown.parquet",
        now.date(),
        pq.read_table(file_store.local_path(LakeFile.objects.get().path), partitioning=None)
        .set_column(0, "event_id", [[str(uuid4())]])
        .append_column("mood", [["blue"]]),
        dataset=grown,
    )
    row = later.as_row(now=now)
    row.compared_at = now
    row.save()
    assert sorted(rows("mood"), key=str) == [("blue",), (None,)]
