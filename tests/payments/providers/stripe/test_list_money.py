"""Stripe's balance lists all money of a time, and each of it is looked up by its name."""

from dataclasses import replace
from datetime import timedelta

from payments.providers.base import (
    Fault,
    Fee,
    Known,
    Listed,
    ListedKind,
    Lists,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.stripe.accounts import StripeAccounts
from tests.payments.providers.stripe.shop import COINS, Shop, fault_of


def listed(shop: Shop) -> list[Listed]:
    return list(
        shop.adapter.listed(
            environment="sandbox",
            since=shop.now - timedelta(minutes=5),
            until=shop.now + timedelta(minutes=5),
            known=(),
            now=shop.now,
        )
    )


def known(shop: Shop, name: str) -> Known:
    return Known(environment="sandbox", transaction_id=name, purchased_at=shop.now)


def test_lists_sales_refunds_and_disputes_with_their_fees(other: Shop) -> None:
    coins = other.bought()
    subscription = other.subscribed()
    invoice = other.read(f"/v1/subscriptions/{subscription}")["latest_invoice"]
    refund = other.order("refund", payment_intent=coins, amount=100)["id"]
    dispute = other.order("dispute", payment_intent=coins, amount=200)["id"]

    lines = listed(other)

    assert [(one.kind, one.transaction_id, one.amount_micros, one.fee) for one in lines] == [
        (ListedKind.REFUND, coins, 2_000_000, Fee(15_000_000, "USD")),
        (ListedKind.REFUND, coins, 1_000_000, Fee(0, "USD")),
        (ListedKind.SALE, invoice, 19_990_000, Fee(880_000, "USD")),
        (ListedKind.SALE, coins, 4_990_000, Fee(440_000, "USD")),
    ]
    assert [one.line_id for one in lines[:2]] == [dispute, refund]
    assert {one.currency for one in lines} == {"USD"}
    assert isinstance(other.adapter, Lists)


def test_lists_a_refund_that_we_asked_for_by_our_name_of_it(other: Shop) -> None:
    coins = other.bought()
    fact = other.adapter.refund(
        coins, refund_id="operator:1", idempotency_key=other.key(), now=other.now
    )
    (line,) = [one for one in listed(other) if one.kind is ListedKind.REFUND]
    assert line.line_id == fact.refund_id == "operator:1"


def test_a_refund_that_failed_is_a_reversal_of_the_same_name(other: Shop) -> None:
    coins = other.bought()
    refund = other.order("refund", payment_intent=coins, amount=100)["id"]
    other.order("fail_refund", refund=refund)
    lines = [one for one in listed(other) if one.kind is not ListedKind.SALE]
    assert {(one.kind, one.line_id) for one in lines} == {
        (ListedKind.REFUND, refund),
        (ListedKind.REVERSAL, refund),
    }


def test_lists_what_the_buyer_paid_where_it_settles_in_another_currency(other: Shop) -> None:
    other.bought(replace(COINS, currency="EUR"))
    with other.stripe.changing() as account:
        line = account.every("balance_transaction")[0]
        line.update(amount=543, fee=48, net=495, currency="usd", exchange_rate=1.0889)

    (sale,) = listed(other)

    assert (sale.amount_micros, sale.currency) == (4_990_000, "EUR")
    assert sale.fee == Fee(480_000, "USD")


def test_lists_nothing_of_payouts(other: Shop) -> None:
    other.bought()
    with other.stripe.changing() as account:
        account.every("balance_transaction")[0].update(type="payout", source=None)
    assert listed(other) == []


def test_looks_a_payment_up_with_all_that_went_back(other: Shop) -> None:
    coins = other.bought()
    refund = other.order("refund", payment_intent=coins, amount=100)["id"]
    dispute = other.order("dispute", payment_intent=coins, amount=200)["id"]

    facts = other.adapter.looked_up(known(other, coins), now=other.now)

    assert isinstance(facts[0], StoreTransaction)
    assert [
        (fact.refund_id, fact.amount_micros) for fact in facts if isinstance(fact, StoreRefund)
    ] == [
        (refund, 1_000_000),
        (dispute, 2_000_000),
    ]


def test_looks_a_period_up_by_its_invoice_long_after(other: Shop) -> None:
    subscription = other.subscribed()
    first = other.read(f"/v1/subscriptions/{subscription}")["latest_invoice"]
    other.advance(days=32)

    facts = other.adapter.looked_up(known(other, first), now=other.now)

    periods = [fact.period for fact in facts if isinstance(fact, SubscriptionSnapshot)]
    assert first in {period.transaction_id for period in periods if period is not None}


def test_what_somebody_else_sold_with_the_account_is_foreign(other: Shop) -> None:
    coins = other.bought()
    with other.stripe.changing() as account:
        for payment in account.every("payment_intent"):
            payment["metadata"] = {}
    look = other.adapter.looked_up
    assert fault_of(lambda: look(known(other, coins), now=other.now)) is Fault.FOREIGN
    for name in ("pi_never", "in_never", "what is this", ""):
        assert fault_of(lambda name=name: look(known(other, name), now=other.now)) is Fault.GONE
    production = Known(environment="production", transaction_id=coins, purchased_at=other.now)
    assert fault_of(lambda: look(production, now=other.now)) is Fault.OTHER_ENVIRONMENT


def test_both_accounts_list_behind_one_address(other: Shop) -> None:
    coins = other.bought()
    accounts = StripeAccounts({"sandbox": other.adapter})
    assert accounts.listed_environments() == ("sandbox",)
    (line,) = accounts.listed(
        environment="sandbox",
        since=other.now - timedelta(minutes=5),
        until=other.now + timedelta(minutes=5),
        known=(),
        now=other.now,
    )
    assert line.transaction_id == coins
    assert len(accounts.looked_up(known(other, coins), now=other.now)) == 1
