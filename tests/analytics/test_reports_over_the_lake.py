"""What an app reports and a viewer pays goes through inbox, lake and ledger into every report."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from analytics.intake import inbox
from analytics.lake import flushing
from analytics.models import LakeFile
from analytics.ranking import ranking, snapshots
from analytics.ranking.ranking import Horizon
from analytics.reports import ads, beats, cuts, facts, funnels, quality, retention, revenue, sources
from analytics.reports.local_days import Period
from analytics.reports.retention import Mode
from catalog.models import Episode
from payments.access import paywall
from payments.models import Purchase, Unlock
from payments.unlocking import unlocks
from tests.factories.ads import PlacementFactory, ad_session
from tests.factories.catalog import BeatFactory, EpisodeFactory, SeriesFactory
from tests.factories.events import Playback, app_open, body, event
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import ViewerFactory
from viewers.models import Viewer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_lake"),
]
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def _report(viewer: Viewer, events: list[dict[str, Any]], *, at: datetime) -> None:
    sent = body(events, sent_at=at)
    inbox.receive(viewer_id=viewer.id, environment=viewer.environment, body=sent, now=at)


def _flush(*, at: datetime) -> None:
    while claim := flushing.claim(now=at):
        flushing.finish(flushing.write(claim), now=at)


def _playback(viewer: Viewer, episode: Episode, at: datetime) -> Playback:
    return Playback(
        viewer_id=viewer.id,
        started_at=at,
        series_id=episode.series_id,
        episode_id=episode.id,
        version_id=episode.current_version_id,
    )


def _watch(playback: Playback, to_ms: int) -> list[dict[str, Any]]:
    after = timedelta(milliseconds=to_ms)
    return [
        playback.event("playback_start"),
        playback.event("playback_progress", after=after, from_ms=0, to_ms=to_ms, actual_ms=to_ms),
    ]


@pytest.fixture
def story(now: datetime) -> tuple[Viewer, Episode]:
    """A viewer opens the app, watches an episode to its end, unlocks the next and watches that."""
    default_plan()
    series = SeriesFactory(external_id="helen")
    free, locked = (EpisodeFactory(series=series, number=number) for number in (8, 9))
    for position in (0, 1):
        BeatFactory(
            version=free.current_version,
            position=position,
            start_ms=position * 30_000,
            end_ms=position * 30_000 + 30_000,
        )
    BeatFactory(version=locked.current_version, end_ms=60_000)
    viewer = ViewerFactory()
    fund(viewer.id, now=now)
    first = _playback(viewer, free, now)
    met = now + 61 * SECOND
    _report(
        viewer,
        [
            app_open(at=now),
            *_watch(first, 60_000),
            event(
                "paywall_shown",
                at=met,
                series_id=str(series.id),
                episode_id=str(locked.id),
                price_coins=60,
            ),
        ],
        at=met,
    )
    shown = paywall.show(
        viewer_id=viewer.id, environment="production", series_id=series.id, now=met
    )
    unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=locked.id,
        quote=shown.quote.token(),
        now=met + 5 * SECOND,
        playback_session_id=first.session_id,
        position_ms=60_000,
    )
    second = _playback(viewer, locked, met + 10 * SECOND)
    _report(viewer, _watch(second, 20_000), at=met + 40 * SECOND)
    _report(viewer, [app_open(at=now + DAY)], at=now + DAY)
    _flush(at=now + DAY)
    return viewer, free


def test_the_viewer_came_back(story: tuple[Viewer, Episode], now: datetime) -> None:
    with sources.opened(now=now + 3 * DAY) as source:
        report = retention.matrix(source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=2)

    (cohort,) = report.cohorts
    assert (cohort.viewers, list(cohort.active)) == (1, [1, 1, 0])


def test_the_viewer_went_through_the_paywall(story: tuple[Viewer, Episode], now: datetime) -> None:
    with sources.opened(now=now + 10 * DAY) as source:
        total = funnels.paywall(source=source).total

    assert (total.starters, total.reached, total.unlocked_by_coins, total.watched) == (1, 1, 1, 1)


def test_the_unlock_is_booked_on_the_last_beat_before_the_paywall(
    story: tuple[Viewer, Episode], now: datetime
) -> None:
    with sources.opened(now=now + 3 * DAY) as source:
        report = beats.curves(source=source, of=cuts.of_external_id("helen"), currency="USD")

    free, locked = report.versions
    assert [(beat.at_risk, beat.passed, beat.booked.unlocks) for beat in free.beats] == [
        (1, 1, 0),
        (1, 1, 1),
    ]
    assert [(beat.at_risk, beat.exits, beat.booked.unlocks) for beat in locked.beats] == [(1, 1, 0)]
    assert report.unbooked == []
    assert report.total.value_micros == Unlock.objects.get().value_micros


def test_what_players_and_ads_report_of_themselves_is_counted(
    story: tuple[Viewer, Episode], now: datetime
) -> None:
    viewer, free = story
    playback = _playback(viewer, free, now + HOUR)
    locked = EpisodeFactory(series=free.series, number=10)
    seen = ad_session(PlacementFactory(), viewer_id=viewer.id, episode_id=locked.id, now=now + HOUR)
    told = {"at": now + HOUR, "ad_session_id": str(seen.id), "placement": "unlock"}
    _report(
        viewer,
        [
            playback.event("playback_start", first_frame_ms=420),
            playback.event("playback_stall", position_ms=5_000, actual_ms=750),
            playback.event("playback_failed", reason="abandoned"),
            event("ad_requested", reason="filled", **told),
            event("ad_shown", **told),
        ],
        at=now + HOUR + SECOND,
    )
    _flush(at=now + 2 * HOUR)

    with sources.opened(now=now + 3 * DAY) as source:
        played, shown = quality.table(source=source), ads.table(source=source, currency="USD")

    (row,) = played.rows
    assert (row.abandoned, row.stalls, row.stalled_ms, row.timed_starts) == (1, 1, 750, 1)
    assert row.first_frame_p95_ms == 420
    assert row.played_ms == 80_000
    assert (shown.total.requests, shown.total.filled, shown.total.shown) == (1, 1, 1)


def test_the_title_earned_what_was_spent_on_it(
    story: tuple[Viewer, Episode], now: datetime
) -> None:
    with sources.opened(now=now + 3 * DAY) as source:
        ranking.prepare(source=source)
        standing = ranking.stand(source=source, horizon=Horizon.DAY, list_prices={})

    (title,) = standing.titles
    assert (title.counts.starts, title.counts.converters) == (1, 1)
    assert title.counts.value == title.revenue_micros == Unlock.objects.get().value_micros


def test_an_event_that_comes_late_changes_nothing_that_was_published(
    story: tuple[Viewer, Episode], now: datetime, settings: Settings
) -> None:
    settings.FEEDBACK_MINIMUM_VIEWERS = settings.FEEDBACK_MINIMUM_PAYERS = 0
    watermark = now + 2 * DAY - 60 * SECOND
    before = {one.horizon_hours: bytes(one.body) for one in snapshots.refresh(now=watermark)}
    late = ViewerFactory()
    played = _watch(_playback(late, story[1], now), 20_000)
    sent = body(played, sent_at=watermark + SECOND)
    inbox.receive(viewer_id=late.id, environment="production", body=sent, now=watermark + SECOND)
    _flush(at=watermark + DAY)

    with sources.opened(now=watermark) as source:
        ranking.prepare(source=source)
        for horizon in Horizon:
            standing = ranking.stand(source=source, horizon=horizon, list_prices={})
            assert snapshots.body(source, standing) == before[horizon.hours]


def test_revenue_is_told_while_the_lake_misses_a_file(
    story: tuple[Viewer, Episode], own_lake: Path, now: datetime
) -> None:
    for file in LakeFile.objects.all():
        (own_lake / file.path).unlink()

    with sources.ledger(now=now + DAY) as source:
        report = revenue.by_title(source=source, currency="USD")

    assert report.total.total_micros == Unlock.objects.get().value_micros > 0


def test_money_is_read_in_pieces_and_each_row_once(
    story: tuple[Viewer, Episode], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "CHUNK_ROWS", 2)
    for _ in range(4):
        fund(ViewerFactory().id, now=now)

    pieces = list(facts.read("purchases"))

    ids = [one for piece in pieces for one in piece["purchase_id"].to_pylist()]
    assert [len(piece) for piece in pieces] == [0, 2, 2, 1]
    assert set(ids) == {str(one) for one in Purchase.objects.values_list("id", flat=True)}


def test_money_has_longer_to_be_read_than_other_statements(
    story: tuple[Viewer, Episode],
) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    pieces = facts.read("unlocks")
    assert [len(next(pieces)) for _ in range(2)] == [0, 1]

    assert limit() == "1min"
    assert list(pieces) == []
    assert limit() == "5s"


def test_a_report_reads_the_money_that_it_names_and_no_other(
    story: tuple[Viewer, Episode], now: datetime
) -> None:
    other = SeriesFactory(external_id="other")
    BeatFactory(version=EpisodeFactory(series=other, number=1).current_version)
    with sources.opened(now=now + 3 * DAY) as source:
        retention.matrix(source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=2)
        assert source.loaded == {}
        beats.curves(source=source, of=cuts.of_external_id("other"), currency="USD")
        assert source.loaded == {"unlocks": other.id, "unlocks_left_out": other.id}
        assert source.connection.execute("FROM unlocks").fetchall() == []
        assert revenue.by_title(source=source, currency="USD").total.coin_unlocks == 1
        assert source.loaded == {"unlocks": None, "unlocks_left_out": None, "titles": None}
