"""What a store's fee came to stands beside the estimate, in the books of its day, and no lot changes."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import ProgrammingError
from hypothesis import given
from hypothesis import strategies as some

from payments.ledger.days import closing, journal, ladder
from payments.models import (
    ExchangeRate,
    FeeAdjustment,
    Lot,
    Purchase,
    RefundOrigin,
    StoreTerms,
    WaitingFee,
)
from payments.providers.base import StoreRefund
from payments.providers.fake.books import Entry
from payments.reconciliation.fees import estimated_micros
from payments.store import refunds
from payments.store.refunds import RefundFact
from tests.payments.reconciliation.books import Shop, run

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _terms(db: None, now: datetime) -> None:
    """A fee of 15 % of what is left after 20 % tax: 4.99 is 0.831666 tax and 0.623750 fee."""
    StoreTerms.objects.create(
        provider="fake",
        effective_from=now - 100 * DAY,
        fee_parts_per_million=150_000,
        tax_parts_per_million=200_000,
    )


def adjusted() -> list[tuple[str, str, int, int, int]]:
    return [
        (
            row.transaction_id,
            row.kind,
            row.estimated_micros,
            row.settled_micros,
            row.difference_micros,
        )
        for row in FeeAdjustment.objects.order_by("id")
    ]


def test_a_fee_beyond_its_estimate_is_a_row_beside_it(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 2 * DAY, fee_micros=700_000)
    lots = list(Lot.objects.values())

    done = run(now)

    estimate = purchase.fee_micros
    assert adjusted() == [("sold-1", "sale", estimate, 700_000, 700_000 - estimate)]
    assert done.found_counts == {"fee_differs": 1}
    assert list(Lot.objects.values()) == lots
    again = Purchase.objects.get()
    assert (again.fee_micros, again.net_micros) == (purchase.fee_micros, purchase.net_micros)
    assert FeeAdjustment.objects.get().purchase == purchase


def test_a_fee_as_estimated_is_none(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 2 * DAY)
    sale = shop.sale(now - 2 * DAY)
    shop.books.write(Entry(transaction=sale, fee_micros=purchase.fee_micros))
    shop.booked(sale, at=now - 2 * DAY)
    assert run(now).found_counts == {}
    assert adjusted() == []


def test_a_line_that_is_seen_again_is_adjusted_once(shop: Shop, now: datetime) -> None:
    shop.both(now - 2 * DAY, fee_micros=700_000)
    run(now)
    assert run(now + timedelta(hours=1)).found_counts == {}
    assert len(adjusted()) == 1


def test_what_was_healed_has_its_fee_settled_with_it(shop: Shop, now: datetime) -> None:
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY), fee_micros=700_000))
    run(now)
    assert [(row[0], row[3]) for row in adjusted()] == [("sold-1", 700_000)]


def test_a_refund_frees_the_fee_that_was_estimated_if_the_store_gives_it_back(
    shop: Shop, now: datetime
) -> None:
    """One store keeps its fee when money goes back, as Stripe does; what was freed is a cost again."""
    kept, freed = shop.both(now - 5 * DAY), shop.both(now - 5 * DAY)
    for purchase, fee in ((kept, 0), (freed, -kept.fee_micros)):
        name, at = purchase.transaction_id, now - 2 * DAY
        refund = StoreRefund(
            environment="production", transaction_id=name, refund_id="re", refunded_at=at,
            amount_micros=4_990_000,
        )  # fmt: skip
        shop.books.write(Entry(refund=refund, fee_micros=fee))
        fact = RefundFact(
            provider="fake", environment="production", transaction_id=name, refund_id="re",
            origin=RefundOrigin.STORE, refunded_at=at, amount_micros=4_990_000,
        )  # fmt: skip
        refunds.record(fact, now=at)

    run(now)

    assert adjusted() == [(kept.transaction_id, "refund", -kept.fee_micros, 0, kept.fee_micros)]


def test_a_fee_in_another_currency_is_worth_what_that_was_on_its_day(
    shop: Shop, now: datetime
) -> None:
    sale = shop.sale(now - 2 * DAY)
    shop.books.write(Entry(transaction=sale, fee_micros=500_000, fee_currency="EUR"))
    purchase = shop.booked(sale, at=now - 2 * DAY)

    assert run(now).fees_waiting_count == 1
    assert adjusted() == []
    ExchangeRate.objects.create(
        currency="EUR", day=date(2026, 3, 12), rate=Decimal("1.1"), source="ECB", created_at=now
    )
    assert run(now + timedelta(hours=1)).fees_waiting_count == 0

    assert adjusted() == [
        ("sold-1", "sale", purchase.fee_micros, 550_000, 550_000 - purchase.fee_micros)
    ]
    row = FeeAdjustment.objects.get()
    assert (row.fee_micros, row.fee_currency, row.exchange_source) == (
        500_000,
        "EUR",
        "ECB 2026-03-12",
    )


def test_the_days_books_have_it(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 2 * DAY, fee_micros=700_000)
    beyond = 700_000 - purchase.fee_micros
    before = closing.close(closing.local_date(now - 2 * DAY), now=now)
    run(now)

    day = closing.local_date(now)
    rows = [row for n in (2, 1, 0) for row in closing.close(day - n * DAY, now=now)]

    assert [violation for row in rows for violation in row.violations] == []
    assert before[0].fee_micros == purchase.fee_micros
    today = next(row for row in rows if row.day == day and row.environment == "production")
    assert (today.fee_micros, today.difference_micros) == (beyond, -beyond)
    assert (today.net_micros, today.recognised_micros) == (-beyond, -beyond)
    assert today.deferred_micros == purchase.net_micros
    lines = [(line.account, line.debit_micros, line.credit_micros) for line in journal.of_day(day)]
    assert lines == [
        ("revenue_differences", beyond, 0),
        ("accounts_receivable", 0, beyond),
    ]


def test_a_fee_heard_of_later_has_its_day_computed_anew(shop: Shop, now: datetime) -> None:
    shop.both(now - 2 * DAY, fee_micros=700_000)
    run(now)
    found = ladder.read(
        environment="production",
        start=closing.day_starts_at(closing.local_date(now)),
        end=closing.day_starts_at(closing.local_date(now) + DAY),
    )
    assert found.fee_micros == adjusted()[0][4]


def test_nobody_changes_an_adjustment(shop: Shop, now: datetime) -> None:
    shop.both(now - 2 * DAY, fee_micros=700_000)
    run(now)
    for act in (
        lambda: FeeAdjustment.objects.update(settled_micros=1),
        FeeAdjustment.objects.all().delete,
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            act()


micros = some.integers(min_value=0, max_value=10**15)


@given(
    gross=micros, parts=some.tuples(micros, micros), rate=some.decimals("0.00001", 1000, places=10)
)
def test_an_estimate_is_what_neither_the_state_nor_we_got(
    gross: int, parts: tuple[int, int], rate: Decimal
) -> None:
    tax = parts[0] % (gross + 1)
    net = int((gross - tax) * rate) if parts[1] % 2 else 0
    fee = estimated_micros(gross, tax, net, rate)
    exact = (gross - tax) * rate - net
    assert abs(fee - exact) <= 1


def test_a_fee_whose_rate_comes_late_is_settled_though_its_line_is_listed_no_more(
    shop: Shop, now: datetime
) -> None:
    sale = shop.sale(now - 2 * DAY)
    shop.books.write(Entry(transaction=sale, fee_micros=600_000, fee_currency="EUR"))
    shop.booked(sale, at=now - 2 * DAY)
    assert run(now).fees_waiting_count == 1
    assert run(now + 10 * DAY).found_counts == {}
    assert WaitingFee.objects.count() == 1
    ExchangeRate.objects.create(
        currency="EUR", day=date(2026, 3, 12), rate=Decimal("1.1"), source="ECB", created_at=now
    )

    done = run(now + 20 * DAY)

    assert [(row[0], row[3]) for row in adjusted()] == [("sold-1", 660_000)]
    assert (done.found_counts, FeeAdjustment.objects.get().run) == ({"fee_differs": 1}, done)
    assert not WaitingFee.objects.exists()
    assert run(now + 21 * DAY).found_counts == {}


def test_fees_of_refunds_are_read_at_once(
    shop: Shop, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        purchase = shop.both(now - 5 * DAY)
        refund = StoreRefund(
            environment="production",
            transaction_id=purchase.transaction_id,
            refund_id="re",
            refunded_at=now - 2 * DAY,
        )
        shop.books.write(Entry(refund=refund, fee_micros=0))
        refunds.record(
            RefundFact(
                provider="fake",
                environment="production",
                transaction_id=purchase.transaction_id,
                refund_id="re",
                origin=RefundOrigin.STORE,
                refunded_at=now - 2 * DAY,
            ),
            now=now - 2 * DAY,
        )
    with django_assert_max_num_queries(45):
        run(now)
    assert len(adjusted()) == 20
