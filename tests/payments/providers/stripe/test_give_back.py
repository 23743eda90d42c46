"""Money that goes back by Stripe: by refunds, whole and in part and failed, and by banks."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from payments.providers.base import Fault, RefundOrigin, StoreRefund
from payments.providers.stripe.accounts import StripeAccounts
from payments.providers.stripe.objects import moment
from tests.payments.providers.stripe.shop import COINS, Shop, fault_of, settled


def refunds(shop: Shop, payment_id: str) -> list[dict[str, object]]:
    """Stripe's refunds of a payment, the first first."""
    found = shop.read(f"/v1/refunds?payment_intent={payment_id}&limit=100")["data"]
    return list(reversed(found))


def test_tells_each_refund_of_a_payment_once(shop: Shop) -> None:
    """A charge says 100 and then 499, its refunds 100 and 399."""
    payment_id, mark = shop.bought(), shop.mark()
    shop.order("refund", payment_intent=payment_id, amount=100)
    shop.order("refund", payment_intent=payment_id)

    first, second = refunds(shop, payment_id)
    told = shop.told(mark)
    assert set(told) == {
        StoreRefund(
            environment="sandbox",
            transaction_id=payment_id,
            refund_id=one["id"],
            refunded_at=moment(one["created"]),
            amount_micros=amount,
        )
        for one, amount in ((first, 1_000_000), (second, 3_990_000))
    }
    assert len(shop.told(mark, "charge.refunded")) == 4
    assert len(shop.told(mark, "refund.created")) == 2


def test_refunds_all_that_is_left_and_says_so_as_its_event_does(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    part = shop.adapter.refund(
        payment_id, amount_micros=1_000_000, idempotency_key=shop.key(), now=shop.now
    )
    rest = shop.adapter.refund(payment_id, idempotency_key=shop.key(), now=shop.now)

    assert (part.amount_micros, rest.amount_micros) == (1_000_000, 3_990_000)
    assert shop.told(mark, "refund.created") == [part, rest]
    assert (
        fault_of(lambda: shop.adapter.refund(payment_id, idempotency_key=shop.key(), now=shop.now))
        is Fault.MALFORMED
    )


def test_refunds_once_under_one_key(shop: Shop) -> None:
    payment_id, key = shop.bought(), shop.key()
    shop.fails({"kind": "reset", "matching": "POST /v1/refunds", "times": 1})

    def ask() -> StoreRefund:
        return shop.adapter.refund(
            payment_id, amount_micros=1_000_000, idempotency_key=key, now=shop.now
        )

    assert fault_of(ask) is Fault.UNAVAILABLE
    assert ask().refund_id == ask().refund_id
    assert len(refunds(shop, payment_id)) == 1


def test_refunds_once_under_our_name_long_after_stripe_forgot_the_key(shop: Shop) -> None:
    payment_id = shop.bought()
    accounts = StripeAccounts({"sandbox": shop.adapter})

    for _ in "ab":
        accounts.give_back(
            environment="sandbox",
            transaction_id=payment_id,
            refund_id="operator:1",
            amount_micros=1_000_000,
            now=shop.now,
        )
        shop.advance(hours=25)

    assert len(refunds(shop, payment_id)) == 1


def test_refunds_a_period_under_its_invoices_name(shop: Shop) -> None:
    subscription_id, mark = shop.subscribed(), shop.mark()
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]

    fact = shop.adapter.refund(invoice_id, idempotency_key=shop.key(), now=shop.now)

    assert (fact.transaction_id, fact.amount_micros) == (invoice_id, 19_990_000)
    assert set(shop.told(mark)) == {fact}


@pytest.mark.parametrize("name", ["cs_test_1", "in_", "", "sub_1", "ch_1"])
def test_refunds_nothing_that_was_not_paid(shop: Shop, name: str) -> None:
    assert (
        fault_of(lambda: shop.adapter.refund(name, idempotency_key=shop.key(), now=shop.now))
        is Fault.MALFORMED
    )


def test_takes_a_refund_that_failed_back(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("refund", payment_intent=payment_id)
    (refunded,) = set(shop.told(mark))
    shop.order("fail_refund", refund=made["id"])

    (reversed_,) = settled(shop.told(mark)).values()
    assert refunded.reversed_at is None
    assert reversed_ == ("reversed", 4_990_000)
    for fact in shop.told(mark):
        assert fact.refunded_at is None
        assert fact.refund_id == made["id"]


def test_is_a_chargeback_while_the_bank_has_the_money(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id)

    assert set(shop.told(mark)) == {
        StoreRefund(
            environment="sandbox",
            transaction_id=payment_id,
            refund_id=made["id"],
            origin=RefundOrigin.CHARGEBACK,
            refunded_at=moment(made["created"]),
            amount_micros=4_990_000,
            reason="fraudulent",
        )
    }
    lost = shop.mark()
    shop.order("close_dispute", dispute=made["id"], won=False)
    assert set(shop.told(lost)) == set(shop.told(mark))


def test_is_none_any_more_when_it_is_won(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id, amount=200)
    shop.order("close_dispute", dispute=made["id"], won=True)

    told = shop.told(mark)
    assert len(told) == 4
    assert settled(told) == {(payment_id, made["id"]): ("reversed", 2_000_000)}


def test_is_a_chargeback_again_when_it_is_lost_on_appeal(shop: Shop) -> None:
    """Later than it was won, so that it holds against that."""
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id)
    shop.advance(days=3)
    shop.order("close_dispute", dispute=made["id"], won=True)
    (won,) = {fact.reversed_at for fact in shop.told(mark, "charge.dispute.closed")}
    shop.advance(days=3)
    with shop.stripe.changing() as account:
        dispute = account.find("dispute", made["id"])
        taken = {"amount": -499, "created": account.now}
        dispute.update(
            status="lost", balance_transactions=[*dispute["balance_transactions"], taken]
        )

    (lost,) = set(shop.told(mark))

    assert lost.refunded_at == moment(taken["created"])
    assert lost.refunded_at is not None
    assert won is not None
    assert lost.refunded_at > won


def test_is_nothing_while_a_bank_only_asks(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id, inquiry=True)
    shop.order("close_dispute", dispute=made["id"])

    assert shop.told(mark) == []


@pytest.mark.parametrize(
    ("status", "moved", "expected"),
    [
        ("needs_response", [], "refunded"),
        ("under_review", [-499], "refunded"),
        ("appeal_under_review", [-499], "refunded"),
        ("lost", [-499], "refunded"),
        ("won", [-499, 499], "reversed"),
        ("won", [], "reversed"),
        ("prevented", [], None),
        ("prevented", [-499], "refunded"),
        ("warning_needs_response", [], None),
        ("warning_under_review", [-499], "refunded"),
        ("warning_closed", [], None),
        ("warning_closed", [-499, 499], "reversed"),
        ("one_of_tomorrow", [-499], "refunded"),
    ],
)
def test_reads_every_status_of_a_dispute(
    shop: Shop, status: str, moved: list[int], expected: str | None
) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id)
    with shop.stripe.changing() as account:
        account.find("dispute", made["id"]).update(
            status=status, balance_transactions=[{"amount": amount} for amount in moved]
        )

    outcomes = {outcome for outcome, _ in settled(shop.told(mark)).values()}
    assert outcomes == ({expected} if expected else set())


def test_takes_no_more_than_was_paid_and_all_of_another_currency(shop: Shop) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("dispute", payment_intent=payment_id)
    for amount, currency, expected in (
        (600, "usd", 4_990_000),
        (100, "usd", 1_000_000),
        (100, "eur", None),
    ):
        with shop.stripe.changing() as account:
            account.find("dispute", made["id"]).update(amount=amount, currency=currency)
        assert {fact.amount_micros for fact in shop.told(mark)} == {expected}


def test_knows_a_disputed_period_by_its_invoice(shop: Shop) -> None:
    subscription_id, mark = shop.subscribed(), shop.mark()
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    payment = shop.read(f"/v1/invoice_payments?invoice={invoice_id}")["data"][0]["payment"]
    shop.order("dispute", payment_intent=payment["payment_intent"])

    assert {fact.transaction_id for fact in shop.told(mark)} == {invoice_id}


def test_every_order_of_all_events_comes_to_the_same(shop: Shop) -> None:
    payment_id, mark, live = shop.bought(), shop.mark(), []
    made: dict[str, Any] = {}
    for act in (
        lambda: made.update(part=shop.order("refund", payment_intent=payment_id, amount=100)),
        lambda: shop.order("fail_refund", refund=made["part"]["id"]),
        lambda: made.update(case=shop.order("dispute", payment_intent=payment_id, amount=300)),
        lambda: shop.order("close_dispute", dispute=made["case"]["id"], won=True),
    ):
        before = shop.mark()
        act()
        live += shop.told(before)
    at_the_end = [shop.adapter.facts_of(message, now=shop.now) for message in shop.messages(mark)]

    assert len(at_the_end) == 9
    assert set(settled(live)) == {
        (payment_id, made["part"]["id"]),
        (payment_id, made["case"]["id"]),
    }
    for order in permutations(at_the_end[:7]):
        assert settled(fact for facts in (*order, *at_the_end[7:]) for fact in facts) == settled(
            live
        )


def test_refunds_in_the_currency_that_was_paid(shop: Shop) -> None:
    payment_id = shop.bought(replace(COINS, currency="JPY", unit_price_micros=500_000_000))
    fact = shop.adapter.refund(
        payment_id, amount_micros=120_000_000, idempotency_key=shop.key(), now=shop.now
    )

    assert fact.amount_micros == 120_000_000
    assert refunds(shop, payment_id)[0]["amount"] == 120


@pytest.mark.parametrize("payment", ["another's", None])
def test_knows_no_money_of_others(shop: Shop, payment: str | None) -> None:
    payment_id, mark = shop.bought(), shop.mark()
    made = shop.order("refund", payment_intent=payment_id, amount=100)
    case = shop.order("dispute", payment_intent=payment_id)
    with shop.stripe.changing() as account:
        account.find("payment_intent", payment_id)["metadata"] = {}
        if payment is None:
            account.find("refund", made["id"])["payment_intent"] = None
            account.find("dispute", case["id"])["payment_intent"] = None

    assert shop.told(mark) == []
