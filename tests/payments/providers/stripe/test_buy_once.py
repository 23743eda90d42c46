"""Coins bought by Stripe: one fact under the payment intent's name, whatever tells of it and when."""

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from demo.stores.stripe import payments
from payments.providers.base import Fault, Payment, StoreTransaction
from payments.providers.stripe.objects import moment
from payments.providers.stripe.sales import OpenedPayment
from tests.payments.providers.stripe.shop import (
    COINS,
    INTENT,
    VIEWER,
    Shop,
    fault_of,
    settled,
)


def bought(shop: Shop, payment_id: str, **changes: object) -> StoreTransaction:
    """What a payment of the coins is expected to be."""
    payment = shop.read(f"/v1/payment_intents/{payment_id}")
    expected = StoreTransaction(
        environment="sandbox",
        transaction_id=payment_id,
        store_product_id="coins_500",
        account_token=VIEWER,
        price_micros=4_990_000,
        currency="USD",
        purchased_at=moment(payment["created"]),
        intent_id=INTENT,
    )
    return replace(expected, **changes)


def test_opens_a_checkout_that_says_whose_it_is(shop: Shop) -> None:
    opened = shop.adapter.open_checkout(
        COINS,
        success_url="https://app.test/done",
        cancel_url="https://app.test",
        idempotency_key=shop.key(),
    )

    session = shop.read(f"/v1/checkout/sessions/{opened.session_id}")
    assert opened.url == session["url"]
    assert opened.expires_at == moment(session["expires_at"])
    assert session["mode"] == "payment"
    assert (session["amount_total"], session["currency"]) == (499, "usd")
    assert session["client_reference_id"] == str(INTENT)
    assert session["adaptive_pricing"] == {"enabled": False}
    assert session["metadata"] == {
        "account_token": str(VIEWER),
        "intent_id": str(INTENT),
        "product_id": "coins_500",
        "quantity": "1",
    }


@pytest.mark.parametrize(
    ("price", "currency", "quantity", "amount"),
    [(500_000_000, "JPY", 1, 500), (5_120_000, "KWD", 2, 10_240), (4_990_000, "usd", 3, 1_497)],
)
def test_sells_in_any_currency(
    shop: Shop, price: int, currency: str, quantity: int, amount: int
) -> None:
    sale = replace(COINS, unit_price_micros=price, currency=currency, quantity=quantity)
    payment_id = shop.bought(sale)

    assert shop.read(f"/v1/payment_intents/{payment_id}")["amount"] == amount
    assert shop.adapter.submitted(payment_id, now=shop.now) == (
        bought(
            shop,
            payment_id,
            price_micros=price * quantity,
            currency=currency.upper(),
            quantity=quantity,
        ),
    )


def test_sells_at_a_price_that_was_set_up(shop: Shop) -> None:
    price = shop.order("set_price", name="500 coins", unit_amount=399, currency="eur")
    payment_id = shop.bought(replace(COINS, price_id=price["id"]))

    assert shop.adapter.submitted(payment_id, now=shop.now) == (
        bought(shop, payment_id, price_micros=3_990_000, currency="EUR"),
    )


def test_stands_for_nothing_before_somebody_pays(shop: Shop) -> None:
    session = shop.checkout()
    assert shop.adapter.submitted(session, now=shop.now) == ()

    opened = shop.adapter.open_payment(COINS, idempotency_key=shop.key())
    assert opened.client_secret.startswith(f"{opened.payment_intent_id}_secret_")
    assert shop.adapter.submitted(opened.payment_intent_id, now=shop.now) == ()


def test_is_one_fact_whoever_tells_it(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    payment_id = shop.order("pay", session=session)["payment_intent"]

    told = shop.told(mark)
    assert [message.is_known for message in map(_read(shop), shop.messages(mark))] == [True] * 4
    assert told == [bought(shop, payment_id)] * 2
    assert shop.adapter.submitted(session, now=shop.now) == (told[0],)
    assert shop.adapter.submitted(payment_id, now=shop.now) == (told[0],)


def _read(shop: Shop):
    return lambda message: shop.adapter.read_message(message, now=shop.now)


def test_credits_though_the_api_is_down(shop: Shop) -> None:
    mark = shop.mark()
    payment_id = shop.bought()
    shop.fails({"kind": "status", "status": 503})

    assert fault_of(lambda: shop.told(mark, "checkout.session.completed")) is Fault.UNAVAILABLE
    (fact,) = shop.told(mark, "payment_intent.succeeded")
    shop.fails()
    assert fact == bought(shop, payment_id)


def test_is_pending_while_a_bank_takes_its_time(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    payment_id = shop.order("pay", session=session, slowly=True)["payment_intent"]
    assert set(shop.told(mark)) == {bought(shop, payment_id, payment=Payment.PENDING)}

    shop.order("settle", payment_intent=payment_id)
    assert set(shop.told(mark)) == {bought(shop, payment_id)}


def test_fails_when_the_bank_says_no(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    payment_id = shop.order("pay", session=session, slowly=True)["payment_intent"]
    shop.order("settle", payment_intent=payment_id, succeeds=False)

    assert set(shop.told(mark)) == {bought(shop, payment_id, payment=Payment.FAILED)}


def test_is_paid_though_a_card_was_declined_before(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    payment_id = shop.order("decline", session=session)["payment_intent"]
    assert set(shop.told(mark)) == {bought(shop, payment_id, payment=Payment.FAILED)}

    shop.order("pay", session=session)
    assert set(shop.told(mark)) == {bought(shop, payment_id)}


def test_fails_when_nobody_pays_in_time(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    shop.order("expire", session=session)

    (fact,) = shop.told(mark)
    assert (fact.transaction_id, fact.payment) == (session, Payment.FAILED)
    assert fact.intent_id == INTENT


def test_fails_under_its_payments_name_when_there_was_an_attempt(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    payment_id = shop.order("decline", session=session)["payment_intent"]
    shop.order("expire", session=session)

    assert set(shop.told(mark)) == {bought(shop, payment_id, payment=Payment.FAILED)}


def test_pays_an_embedded_payment(shop: Shop) -> None:
    opened, mark = shop.adapter.open_payment(COINS, idempotency_key=shop.key()), shop.mark()
    shop.order("pay", payment_intent=opened.payment_intent_id)

    assert shop.told(mark) == [bought(shop, opened.payment_intent_id)]


def test_knows_nothing_of_what_others_sell_with_the_account(shop: Shop) -> None:
    mark = shop.mark()
    with shop.stripe.changing() as account:
        foreign = payments.create(
            account, amount=100, currency="usd", customer=None, description="a mug"
        )
        payments.succeed(account, foreign)

    assert shop.told(mark) == []
    assert fault_of(lambda: shop.adapter.submitted(foreign["id"], now=shop.now)) is Fault.FOREIGN


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"product_id": ""},
        {"product_id": "mug", "account_token": "someone", "intent_id": "7", "quantity": "many"},
        {"product_id": "mug", "quantity": "0"},
        {"product_id": "mug", "quantity": chr(0x663)},
    ],
)
def test_reads_what_an_operator_made_of_our_metadata(shop: Shop, changes: dict[str, str]) -> None:
    mark = shop.mark()
    payment_id = shop.bought()
    with shop.stripe.changing() as account:
        account.find("payment_intent", payment_id)["metadata"] = changes

    told = shop.told(mark, "checkout.session.completed")
    assert [(one.store_product_id, one.quantity, one.intent_id) for one in told] == (
        [("mug", 1, None)] if changes.get("product_id") else []
    )


def test_is_free_under_the_checkouts_name_when_a_discount_pays_all(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    shop.order("pay", session=session)
    with shop.stripe.changing() as account:
        account.find("checkout.session", session).update(
            payment_status="no_payment_required", payment_intent=None, amount_total=0
        )

    (fact,) = shop.told(mark, "checkout.session.completed")
    assert (fact.transaction_id, fact.price_micros, fact.payment) == (session, 0, Payment.PAID)


def test_knows_no_checkout_of_others(shop: Shop) -> None:
    session, mark = shop.checkout(), shop.mark()
    shop.order("pay", session=session)
    with shop.stripe.changing() as account:
        account.find("checkout.session", session)["metadata"] = {}

    assert shop.told(mark, "checkout.session.completed") == []
    assert fault_of(lambda: shop.adapter.submitted(session, now=shop.now)) is Fault.FOREIGN


@pytest.mark.parametrize(
    "changes", [{"amount": "much"}, {"status": "processing"}, {"livemode": True}]
)
def test_asks_when_the_event_does_not_say_it_itself(shop: Shop, changes: dict[str, object]) -> None:
    mark = shop.mark()
    payment_id = shop.bought()
    (message,) = shop.messages(mark, "payment_intent.succeeded")
    event = json.loads(message.body)
    event["data"]["object"] |= changes

    told = shop.adapter.facts_of(shop.signed(json.dumps(event).encode()), now=shop.now)
    assert told == (bought(shop, payment_id),)


@pytest.mark.parametrize("subject", [{"id": None}, {"id": "a/b"}, {"id": 7}, {}])
@pytest.mark.parametrize("told", ["checkout.session.completed", "customer.subscription.updated"])
def test_refuses_an_event_of_nothing(shop: Shop, told: str, subject: dict[str, object]) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "created": 1,
        "livemode": False,
        "type": told,
        "data": {"object": subject},
    }
    message = shop.signed(json.dumps(event).encode())

    assert fault_of(lambda: shop.adapter.facts_of(message, now=shop.now)) is Fault.MALFORMED


def test_finds_gone_what_stripe_has_no_more(shop: Shop) -> None:
    mark = shop.mark()
    payment_id = shop.bought()
    with shop.stripe.changing() as account:
        del account.state.objects[payment_id]

    assert fault_of(lambda: shop.told(mark, "checkout.session.completed")) is Fault.GONE


def test_does_nothing_twice_under_one_key(shop: Shop) -> None:
    key = shop.key()
    opened = [shop.adapter.open_payment(COINS, idempotency_key=key) for _ in range(3)]

    assert len(set(opened)) == 1
    assert (
        fault_of(lambda: shop.adapter.open_payment(replace(COINS, quantity=2), idempotency_key=key))
        is Fault.MALFORMED
    )


@pytest.mark.parametrize("kind", ["html", "truncated", "reset"])
def test_asks_again_for_what_it_did_not_hear(shop: Shop, kind: str) -> None:
    """Stripe did it, and its answer was lost."""
    key, before = shop.key(), _payments(shop)
    shop.fails({"kind": kind, "matching": "POST /v1/payment_intents", "times": 1})

    def ask() -> OpenedPayment:
        return shop.adapter.open_payment(COINS, idempotency_key=key)

    assert fault_of(ask) is Fault.UNAVAILABLE
    assert ask().payment_intent_id in _payments(shop)
    assert len(_payments(shop)) == len(before) + 1


def _payments(shop: Shop) -> set[str]:
    with shop.stripe.kept.reading() as state:
        return {name for name in state.objects if name.startswith("pi_")}


def test_every_order_of_all_events_comes_to_the_same(shop: Shop) -> None:
    """A purchase by bank, declined once; refunded in part, in whole, and one refund came back."""
    session, mark = shop.checkout(), shop.mark()
    live = []
    for act in (
        lambda: shop.order("decline", session=session),
        lambda: shop.order("pay", session=session),
        lambda: shop.order("refund", payment_intent=_payment(shop, session), amount=100),
        lambda: shop.order("refund", payment_intent=_payment(shop, session)),
        lambda: shop.order("fail_refund", refund=_last_refund(shop, session)),
    ):
        before = shop.mark()
        act()
        live += shop.told(before)
    at_the_end = [
        facts
        for message in shop.messages(mark)
        if (facts := shop.adapter.facts_of(message, now=shop.now))
    ]

    expected = settled(live)
    assert len(expected) == 3
    assert len(at_the_end) >= 9
    for order in permutations(at_the_end[:7]):
        assert settled(fact for facts in (*order, *at_the_end[7:]) for fact in facts) == expected
    assert settled(fact for facts in reversed(at_the_end) for fact in facts) == expected


def _payment(shop: Shop, session: str) -> Any:
    return shop.read(f"/v1/checkout/sessions/{session}")["payment_intent"]


def _last_refund(shop: Shop, session: str) -> Any:
    return shop.read(f"/v1/refunds?payment_intent={_payment(shop, session)}")["data"][0]["id"]
