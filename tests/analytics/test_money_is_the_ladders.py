"""What reports say of real payments, passes, refunds and ads is what the ledger says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from analytics.reports import ads, arpu, cohorts, facts, money, sources
from analytics.reports.arpu import Bucket
from analytics.reports.cohorts import CohortFilter, Split
from analytics.reports.local_days import Period
from analytics.reports.money import MoneyReport, Origin
from catalog.models import Series
from payments.ledger.days import closing
from payments.models import Entitlement, StoreTerms
from tests import ledger_rules
from tests.analytics.lakes import lake, opened_app
from tests.factories import experiments as testing
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import buy_pass, default_plan, fund, give_bonus
from tests.factories.viewers import ViewerFactory
from tests.payments.ledger.days.story import (
    DAY,
    HOUR,
    lapse,
    money_back,
    of_day,
    see_ad,
    spend,
)
from viewers.models import Arm, Exposure, Viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_lake")]


@pytest.fixture(autouse=True)
def _the_ledger_holds(db: None) -> Iterator[None]:
    yield
    assert ledger_rules.broken() == []


@pytest.fixture
def series(db: None) -> Series:
    default_plan()
    series = SeriesFactory(external_id="helen")
    for number in range(9, 14):
        EpisodeFactory(series=series, number=number)
    return series


@pytest.fixture
def viewer(db: None) -> Viewer:
    viewer: Viewer = ViewerFactory()
    return viewer


def _money(since: date, days: int, *, now: datetime) -> MoneyReport:
    with sources.ledger(now=now) as source:
        return money.by_day(
            source=source, currency="USD", since=since, until=since + timedelta(days=days - 1)
        )


def _same_as_the_ladder(now: datetime, *, days: int, until: datetime) -> None:
    """Each day, over all that brought money, is a day of the ladder."""
    since = closing.local_date(now)
    report = _money(since, days, now=until)
    for number in range(days):
        rows = [row for row in report.rows if row.day == since + number * DAY]
        found = of_day(now + number * DAY)
        for rung in ("gross", "tax", "fee", "refunds", "net", "recognised", "deferred"):
            name = f"{rung}_micros"
            assert sum(getattr(row, name) for row in rows) == getattr(found, name), (number, rung)
        of = {row.source: row.recognised_micros for row in rows}
        assert (of[Origin.PASSES], of[Origin.ADS]) == (found.passes_micros, found.ads_micros)


def test_every_day_of_a_long_story_is_a_day_of_the_ladder(
    viewer: Viewer, series: Series, now: datetime
) -> None:
    StoreTerms.objects.create(
        provider="fake", effective_from=now - DAY, fee_parts_per_million=300_000
    )
    bought = fund(viewer.id, now=now, paid=100, bonus=50, price_micros=1_999_999)
    spend(viewer.id, series, 9, now + HOUR)
    spent_pass = buy_pass(viewer.id, now=now + 2 * HOUR, days=3, price_micros=3_333_333)
    other = ViewerFactory()
    fund(other.id, now=now + DAY, paid=60, bonus=7, price_micros=600_001)
    see_ad(other.id, series.episodes.get(number=9), now + DAY)
    give_bonus(other.id, coins=60, now=now + DAY, value_micros=4_321)
    spend(other.id, series, 10, now + DAY + HOUR)
    lapse(now + 2 * DAY)
    money_back(spent_pass, now + 2 * DAY, amount_micros=1_000_000)
    money_back(bought, now + 3 * DAY)

    _same_as_the_ladder(now, days=6, until=now + 9 * DAY)


def test_who_has_all_of_it_back_is_no_payer(viewer: Viewer, series: Series, now: datetime) -> None:
    bought = fund(viewer.id, now=now, paid=100, price_micros=1_000_000)
    half = fund(ViewerFactory().id, now=now, paid=100, price_micros=1_000_000)
    money_back(bought, now + HOUR)
    money_back(half, now + HOUR, amount_micros=500_000)

    with sources.opened(now=now + DAY) as source:
        (row,) = arpu.table(source=source, by=Bucket.DAY, currency="USD").rows

    assert (row.payers, row.net_micros, row.arppu_micros) == (1, 500_000, 500_000)


def test_an_ad_is_known_with_its_network_and_what_it_earned(
    viewer: Viewer, series: Series, now: datetime
) -> None:
    see_ad(viewer.id, series.episodes.get(number=9), now)

    with sources.opened(now=now + DAY) as source:
        report = ads.table(source=source, currency="USD")

    (row,) = report.rows
    assert (row.network, row.rewards, row.revenue_micros) == ("fake", 1, 12_000)


def test_what_a_pass_opened_is_known_apart_from_unlocks(
    viewer: Viewer, series: Series, now: datetime
) -> None:
    buy_pass(viewer.id, now=now)
    spend(viewer.id, series, 9, now + HOUR)

    (opened,) = [row for piece in facts.read("covered") for row in piece.to_pylist()]

    assert opened["entitlement_id"] == str(Entitlement.objects.get().id)
    assert (opened["viewer_id"], opened["series_id"]) == (str(viewer.id), str(series.id))
    assert [row for piece in facts.read("unlocks") for row in piece.to_pylist()] == []


def test_an_arm_is_that_of_the_exposure_that_stands(viewer: Viewer, now: datetime) -> None:
    experiment = testing.running(now=now)
    arm = Arm.objects.get(experiment=experiment, code="other")
    carried, conflicted = ViewerFactory(), ViewerFactory()
    met = {
        "experiment": experiment,
        "environment": "production",
        "arm": arm,
        "propensity_parts_per_million": 500_000,
        "exposed_at": now,
    }
    Exposure.objects.create(viewer=viewer, **met)
    Exposure.objects.create(viewer=carried, carried_to=viewer, **met)
    Exposure.objects.create(viewer=conflicted, conflicted_at=now, **met)
    rows = [opened_app(str(one.id), now) for one in (viewer, carried, conflicted)]

    with lake(rows, watermark=now + DAY) as source:
        source = replace(source, read_facts=facts.read)
        sizes = cohorts.prepare(
            source=source,
            by=Period.DAY,
            only=CohortFilter(experiment=experiment.code),
            split=Split.ARM,
        )

    assert {size.stratum: size.viewers for size in sizes.values()} == {"": 2, "other": 1}
