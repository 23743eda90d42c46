"""What a store's report says of its fees is in reports on the day that it is heard of, as in the ledger."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from analytics.reports import arpu, facts, ltv, money, sources
from analytics.reports.arpu import Bucket
from analytics.reports.local_days import Period
from analytics.reports.money import MoneyRow, Origin
from payments.ledger.days import closing
from payments.models import FeeAdjustment, PassPurchase, Purchase, Reconciliation, StoreTerms
from payments.providers.base import Fee, Listed, ListedKind
from payments.reconciliation import booked, fees
from payments.reconciliation.booked import Window
from tests.analytics.lakes import lake, opened_app
from tests.factories.payments import buy_pass, default_plan, fund
from tests.factories.viewers import ViewerFactory
from tests.payments.ledger.days.story import DAY, HOUR, money_back, of_day

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_lake")]

RUNGS = ("gross", "tax", "fee", "refunds", "net", "recognised", "deferred")


@pytest.fixture(autouse=True)
def _terms(db: None, now: datetime) -> None:
    default_plan()
    StoreTerms.objects.create(
        provider="fake", effective_from=now - DAY, fee_parts_per_million=300_000
    )


def _settled(
    bought: Purchase | PassPurchase,
    at: datetime,
    *,
    fee_micros: int,
    kind: ListedKind = ListedKind.SALE,
    line: str = "sale",
) -> int:
    """The store's list says what its fee came to; what that is beyond the estimate."""
    window = Window(bought.provider, bought.environment, bought.created_at, at)
    name = bought.transaction_id
    listed = Listed(
        kind=kind,
        environment=bought.environment,
        line_id=line,
        transaction_id=name,
        amount_micros=None,
        currency=bought.currency,
        occurred_at=at,
        fee=Fee(fee_micros, bought.currency),
    )
    run = Reconciliation.objects.create(**window.name, since=window.since, until=at, started_at=at)
    pair = (booked.load([name], window)[name], listed)
    assert fees.settle([pair], run=run, now=at).adjusted == 1
    difference: int = FeeAdjustment.objects.get(run=run).difference_micros
    return difference


def _days(now: datetime, days: int, *, until: datetime) -> dict[tuple[date, Origin], MoneyRow]:
    """Money by day and origin, after it was seen to be the ladder's on each day."""
    since = closing.local_date(now)
    with sources.ledger(now=until) as source:
        report = money.by_day(
            source=source, currency="USD", since=since, until=since + (days - 1) * DAY
        )
    for number in range(days):
        found = of_day(now + number * DAY)
        rows = [row for row in report.rows if row.day == since + number * DAY]
        for rung in RUNGS:
            name = f"{rung}_micros"
            assert sum(getattr(row, name) for row in rows) == getattr(found, name), (number, rung)
    return {(row.day, row.source): row for row in report.rows}


@pytest.mark.parametrize("fee_micros", [150_000, 450_000], ids=["less", "more"])
@pytest.mark.parametrize("origin", [Origin.COINS, Origin.PASSES])
def test_net_and_recognised_bear_a_settled_fee_on_its_day(
    now: datetime, origin: Origin, fee_micros: int
) -> None:
    viewer_id = ViewerFactory().id
    bought: Purchase | PassPurchase = (
        fund(viewer_id, now=now, paid=100, price_micros=1_000_000)
        if origin is Origin.COINS
        else buy_pass(viewer_id, now=now, days=2, price_micros=1_000_000)
    )
    beyond = _settled(bought, now + 3 * DAY, fee_micros=fee_micros)
    assert beyond == fee_micros - 300_000

    days = _days(now, 5, until=now + 6 * DAY)

    row = days[closing.local_date(now + 3 * DAY), origin]
    assert (row.fee_micros, row.net_micros, row.recognised_micros) == (beyond, -beyond, -beyond)
    total = sum(day.net_micros for day in days.values())
    assert total == 1_000_000 - fee_micros


def test_every_day_is_the_ladders_with_true_ups_of_both_signs_and_after_refunds(
    now: datetime,
) -> None:
    viewer, other = ViewerFactory(), ViewerFactory()
    coins = fund(viewer.id, now=now, paid=100, bonus=50, price_micros=1_999_999)
    spent_pass = buy_pass(viewer.id, now=now + HOUR, days=3, price_micros=3_333_333)
    cheaper = fund(other.id, now=now + DAY, paid=60, price_micros=600_001)
    other_pass = buy_pass(other.id, now=now + DAY, days=9, price_micros=900_001)
    _settled(coins, now + DAY, fee_micros=777_777)
    _settled(cheaper, now + 2 * DAY, fee_micros=90_001)
    _settled(spent_pass, now + 2 * DAY, fee_micros=1_234_567)
    _settled(other_pass, now + 3 * DAY, fee_micros=123)
    # The store keeps its fee of one that goes back, and takes another for it.
    for number, bought in enumerate((coins, other_pass)):
        money_back(bought, now + 3 * DAY, refund_id=f"re-{number}")
        _settled(
            bought, now + 4 * DAY, fee_micros=15_000, kind=ListedKind.REFUND, line=f"re-{number}"
        )
    # And says of a sale what its fee was when the money is long back.
    money_back(cheaper, now + 2 * DAY, amount_micros=300_000)
    late = buy_pass(ViewerFactory().id, now=now, days=2, price_micros=500_000)
    money_back(late, now + 3 * DAY)
    _settled(late, now + 5 * DAY, fee_micros=1)

    _days(now, 7, until=now + 9 * DAY)
    # In one breath, too: what was before the first day is deferred on it.
    _days(now + 5 * DAY, 2, until=now + 9 * DAY)


def test_what_viewers_are_worth_bears_it_from_its_day_on(now: datetime) -> None:
    viewer_id = ViewerFactory().id
    bought = fund(viewer_id, now=now, paid=100, price_micros=1_000_000)
    _settled(bought, now + 5 * DAY, fee_micros=150_000)

    rows = [opened_app(str(viewer_id), now), opened_app(str(viewer_id), now + 5 * DAY)]
    with lake(rows, watermark=now + 40 * DAY) as found:
        source = replace(found, read_facts=facts.read)
        by_day = arpu.table(source=source, by=Bucket.DAY, currency="USD").rows
        (cohort,) = ltv.table(source=source, by=Period.DAY, currency="USD").cohorts

    assert [(row.payers, row.net_micros) for row in by_day] == [(1, 700_000), (0, 150_000)]
    worth = {value.horizon_days: value for value in cohort.values}
    assert [worth[days].net_micros for days in (0, 3, 7, 30)] == [700_000] * 2 + [850_000] * 2
    assert worth[30].payers == 1


def test_who_had_all_of_it_back_is_no_payer_for_a_fee(now: datetime) -> None:
    bought = fund(ViewerFactory().id, now=now, paid=100, price_micros=1_000_000)
    money_back(bought, now + HOUR)
    _settled(bought, now + 2 * HOUR, fee_micros=150_000)

    with sources.opened(now=now + DAY) as source:
        (row,) = arpu.table(source=source, by=Bucket.DAY, currency="USD").rows

    assert (row.payers, row.net_micros, row.arppu_micros) == (0, 150_000, None)
