"""A worker publishes a ranking of each horizon as often as it should, and the feed's table with it."""

from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from pytest_django.fixtures import Settings

from ads.revenue import settling
from analytics.models import EventBatch, RankingSnapshot
from analytics.ranking import snapshots
from analytics.ranking.ranking import Horizon, Ranking
from analytics.ranking.snapshots import RankingUnavailable
from analytics.tasks import refresh_rankings
from catalog.models import FeedTable, Series
from payments.access import paywall
from payments.models import Unlock
from payments.unlocking import unlocks
from tests.factories.ads import bring_report
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import fund
from tests.factories.viewers import ViewerFactory

pytestmark = pytest.mark.django_db
DUE = timedelta(seconds=settings.RANKING_SECONDS)


def _spend(series: Series, *, now: datetime, environment: str = "production") -> None:
    """Somebody unlocks an episode of the series."""
    viewer = ViewerFactory(environment=environment)
    fund(viewer.id, now=now, environment=environment)
    episode = EpisodeFactory(series=series, number=9 + series.episodes.count())
    shown = paywall.show(viewer_id=viewer.id, environment=environment, series_id=series.id, now=now)
    unlocks.unlock(
        viewer_id=viewer.id,
        environment=environment,
        episode_id=episode.id,
        quote=shown.quote.token(),
        now=now,
    )


def _body(horizon: Horizon = Horizon.WEEK) -> Ranking:
    return msgspec.json.decode(bytes(snapshots.latest(horizon).body), type=Ranking)


def test_nothing_is_served_before_the_first() -> None:
    with pytest.raises(RankingUnavailable):
        snapshots.latest(Horizon.DAY)


def test_publishes_a_ranking_of_each_horizon(now: datetime) -> None:
    SeriesFactory(external_id="helen")

    published = snapshots.refresh(now=now)

    assert [snapshot.horizon_hours for snapshot in published] == [24, 168]
    for horizon in Horizon:
        body = _body(horizon)
        assert (body.horizon, body.watermark) == (horizon, now)
        assert [title.external_id for title in body.titles] == ["helen"]


def test_publishes_what_is_new_once_the_last_is_old_enough(now: datetime) -> None:
    snapshots.refresh(now=now)
    _spend(SeriesFactory(), now=now)

    assert snapshots.refresh(now=now + DUE - timedelta(seconds=1)) == []
    assert len(snapshots.refresh(now=now + DUE)) == 2
    assert RankingSnapshot.objects.count() == 4

    # What a network reports of ads is new money, too.
    yesterday = now.date() - timedelta(days=1)
    bring_report((yesterday, "of-no-view", "US", "0.5"), now=now + DUE)
    assert settling.settle_due(now=now + DUE)
    assert len(snapshots.refresh(now=now + 2 * DUE)) == 2


def test_publishes_by_the_hour_while_nothing_is_new(now: datetime) -> None:
    snapshots.refresh(now=now)

    assert snapshots.refresh(now=now + snapshots.UNCHANGED - timedelta(seconds=1)) == []
    assert len(snapshots.refresh(now=now + snapshots.UNCHANGED)) == 2


def test_keeps_the_last_of_each_day_that_is_long_over(now: datetime) -> None:
    hours = [timedelta(hours=hour) for hour in (0, 1, 2, 13)]
    for after in hours:
        snapshots.refresh(now=now + after)
    assert RankingSnapshot.objects.count() == 2 * len(hours)

    assert snapshots.prune(now=now + hours[2] + snapshots.KEPT) == 4

    kept = set(RankingSnapshot.objects.values_list("created_at", flat=True))
    assert kept == {now + hours[2], now + hours[3]}


def test_waits_for_a_watermark_that_does_not_move(now: datetime) -> None:
    snapshots.refresh(now=now)
    EventBatch.objects.create(
        viewer_id=uuid4(),
        environment="production",
        batch_id=uuid4(),
        content_sha256=b"-" * 32,
        sent_at=now,
        received_at=now,
        payload=b"",
        event_count=1,
    )

    assert snapshots.refresh(now=now + 5 * snapshots.UNCHANGED) == []


def test_one_worker_is_at_it_at_a_time(now: datetime) -> None:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [snapshots.LOCK])
        while_locked = snapshots.refresh(now=now)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [snapshots.LOCK])
    other.close()

    assert while_locked == []
    assert len(snapshots.refresh(now=now)) == 2


def test_what_was_published_is_what_is_computed_again(now: datetime) -> None:
    series = SeriesFactory()
    _spend(series, now=now - timedelta(hours=1))
    first = {
        snapshot.horizon_hours: bytes(snapshot.body) for snapshot in snapshots.refresh(now=now)
    }

    RankingSnapshot.objects.all().delete()
    _spend(series, now=now + timedelta(hours=1))

    assert {s.horizon_hours: bytes(s.body) for s in snapshots.refresh(now=now)} == first


def test_the_feed_draws_by_the_weekly_ranking(now: datetime) -> None:
    series = [SeriesFactory() for _ in range(3)]
    SeriesFactory(state=Series.State.DRAFT)

    snapshots.refresh(now=now)

    table = FeedTable.objects.get()
    assert set(table.series_ids) == {one.id for one in series}
    assert sum(table.probabilities) == pytest.approx(1, abs=1e-9)


def test_titles_and_their_total_are_the_ledgers(now: datetime, settings: Settings) -> None:
    settings.FEEDBACK_MINIMUM_VIEWERS = settings.FEEDBACK_MINIMUM_PAYERS = 0
    series = [SeriesFactory() for _ in range(3)]
    for number in range(6):
        _spend(series[number % 3], now=now - timedelta(hours=number + 1))
    _spend(series[0], now=now - timedelta(hours=1), environment="sandbox")

    snapshots.refresh(now=now)

    body, booked = _body(), Unlock.objects.filter(environment="production")
    total = booked.aggregate(Sum("value_micros"))["value_micros__sum"]
    assert total > 0
    assert body.total_revenue_micros == total
    for title in body.titles:
        of_title = booked.filter(episode__series_id=title.series_id)
        assert title.revenue_micros == of_title.aggregate(Sum("value_micros"))["value_micros__sum"]


def test_the_sweeper_rings_for_it() -> None:
    assert refresh_rankings.name in settings.SWEPT_TASKS
    assert refresh_rankings() == 2
