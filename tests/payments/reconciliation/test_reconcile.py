"""Our books are held against the store's, and each difference has its cause by name."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection

from payments import tasks
from payments.models import Difference, Lot, Purchase, Reconciliation, Refund, RefundOrigin
from payments.providers.base import Fault, ProviderError, StoreRefund
from payments.providers.fake.books import Entry
from payments.providers.fake.verifier import FakeStoreWithBooks
from payments.reconciliation import comparison, differences, healing, looking_again, runs
from payments.store import operator_refunds, refunds
from payments.store.refunds import RefundFact
from tests.factories.operators import operator
from tests.factories.payments import StoreProductFactory, as_owner
from tests.payments.reconciliation.books import Shop, catch_up, found, run

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def give_back(purchase: Purchase, at: datetime, **changes: Any) -> None:
    """Booked here alone."""
    fact = RefundFact(
        provider="fake",
        environment="production",
        transaction_id=purchase.transaction_id,
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        refunded_at=at,
    )
    refunds.record(replace(fact, **changes), now=at)


def test_books_that_agree_differ_in_nothing(shop: Shop, now: datetime) -> None:
    for hours in (1, 5, 30):
        shop.both(now - DAY - hours * HOUR)
    purchase = shop.both(now - 3 * DAY)
    shop.refunded(purchase.transaction_id, now - 2 * DAY)
    give_back(purchase, now - 2 * DAY)

    done = run(now)

    assert (done.state, done.reason, done.found_counts) == ("finished", "", {})
    assert (done.listed_count, done.booked_count, done.healed_count) == (5, 4, 0)
    assert found() == []


def test_what_the_store_sold_and_we_have_not_is_booked_by_itself(shop: Shop, now: datetime) -> None:
    sale = shop.sale(now - 2 * DAY)
    shop.books.write(Entry(transaction=sale))

    done = run(now)

    assert found() == [("sold-1", "missing_here", "healed")]
    assert (done.healed_count, done.found_counts) == (1, {"missing_here": 1})
    purchase = Purchase.objects.get()
    assert (purchase.viewer_id, purchase.transaction_id) == (shop.device.viewer_id, "sold-1")
    assert Lot.objects.get().remaining_coins == 500
    run(now + HOUR)
    assert found() == [("sold-1", "missing_here", "healed")]


def test_what_cannot_be_booked_stays_open_and_says_why(shop: Shop, now: datetime) -> None:
    nobody = shop.sale(now - 2 * DAY, account_token=None)
    unknown = shop.sale(now - 2 * DAY, store_product_id="coins.unheard")
    # By its list price nothing can be told either.
    in_yen = StoreProductFactory(pack__currency="JPY")
    unrated = shop.sale(now - 2 * DAY, store_product_id=in_yen.store_product_id, currency="JPY")
    shop.books.write(*(Entry(transaction=one) for one in (nobody, unknown, unrated)))

    run(now)

    assert {(row.transaction_id, row.state, row.detail) for row in Difference.objects.all()} == {
        ("sold-1", "open", "Nobody is known to have bought it."),
        ("sold-2", "open", "No coin pack or pass has this name in this store"),
        ("sold-3", "open", "No exchange rate: JPY on 2026-03-12"),
    }
    assert not Purchase.objects.exists()


def test_what_is_booked_later_is_no_difference_any_more(shop: Shop, now: datetime) -> None:
    sale = shop.sale(now - 2 * DAY, account_token=None)
    shop.books.write(Entry(transaction=sale))
    run(now)
    shop.booked(sale, at=now)

    run(now + 20 * DAY)

    assert found() == [("sold-1", "missing_here", "gone")]


def test_a_sale_that_the_store_does_not_have_is_missing_there(shop: Shop, now: datetime) -> None:
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)

    run(now)

    assert found() == [("sold-1", "missing_there", "open")]
    (difference,) = Difference.objects.all()
    assert (difference.our_micros, difference.their_micros, difference.currency) == (
        4_990_000,
        None,
        "USD",
    )


def test_a_list_that_lags_is_given_a_week(shop: Shop, now: datetime) -> None:
    """It is compared daily: long after a sale has left the list's time, it is open, and stays so."""
    for _ in range(3):
        sale = shop.sale(now - 2 * DAY)
        shop.books.write(Entry(transaction=sale, is_listed=False))
        shop.booked(sale, at=now - 2 * DAY)
    states = []
    for day in range(10):
        if day == 1:
            shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, transaction_id="sold-2")))
        if day == 8:
            shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, transaction_id="sold-3")))
        run(now + day * DAY)
        states.append([state for _, _, state in found(cause="missing_there")])

    waiting, isopen, gone = "waiting", "open", "gone"
    assert states == [
        [waiting] * 3,
        *[[waiting, gone, waiting]] * 4,
        *[[isopen, gone, isopen]] * 3,
        *[[isopen, gone, gone]] * 2,
    ]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"price_micros": 4_980_000}, "amount_differs"),
        ({"currency": "EUR"}, "currency_differs"),
    ],
)
def test_an_edited_line_differs(
    shop: Shop, now: datetime, changes: dict[str, Any], cause: str
) -> None:
    sale = shop.sale(now - 2 * DAY)
    shop.booked(sale, at=now - 2 * DAY)
    shop.books.write(Entry(transaction=replace(sale, **changes)))

    run(now)

    assert found() == [("sold-1", cause, "open")]


def test_a_line_that_is_listed_twice_is_one_and_money_taken_twice_is_not(
    shop: Shop, now: datetime
) -> None:
    again = shop.sale(now - 2 * DAY)
    shop.booked(again, at=now - 2 * DAY)
    shop.books.write(Entry(transaction=again), Entry(transaction=again))
    twice = shop.sale(now - 2 * DAY)
    shop.booked(twice, at=now - 2 * DAY)
    shop.books.write(Entry(transaction=twice), Entry(transaction=twice, line_id="second"))
    halves = shop.sale(now - 2 * DAY)
    shop.booked(halves, at=now - 2 * DAY)
    for line, part in (("first", 2_000_000), ("second", 2_990_000)):
        shop.books.write(Entry(transaction=replace(halves, price_micros=part), line_id=line))

    run(now)

    assert found() == [("sold-2", "duplicate", "open")]


def test_a_refund_that_was_missed_is_booked_by_itself(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 5 * DAY)
    shop.refunded(purchase.transaction_id, now - 2 * DAY)

    run(now)

    assert found() == [("sold-1", "refund_missing_here", "healed")]
    assert Refund.objects.get().booking is not None


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_refund_that_was_reversed_since_is_no_difference(
    shop: Shop, now: datetime, is_listed: bool
) -> None:
    """The list may not have that yet: the store, asked by name, knows."""
    purchase = shop.both(now - 5 * DAY)
    refund = shop.refunded(purchase.transaction_id, now - 2 * DAY)
    reversal = replace(refund, refunded_at=None, reversed_at=now - HOUR)
    shop.books.write(Entry(refund=reversal, is_listed=is_listed))

    run(now)

    assert found() == []
    assert not Refund.objects.exists()


def test_a_refund_that_the_store_does_not_have_is_missing_there(shop: Shop, now: datetime) -> None:
    give_back(shop.both(now - 3 * DAY), now - 2 * DAY)

    run(now)

    assert found() == [("sold-1", "refund_missing_there", "open")]


def test_an_operators_refund_is_the_stores_under_another_name(shop: Shop, now: datetime) -> None:
    root = operator("root")
    paid_back, kept = shop.both(now - 3 * DAY), shop.both(now - 3 * DAY)
    for purchase in (paid_back, kept):
        operator_refunds.by_operator(purchase, operator_id=root.id, reason="-", now=now - 2 * DAY)
    shop.refunded(paid_back.transaction_id, now - 2 * DAY, refund_id="re_1")

    run(now)

    assert found() == [(kept.transaction_id, "refund_missing_there", "open")]


def test_a_refund_of_another_amount_differs(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 5 * DAY)
    shop.refunded(purchase.transaction_id, now - 2 * DAY, refund_id="re_1", amount_micros=1_000_000)
    give_back(purchase, now - 2 * DAY, refund_id="re_1", amount_micros=2_000_000)

    run(now)

    (difference,) = Difference.objects.all()
    assert (difference.cause, difference.line_id) == ("amount_differs", "re_1")
    assert (difference.our_micros, difference.their_micros) == (2_000_000, 1_000_000)


def test_what_is_younger_than_a_day_is_looked_at_the_next_day(shop: Shop, now: datetime) -> None:
    shop.booked(shop.sale(now - 2 * HOUR), at=now - 2 * HOUR)
    shop.books.write(Entry(transaction=shop.sale(now - 2 * HOUR)))

    run(now)
    assert found() == []
    run(now + DAY)
    assert found() == [("sold-1", "missing_there", "open"), ("sold-2", "missing_here", "healed")]


@pytest.mark.parametrize("minutes", [-30, -1, 0, 1, 30])
@pytest.mark.parametrize("edge_days", [1, 8])
def test_a_sale_at_the_edge_of_the_window_is_no_difference(
    shop: Shop, now: datetime, minutes: int, edge_days: int
) -> None:
    at = now - edge_days * DAY
    sale = shop.sale(at)
    shop.books.write(Entry(transaction=sale))
    shop.booked(sale, at=at + timedelta(minutes=minutes))

    for day in range(4):
        run(now + day * DAY)

    assert found() == []


def test_what_was_handed_in_long_after_is_asked_about_and_no_difference(
    shop: Shop, now: datetime
) -> None:
    sale = shop.sale(now - 40 * DAY)
    shop.books.write(Entry(transaction=sale))
    shop.booked(sale, at=now - 2 * DAY)

    run(now)

    assert found() == []


def test_what_was_sold_long_before_is_not_booked_of_a_sudden(shop: Shop, now: datetime) -> None:
    shop.books.write(Entry(transaction=shop.sale(now - 400 * DAY)))
    run(now)
    assert not Purchase.objects.exists()


def test_what_cost_nothing_is_in_no_list(shop: Shop, now: datetime) -> None:
    shop.booked(shop.sale(now - 2 * DAY, price_micros=0), at=now - 2 * DAY)
    run(now)
    assert found() == []


def test_a_purchase_without_its_coins_was_not_delivered(shop: Shop, now: datetime) -> None:
    purchase = shop.both(now - 2 * DAY)
    shop.both(now - 2 * DAY)

    def promised(coins: int) -> None:
        with as_owner() as cursor:
            cursor.execute(
                "UPDATE payments_purchase SET paid_coins = %s WHERE id = %s", [coins, purchase.id]
            )

    promised(501)
    run(now)
    assert found() == [("sold-1", "not_delivered", "open")]
    promised(500)
    run(now + DAY)
    assert found() == [("sold-1", "not_delivered", "gone")]


def test_environments_are_compared_apart(shop: Shop, now: datetime) -> None:
    shop.both(now - 2 * DAY, environment="sandbox")
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, environment="sandbox")))

    assert run(now).listed_count == 0
    run(now, environment="sandbox")

    assert found() == [("sold-2", "missing_here", "healed")]
    assert Purchase.objects.filter(environment="sandbox").count() == 2


def test_what_was_seen_stays_seen_until_it_is_another(shop: Shop, now: datetime) -> None:
    root = operator("root")
    sale = shop.sale(now - 2 * DAY)
    shop.booked(sale, at=now - 2 * DAY)
    shop.books.write(Entry(transaction=replace(sale, price_micros=1)))
    run(now)
    (difference,) = Difference.objects.all()
    differences.see([difference.id], operator_id=root.id, note="Asked the store.", now=now)

    run(now + HOUR)
    assert found() == [("sold-1", "amount_differs", "seen")]
    shop.books.write(Entry(transaction=replace(sale, price_micros=2)))
    run(now + 2 * HOUR)
    assert found() == [("sold-1", "amount_differs", "open")]
    shop.books.write(Entry(transaction=sale))
    run(now + 3 * HOUR)
    assert found() == [("sold-1", "amount_differs", "gone")]


def test_a_store_that_does_not_answer_fails_the_run_and_loses_nothing(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.both(now - 2 * DAY)
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)

    def silent(*_: Any, **__: Any) -> Any:
        raise ProviderError("no answer", Fault.UNAVAILABLE)

    with monkeypatch.context() as patched:
        patched.setattr(FakeStoreWithBooks, "looked_up", silent)
        done = run(now)
    assert (done.state, done.reason) == ("failed", "no answer")
    assert done.finished_at is not None
    assert found() == []

    assert ("fake", "production") not in runs.due(now=now + timedelta(minutes=30))
    assert ("fake", "production") in runs.due(now=now + HOUR)
    run(now + HOUR)
    assert found() == [("sold-2", "missing_there", "open")]
    assert ("fake", "production") not in runs.due(now=now + 5 * HOUR)
    assert ("fake", "production") in runs.due(now=now + HOUR + DAY)


def test_a_list_of_another_app_stops_the_run(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MAXIMUM_QUESTIONS", 3)
    for _ in range(5):
        shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, account_token=None)))
    done = run(now)
    assert (done.state, done.reason) == ("failed", "more than 3 differences")


def test_a_busy_time_takes_several_runs(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAXIMUM_BOOKED", 3)
    for number in range(10):
        shop.both(now - 5 * DAY + (number // 2) * HOUR)
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)

    done = catch_up(now)

    assert sum(one.booked_count for one in done) == 11
    assert len(done) > 3
    assert all(a.until == b.since for a, b in pairwise(done))
    assert done[-1].until >= now - 2 * DAY
    assert found() == [("sold-11", "missing_there", "open")]


def test_an_outage_of_days_is_looked_at_whole(shop: Shop, now: datetime) -> None:
    run(now)
    sale = shop.sale(now + 2 * DAY)
    shop.books.write(Entry(transaction=sale))

    run(now + 9 * DAY)

    assert found() == [("sold-1", "missing_here", "healed")]


@pytest.mark.django_db(transaction=True)
def test_a_store_is_asked_outside_of_any_transaction(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    listed, looked_up = FakeStoreWithBooks.listed, FakeStoreWithBooks.looked_up

    def outside(ask: Any) -> Any:
        def act(*given: Any, **named: Any) -> Any:
            asked.append(connection.in_atomic_block)
            return ask(*given, **named)

        return act

    monkeypatch.setattr(FakeStoreWithBooks, "listed", outside(listed))
    monkeypatch.setattr(FakeStoreWithBooks, "looked_up", outside(looked_up))
    shop.both(now - 2 * DAY)
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY)))

    run(now)

    assert asked == [False, False, False]
    assert found() == [("sold-2", "missing_there", "open"), ("sold-3", "missing_here", "healed")]


def test_the_sweeps_worker_compares_alone(shop: Shop, now: datetime) -> None:
    """Another session's lock is not ours: while it has it, there is nothing to do."""
    held = psycopg.connect(**connection.get_connection_params() | {"autocommit": True})
    try:
        held.execute("SELECT pg_advisory_lock(%s)", [runs.LOCK])
        assert tasks.reconcile_stores() == 0
        # A session that ends lets go of its locks a moment later.
        held.execute("SELECT pg_advisory_unlock(%s)", [runs.LOCK])
    finally:
        held.close()
    assert tasks.reconcile_stores() >= 1


def test_the_second_of_two_equal_parts_is_found_though_it_was_never_told(
    shop: Shop, now: datetime
) -> None:
    """What went back before came to as much as what the list has now."""
    purchase = shop.both(now - 40 * DAY)
    first = {"refund_id": "re_1", "amount_micros": 1_000_000}
    give_back(purchase, now - 30 * DAY, **first)
    shop.refunded(purchase.transaction_id, now - 30 * DAY, **first)
    shop.refunded(purchase.transaction_id, now - 2 * DAY, refund_id="re_2", amount_micros=1_000_000)

    run(now)

    assert found() == [("sold-1", "refund_missing_here", "healed")]
    assert refunds.refunded_micros(purchase) == 2_000_000


def test_what_an_operator_booked_is_not_booked_again_by_the_stores_name(
    shop: Shop, now: datetime
) -> None:
    purchase = shop.both(now - 40 * DAY)
    operator_refunds.by_operator(
        purchase,
        operator_id=operator("root").id,
        reason="-",
        amount_micros=1_000_000,
        now=now - 30 * DAY,
    )
    name = purchase.transaction_id
    shop.refunded(name, now - 30 * DAY, refund_id="re_1", amount_micros=1_000_000)
    shop.refunded(name, now - 2 * DAY, refund_id="re_2", amount_micros=1_000_000)

    run(now)

    assert found() == [("sold-1", "refund_missing_here", "healed")]
    assert refunds.refunded_micros(purchase) == 2_000_000
    assert set(Refund.objects.values_list("refund_id", flat=True)) >= {"re_2"}
    assert not Refund.objects.filter(refund_id="re_1").exists()


def test_a_refund_that_the_store_names_otherwise_when_asked_is_booked_by_that_name(
    shop: Shop, now: datetime
) -> None:
    name = shop.both(now - 5 * DAY).transaction_id
    refund = StoreRefund(
        environment="production",
        transaction_id=name,
        refund_id="re_1",
        refunded_at=now - 2 * DAY,
        amount_micros=1_000_000,
    )
    by_name = replace(refund, refund_id="po_1")
    shop.books.write(Entry(refund=refund, is_known=False), Entry(refund=by_name, is_listed=False))

    for day in range(3):
        run(now + day * DAY)

    assert found() == [("sold-1", "refund_missing_here", "healed")]
    assert Refund.objects.get().refund_id == "po_1"


def test_one_that_nobody_has_thought_of_does_not_keep_the_others_waiting(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY)))
    book = healing.book

    def unforeseen(found: Any, **named: Any) -> str:
        if found[0].transaction_id == "sold-2":
            raise ZeroDivisionError("nobody knows")
        return book(found, **named)

    monkeypatch.setattr(healing, "book", unforeseen)
    done = [run(now + day * DAY) for day in range(5)]

    assert {one.state for one in done} == {"finished"}
    assert [state for _, _, state in found()] == ["healed", "open", "healed"]
    (difference,) = Difference.objects.filter(state="open")
    assert "nobody knows" in difference.detail


def test_a_run_ends_where_its_time_is_over_and_the_next_goes_on(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        shop.both(now - 5 * DAY + number * HOUR)
    shop.booked(shop.sale(now - 2 * DAY), at=now - 2 * DAY)
    monkeypatch.setattr(comparison, "AT_ONCE", 2)
    monkeypatch.setattr(comparison, "LONGEST_RUN_SECONDS", -1)

    done = catch_up(now)

    assert len(done) > 3
    assert {one.state for one in done} == {"finished"}
    assert sum(one.booked_count for one in done) == 11
    assert all(a.until == b.since for a, b in pairwise(done))
    assert found() == [("sold-11", "missing_there", "open")]


def test_a_task_that_is_told_to_stop_stops(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY)))

    def late(*_: Any, **__: Any) -> Any:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(healing, "book", late)
    with pytest.raises(SoftTimeLimitExceeded):
        run(now)

    assert Reconciliation.objects.get().reason == "it took too long"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"price_micros": 1}, "amount_differs"), ({"currency": "EUR"}, "currency_differs")],
)
def test_what_a_list_corrects_later_is_no_difference_any_more(
    shop: Shop, now: datetime, changes: dict[str, Any], cause: str
) -> None:
    sale = shop.sale(now - 2 * DAY)
    shop.booked(sale, at=now - 2 * DAY)
    shop.books.write(Entry(transaction=replace(sale, **changes)))
    run(now)
    for day in (10, 11):
        run(now + day * DAY)
    assert found() == [("sold-1", cause, "open")]

    shop.books.write(Entry(transaction=sale))
    run(now + 12 * DAY)
    assert found() == [("sold-1", cause, "open")]
    run(now + 18 * DAY)
    assert found() == [("sold-1", cause, "gone")]


def test_a_refunds_amount_that_is_corrected_is_no_difference_any_more(
    shop: Shop, now: datetime
) -> None:
    purchase = shop.both(now - 5 * DAY)
    of_store = {"refund_id": "re_1", "amount_micros": 1_000_000}
    shop.refunded(purchase.transaction_id, now - 2 * DAY, **of_store)
    give_back(purchase, now - 2 * DAY, refund_id="re_1", amount_micros=2_000_000)
    run(now)
    shop.refunded(purchase.transaction_id, now - 2 * DAY, **of_store | {"amount_micros": 2_000_000})

    run(now + 10 * DAY)

    assert found() == [("sold-1", "amount_differs", "gone")]


def test_what_was_seen_is_asked_about_once_a_week(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = operator("root")
    shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, account_token=None)))
    run(now)
    differences.see(
        [Difference.objects.get().id], operator_id=root.id, note="A shop of old.", now=now
    )
    asked: list[int] = []
    looked_up = FakeStoreWithBooks.looked_up

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        asked.append(day)
        return looked_up(self, *given, **named)

    monkeypatch.setattr(FakeStoreWithBooks, "looked_up", counted)
    for day in range(4, 20):
        run(now + day * DAY)

    assert asked == [4, 5, 12, 19]  # its list has it on the first of these
    assert found() == [("sold-1", "missing_here", "seen")]


def test_what_was_looked_at_the_longest_ago_is_first(
    shop: Shop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_again, "LOOKED_AT_AGAIN", 1)
    for _ in range(3):
        shop.books.write(Entry(transaction=shop.sale(now - 2 * DAY, account_token=None)))
    run(now)
    for day in range(4, 8):
        run(now + day * DAY)
    assert Difference.objects.filter(looked_at=None).count() == 0


def test_locks_of_work_are_all_of_another_number() -> None:
    root = Path(settings.BASE_DIR)
    found: list[int] = []
    for app in ("ads", "analytics", "catalog", "config", "payments", "viewers"):
        for path in (root / app).rglob("*.py"):
            text = path.read_text()
            found += [
                int(number.replace("_", ""))
                for number in re.findall(r"^(?:\w+_)?LOCK = ([\d_]+)$", text, re.MULTILINE)
            ]
    assert len(found) >= 3
    assert len(found) == len(set(found))
