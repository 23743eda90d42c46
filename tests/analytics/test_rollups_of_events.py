"""Rollups of what apps report are what the reports count over the lake, late events and repeats included."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django.fixtures import Settings

from analytics.intake import inbox
from analytics.lake import flushing, repeats
from analytics.models import ChangedHour, FillState, RollupHour
from analytics.reports import arpu, charts, funnels, retention, sources
from analytics.reports.arpu import Bucket as Period
from analytics.reports.charts import Measure
from analytics.reports.local_days import Period as Cohorts
from analytics.reports.retention import Mode
from analytics.rollups import filling, hours, reading, retained, slices
from analytics.rollups.hours import Claim
from analytics.rollups.metrics import METRICS, Query
from analytics.rollups.slices import Grain
from catalog.models import Series
from payments.access import paywall
from payments.unlocking import unlocks
from tests.analytics import dying, rolled
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.events import Playback, app_open, body, event
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import ViewerFactory
from viewers.models import Viewer

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
DAY, HOUR, MINUTE, SECOND = (
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
)


def _report(viewer: Viewer, events: list[dict[str, Any]], *, at: datetime) -> None:
    inbox.receive(
        viewer_id=viewer.id, environment="production", body=body(events, sent_at=at), now=at
    )


def _flush(now: datetime) -> None:
    while claim := flushing.claim(now=now):
        flushing.finish(flushing.write(claim), now=now)
    repeats.settle(now=now)


def _total(name: str) -> int:
    return sum(value for key, value in rolled.held().items() if key[0] == name)


@pytest.fixture
def helen(db: None) -> Series:
    default_plan()
    series: Series = SeriesFactory(external_id="helen")
    for number in (1, 9):
        EpisodeFactory(series=series, number=number)
    return series


def _watch(viewer: Viewer, series: Series, number: int, at: datetime) -> list[dict[str, Any]]:
    episode = series.episodes.get(number=number)
    playback = Playback(
        viewer_id=viewer.id,
        started_at=at,
        series_id=series.id,
        episode_id=episode.id,
        version_id=episode.current_version_id,
    )
    nine_seconds = {"after": 9 * SECOND, "from_ms": 0, "to_ms": 9000, "actual_ms": 9000}
    return [
        playback.event("playback_start"),
        playback.event("playback_progress", **nine_seconds),
    ]


@pytest.fixture
def three_days(own_lake: Path, helen: Series, now: datetime) -> datetime:
    """Three viewers on three days around midnights of a zone with a half hour, one of whom unlocks.

    Returns a moment at which every window is over.
    """
    payer, passer, late = (ViewerFactory() for _ in "123")
    wall = event(
        "paywall_shown",
        at=now + MINUTE,
        series_id=str(helen.id),
        episode_id=str(helen.episodes.get(number=9).id),
        price_coins=60,
    )
    for viewer in (payer, passer):
        own = wall | {"event_id": app_open(at=now)["event_id"]}
        _report(viewer, [app_open(at=now), *_watch(viewer, helen, 1, now), own], at=now + MINUTE)
    fund(payer.id, now=now + 2 * MINUTE)
    shown = paywall.show(
        viewer_id=payer.id, environment="production", series_id=helen.id, now=now + 2 * MINUTE
    )
    unlocks.unlock(
        viewer_id=payer.id,
        environment="production",
        episode_id=helen.episodes.get(number=9).id,
        quote=shown.quote.token(),
        now=now + 2 * MINUTE,
    )
    watched = now + 3 * MINUTE
    _report(payer, _watch(payer, helen, 9, watched), at=watched + MINUTE)
    # In Kolkata it is a quarter past and a quarter to midnight.
    for at in (now + 6 * HOUR + 15 * MINUTE, now + 6 * HOUR + 45 * MINUTE, now + 30 * HOUR):
        _report(payer, [app_open(at=at)], at=at)
    _report(late, [app_open(at=now + 30 * HOUR + 31 * MINUTE)], at=now + 31 * HOUR)
    _flush(now + 31 * HOUR)
    return now + 12 * DAY


@pytest.mark.matrix(1)
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
def test_days_funnels_and_retention_are_those_of_the_reports(
    three_days: datetime, zone: str, settings: Settings
) -> None:
    settings.REPORTING_ZONE = ZoneInfo(zone)
    rolled.fill(three_days)
    since, until = date(2026, 3, 13), date(2026, 3, 18)
    bounds = slices.bounds(since, until, Grain.DAY, zone=settings.REPORTING_ZONE)
    with sources.opened(now=three_days) as source:
        counted = arpu.table(source=source, by=Period.DAY, currency="USD")
        came_back = retention.matrix(source=source, by=Cohorts.DAY, mode=Mode.CALENDAR, horizon=3)
        funnel = funnels.paywall(source=source).total
        chart = charts.top(
            source=source, currency="USD", by=Measure.STARTS, since=since, until=until, length=9
        )

    days = reading.sums(["active_viewers"], bounds)
    assert {since + bucket * DAY: total for (_, bucket, _), total in days.items()} == {
        row.starts_on: row.active_viewers for row in counted.rows if row.active_viewers
    }
    shown = retained.matrix(first=since, last=until, horizon=3, zone=settings.REPORTING_ZONE)
    assert shown.cohorts == came_back.cohorts
    assert shown.totals == came_back.totals
    assert [_total(f"funnel_{name}") for name in ("starters", "reached", "watched")] == [2, 2, 1]
    assert (funnel.starters, funnel.reached, funnel.watched) == (2, 2, 1)
    assert _total("funnel_unlocked_by_coins") == funnel.unlocked_by_coins == 1
    assert _total("starts") == chart.rows[0].starts == 2
    assert _total("watch_time") == chart.rows[0].watched_ms == 27_000
    assert _total("new_viewers") == 3


def test_a_late_event_reopens_its_hour_and_what_hangs_on_it_for_48_hours(
    now: datetime, own_lake: Path
) -> None:
    viewer = ViewerFactory()
    _report(viewer, [app_open(at=now + 2 * HOUR)], at=now + 2 * HOUR)
    _flush(now + 2 * HOUR)
    rolled.fill(now + 4 * HOUR)
    assert RollupHour.objects.get(metric="new_viewers", hour=now + 2 * HOUR).state == "filled"
    first = {key[1]: value for key, value in rolled.held().items() if key[0] == "new_viewers"}

    # It opened the app before that, and tells of it 48 hours after the hour, less a second.
    early = now + 59 * MINUTE
    sent = now + 49 * HOUR - SECOND
    _report(viewer, [app_open(at=early)], at=sent)
    _flush(sent)
    rolled.sweep(sent)
    reopened = set(
        RollupHour.objects.filter(metric="new_viewers", state=FillState.REOPENED).values_list(
            "hour", flat=True
        )
    )
    rolled.fill(sent + MINUTE)
    second = {key[1]: value for key, value in rolled.held().items() if key[0] == "new_viewers"}

    assert {now + 2 * HOUR} <= reopened
    assert first == {now + 2 * HOUR: 1}
    assert second == {now + 45 * MINUTE: 1}
    assert (_total("events"), _total("late_events")) == (2, 0)
    # Back two days later, in the same session of reporting: the day of its own cohort is one.
    assert _total("active_viewers") == 1


def test_what_comes_later_is_counted_as_late_and_nowhere_else(
    now: datetime, own_lake: Path
) -> None:
    viewer = ViewerFactory()
    _report(viewer, [app_open(at=now + 50 * HOUR)], at=now + 50 * HOUR)
    _flush(now + 50 * HOUR)
    rolled.fill(now + 52 * HOUR)
    before = rolled.held()

    sent = now + 49 * HOUR + 10 * SECOND
    _report(viewer, [app_open(at=now + 59 * MINUTE)], at=sent)
    _flush(now + 53 * HOUR)
    assert list(ChangedHour.objects.values_list("hour", "is_late")) == [(now, True)]
    rolled.sweep(now + 53 * HOUR)
    opened = RollupHour.objects.filter(hour__gte=now, hour__lt=now + 48 * HOUR)
    due = set(opened.filter(due_at__lte=now + 53 * HOUR).values_list("metric", flat=True))
    rolled.fill(now + 54 * HOUR)

    assert due == {"late_events"}
    after = rolled.held()
    assert after.items() - before.items() == {
        (("late_events", now + 45 * MINUTE, "production", ""), 1)
    }


def test_a_past_from_before_rollups_begin_makes_no_hours() -> None:
    """A report of who came back hangs on all hours from the first on."""
    for hour in (hours.EARLIEST - 9999 * DAY, hours.EARLIEST - HOUR, hours.EARLIEST + HOUR):
        ChangedHour.objects.create(hour=hour, is_late=False)

    assert hours.take_changes(now=hours.EARLIEST + 2 * HOUR) == 3

    assert RollupHour.objects.earliest("hour").hour >= hours.EARLIEST
    assert not ChangedHour.objects.exists()


def test_an_event_that_comes_twice_counts_once_in_the_slice_of_the_copy_that_came_first(
    now: datetime, own_lake: Path
) -> None:
    viewer = ViewerFactory()
    opened = app_open(at=now + MINUTE)
    _report(viewer, [opened, app_open(at=now + 2 * MINUTE)], at=now + 3 * MINUTE)
    _flush(now + 3 * MINUTE)
    rolled.fill(now + 2 * HOUR)
    _report(viewer, [opened, app_open(at=now + 4 * MINUTE)], at=now + 2 * HOUR)
    _flush(now + 2 * HOUR)
    rolled.fill(now + 3 * HOUR)

    assert (_total("events"), _total("new_viewers")) == (3, 1)


def test_a_lake_filler_that_dies_leaves_its_hours_to_be_filled_again(
    three_days: datetime, now: datetime
) -> None:
    """When it has claimed and counted, and before each statement that replaces the values."""
    at = three_days - 10 * DAY  # enough of it: no window has to be over
    rolled.fill(at)
    undisturbed = rolled.held()
    RollupHour.objects.update(due_at=None)
    query, statements = METRICS["watch_time"].query, 1
    number = 0
    with sources.opened(now=at) as source:
        while number <= statements:
            hours.mark(["watch_time", "playbacks"], {now}, now=at)
            at += 10 * MINUTE
            counted = filling.count_lake(_claimed(query, at), source=source)
            if number:
                with pytest.raises(KeyboardInterrupt), dying.at_statement(number):
                    filling.record(counted, now=at)
                assert rolled.held() == undisturbed
            at += 10 * MINUTE
            counted = filling.count_lake(_claimed(query, at), source=source)
            with dying.at_statement(0) as begun:
                filling.record(counted, now=at)
            assert rolled.held() == undisturbed
            number, statements = number + 1, begun[0]


def _claimed(query: Query, at: datetime) -> Claim:
    claim = hours.claim(query, now=at)
    assert claim is not None
    return claim
