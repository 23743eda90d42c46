"""What goes back to a payer leaves the titles it was spent on, in reports as in the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from analytics.ranking import ranking
from analytics.ranking.ranking import Horizon
from analytics.reports import beats, cuts, facts, funnels, money, revenue, sources
from analytics.reports.sources import Source
from catalog.models import Episode, Series
from payments.access import entitlements, paywall
from payments.ledger.days import closing, ladder
from payments.models import Purchase, Refund, RefundOrigin, Unlock, UnlockReversal
from payments.store import operator_refunds, refunds
from payments.store.refunds import RefundFact
from payments.unlocking import unlocks
from tests import ledger_rules
from tests.analytics.lakes import Row, event, lake, played
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.catalog import BeatFactory, EpisodeFactory, SeriesFactory
from tests.factories.operators import operator
from tests.factories.payments import default_plan, fund, give_bonus
from tests.factories.viewers import ViewerFactory
from viewers.models import Viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_lake")]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _the_ledger_holds(db: None) -> Iterator[None]:
    yield
    assert ledger_rules.broken() == []


@pytest.fixture
def helen() -> Series:
    return _series("helen")


@pytest.fixture
def other() -> Series:
    return _series("other")


@pytest.fixture
def viewer(db: None) -> Viewer:
    viewer: Viewer = ViewerFactory()
    return viewer


def _series(external_id: str) -> Series:
    default_plan()
    series = SeriesFactory(external_id=external_id)
    for number in (9, 10, 11):
        version = EpisodeFactory(series=series, number=number).current_version
        for position in (0, 1):
            BeatFactory(
                version=version,
                position=position,
                start_ms=position * 30_000,
                end_ms=position * 30_000 + 30_000,
            )
    return series


def _unlock(
    viewer: Viewer,
    episode: Episode,
    at: datetime,
    *,
    played: bool = True,
    session: UUID | None = None,
    position_ms: int | None = None,
) -> Unlock:
    shown = paywall.show(
        viewer_id=viewer.id, environment="production", series_id=episode.series_id, now=at
    )
    outcome = unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=episode.id,
        quote=shown.quote.token(),
        now=at,
        playback_session_id=session,
        position_ms=position_ms,
    ).outcome
    unlock = Unlock.objects.get(id=outcome.unlock_id)
    if played:
        entitlements.mark_played([unlock.entitlement], now=at)
    return unlock


def _money_back(purchase: Purchase, at: datetime, **facts: object) -> None:
    fact = RefundFact(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        **({"refunded_at": at} | facts),
    )
    refunds.record(fact, now=at)


def _revenue(at: datetime) -> revenue.RevenueReport:
    with sources.ledger(now=at) as source:
        return revenue.by_title(source=source, currency="USD")


def _same_as_the_ladder(report: revenue.RevenueReport) -> None:
    """Day by day and title by title, the report is the money ladder's."""
    assert report.days
    for day in {row.day for row in report.days}:
        found = ladder.read(
            environment="production",
            start=closing.day_starts_at(day),
            end=closing.day_starts_at(day + DAY),
        )
        rows = {row.series_id: row.total_micros for row in report.days if row.day == day}
        assert rows.pop(None, 0) == found.unattributed_micros
        assert rows == dict(found.by_title)
        assert sum(rows.values()) == found.titles_micros
        with sources.ledger(now=report.watermark) as source:
            rungs = money.by_day(source=source, currency="USD", since=day, until=day).totals
        for name in ("net_micros", "recognised_micros", "deferred_micros"):
            assert sum(getattr(one, name) for one in rungs) == getattr(found, name)


@pytest.fixture
def spent(viewer: Viewer, helen: Series, other: Series, now: datetime) -> Purchase:
    """240 coins for 2.40: two episodes of one title and one of another, of which one was not played."""
    bought = fund(viewer.id, now=now, paid=240, price_micros=2_400_000)
    _unlock(viewer, helen.episodes.get(number=9), now + HOUR)
    _unlock(viewer, helen.episodes.get(number=10), now + DAY)
    _unlock(viewer, other.episodes.get(number=9), now + DAY, played=False)
    return bought


def test_a_refund_is_taken_from_the_titles_on_its_own_day(
    spent: Purchase, helen: Series, other: Series, now: datetime
) -> None:
    _money_back(spent, now + 2 * DAY)

    report = _revenue(now + 3 * DAY)
    days = {(row.day.day, row.series_id): row for row in report.days}
    assert {key: row.total_micros for key, row in days.items()} == {
        (14, helen.id): 600_000,
        (15, helen.id): 600_000,
        (15, other.id): 600_000,
        (16, helen.id): -1_200_000,
        (16, other.id): -600_000,
    }
    # What was kept stays an unlock; what nobody had played is none any more.
    assert days[16, helen.id].coin_unlocks == 0
    assert days[16, other.id].coin_unlocks == -1
    titles = {title.series_id: title for title in report.titles}
    assert (titles[helen.id].coin_unlocks, titles[helen.id].total_micros) == (2, 0)
    assert (titles[other.id].coin_unlocks, titles[other.id].coins_spent) == (0, 0)
    assert report.total.total_micros == 0
    _same_as_the_ladder(report)


def test_a_refund_of_a_part_is_taken_in_the_shares_that_were_spent(
    spent: Purchase, helen: Series, other: Series, now: datetime
) -> None:
    """Half of it goes back: what is left, what was not played, and nothing more."""
    _money_back(spent, now + 2 * DAY, amount_micros=1_200_000)

    report = _revenue(now + 3 * DAY)
    assert {title.series_id: title.total_micros for title in report.titles} == {
        helen.id: 1_200_000,
        other.id: 0,
    }
    _same_as_the_ladder(report)


def test_a_refund_that_did_not_stand_gives_it_back(
    spent: Purchase, helen: Series, other: Series, now: datetime
) -> None:
    _money_back(spent, now + 2 * DAY)
    operator_refunds.reverse(Refund.objects.get(), operator_id=None, now=now + 3 * DAY)

    report = _revenue(now + 4 * DAY)
    titles = {title.series_id: title for title in report.titles}
    assert UnlockReversal.objects.get().restored_as is not None
    assert (titles[helen.id].coin_unlocks, titles[helen.id].total_micros) == (2, 1_200_000)
    assert (titles[other.id].coin_unlocks, titles[other.id].total_micros) == (1, 600_000)
    assert titles[other.id].coins_spent == 60
    _same_as_the_ladder(report)


def test_an_unlock_that_an_operator_undoes_is_off_the_title(
    spent: Purchase, helen: Series, now: datetime
) -> None:
    undone = Unlock.objects.filter(episode__series=helen).earliest("id")
    refunds.undo_unlock(undone, operator_id=operator().id, reason="", now=now + 2 * DAY)

    report = _revenue(now + 3 * DAY)
    title = next(title for title in report.titles if title.series_id == helen.id)
    assert (title.coin_unlocks, title.coins_spent, title.total_micros) == (1, 60, 600_000)
    _same_as_the_ladder(report)


def test_coins_that_an_ad_earned_bring_its_revenue_to_the_title_they_are_spent_on(
    viewer: Viewer, helen: Series, now: datetime
) -> None:
    give_bonus(viewer.id, coins=60, value_micros=9_001, now=now)
    unlock = _unlock(viewer, helen.episodes.get(number=9), now)
    seen = ad_session(
        PlacementFactory(),
        viewer_id=viewer.id,
        episode_id=helen.episodes.get(number=10).id,
        now=now,
    )
    watch(seen, now=now)
    report = _revenue(now + DAY)
    # It had been of no title since its ad was watched, and is so no longer.
    assert report.unattributed.total_micros == -9_001
    assert report.total.total_micros == 12_000
    _same_as_the_ladder(report)

    refunds.undo_unlock(unlock, operator_id=operator().id, reason="", now=now + DAY)
    report = _revenue(now + 2 * DAY)
    assert (report.unattributed.total_micros, report.total.total_micros) == (0, 12_000)
    _same_as_the_ladder(report)


# --- Over the lake --------------------------------------------------------------------------------


@contextmanager
def _over_the_lake(rows: list[Row], *, at: datetime) -> Iterator[Source]:
    """Events of the test's own, and money as the ledger has it."""
    with lake(rows, watermark=at) as source:
        yield replace(source, read_facts=facts.read)


def _standing(source: Source) -> ranking.Title:
    ranking.prepare(source=source)
    standing = ranking.stand(source=source, horizon=Horizon.DAY, list_prices={})
    return next(title for title in standing.titles if title.external_id == "helen")


def test_whose_money_all_went_back_is_no_payer_and_no_converter(
    viewer: Viewer, helen: Series, now: datetime
) -> None:
    rows = [
        played(str(each), now, series=str(helen.id), to_ms=10_000)
        for each in (viewer.id, "somebody else")
    ]
    keeper = ViewerFactory()
    rows.append(played(str(keeper.id), now, series=str(helen.id), to_ms=10_000))
    bought = fund(viewer.id, now=now, paid=60, price_micros=600_000)
    fund(keeper.id, now=now, paid=60, price_micros=500_000)
    for payer in (viewer, keeper):
        _unlock(payer, helen.episodes.get(number=9), now + HOUR)
    with _over_the_lake(rows, at=now + 3 * DAY) as source:
        before = _standing(source)
    assert (before.payers, before.counts.converters, before.revenue_micros) == (2, 2, 1_100_000)

    _money_back(bought, now + 2 * DAY)
    with _over_the_lake(rows, at=now + 3 * DAY) as source:
        after = _standing(source)
    assert (after.payers, after.counts.converters, after.revenue_micros) == (1, 1, 500_000)
    # Three starts, and what each brought within a day: the refund came later and counts all the same.
    assert (after.counts.starts, after.counts.value) == (3, 500_000)

    with _over_the_lake(rows, at=now + 2 * DAY - HOUR) as source:
        assert _standing(source) == before


def test_a_beat_loses_what_was_booked_on_it(viewer: Viewer, helen: Series, now: datetime) -> None:
    free = helen.episodes.get(number=11)
    session = UUID(int=7)
    rows = [
        played(
            str(viewer.id),
            now,
            series=str(helen.id),
            episode=str(free.id),
            version=str(free.current_version_id),
            session=str(session),
            to_ms=60_000,
        )
    ]
    bought = fund(viewer.id, now=now, paid=120, price_micros=1_200_000)
    place = {"session": session, "position_ms": 45_000}
    _unlock(viewer, helen.episodes.get(number=9), now + HOUR, **place)
    _unlock(viewer, helen.episodes.get(number=10), now + HOUR, played=False, **place)
    _money_back(bought, now + DAY)

    def booked(at: datetime) -> tuple[beats.Booked, beats.Booked]:
        with _over_the_lake(rows, at=at) as source:
            report = beats.curves(source=source, of=cuts.of_external_id("helen"), currency="USD")
        beat = next(
            version.beats[1] for version in report.versions if version.episode_id == free.id
        )
        return beat.booked, report.total

    whole = beats.Booked(unlocks=2, coins=120, value_micros=1_200_000, payers=1, together=0)
    assert booked(now + DAY) == (whole, whole)
    left = beats.Booked(unlocks=1, coins=0, value_micros=0, payers=0, together=0)
    assert booked(now + 2 * DAY) == (left, left)


def test_who_unlocked_did_whatever_became_of_the_money(
    viewer: Viewer, helen: Series, now: datetime
) -> None:
    rows = [
        played(str(viewer.id), now, series=str(helen.id), to_ms=10_000),
        event("paywall_shown", str(viewer.id), now + HOUR, series_id=str(helen.id)),
    ]
    bought = fund(viewer.id, now=now + HOUR, paid=60, price_micros=600_000)
    _unlock(viewer, helen.episodes.get(number=9), now + HOUR, played=False)
    _money_back(bought, now + HOUR)

    with _over_the_lake(rows, at=now + 10 * DAY) as source:
        total = funnels.paywall(source=source).total
    assert (total.reached, total.unlocked_by_coins) == (1, 1)
