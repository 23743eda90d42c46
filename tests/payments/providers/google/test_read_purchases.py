"""What was bought once becomes a transaction of what was paid, by Google's answer and its order's."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from payments.providers.base import (
    Facts,
    Fault,
    Owed,
    Payment,
    ProviderError,
    StoreRefund,
    StoreTransaction,
)
from tests.payments.providers.google import play
from tests.payments.providers.google.play import NOW, TOKEN, Play, data, line, order_line, push

COMPLETED = datetime(2026, 11, 28, 11, 59, 0, 250_000, UTC)


def handed_in(product_id: str = "coins_500", token: str = TOKEN, *, is_sub: bool = False) -> str:
    return json.dumps(
        {"product_id": product_id, "purchase_token": token, "is_subscription": is_sub}
    )


def submitted(google: Play, **changes: Any) -> Facts:
    return google.adapter.submitted(handed_in(**changes), now=NOW)


def only(facts: Facts) -> StoreTransaction:
    (fact,) = facts
    assert isinstance(fact, StoreTransaction)
    return fact


def test_a_pack_of_coins_is_what_google_and_its_order_say() -> None:
    google = Play()
    google.has_product()
    google.has_order()

    assert submitted(google) == (
        StoreTransaction(
            environment="production",
            transaction_id=TOKEN,
            store_product_id="coins_500",
            account_token=UUID("0192f0a0-0000-7000-8000-000000000001"),
            intent_id=UUID("0192f0a0-0000-7000-8000-000000000002"),
            price_micros=4_990_000,
            currency="AUD",
            purchased_at=COMPLETED,
            quantity=1,
            payment=Payment.PAID,
            owed=Owed.CONSUME,
        ),
    )


def test_a_notification_tells_the_same() -> None:
    google = Play()
    google.has_product()
    google.has_order()
    notification = {"notificationType": 1, "purchaseToken": TOKEN, "sku": "coins_500"}
    message = push(data(oneTimeProductNotification=notification))

    assert google.adapter.facts_of(message, now=NOW) == submitted(google)


@pytest.mark.parametrize(
    ("units", "nanos", "micros"),
    [
        ("4", 990_000_000, 4_990_000),
        ("230", 0, 230_000_000),
        (None, 990_000_000, 990_000),
        ("0", 0, 0),
        ("1", 234_567_499, 1_234_567),
        ("1", 234_567_500, 1_234_568),
        ("9223372036853", 999_999_999, 9_223_372_036_854_000_000),
        (12, 5_000_000, 12_005_000),
    ],
)
def test_money_is_exact_to_the_micro(units: Any, nanos: int, micros: int) -> None:
    google = Play()
    google.has_product()
    total = {"currencyCode": "JPY", "units": units, "nanos": nanos}
    total = {name: value for name, value in total.items() if value is not None}
    google.has_order(lineItems=[order_line(total=total)])

    assert only(submitted(google)).price_micros == micros


@pytest.mark.parametrize(
    "total",
    [
        play.money("-1", 0),
        play.money("0", -1),
        play.money("0", 10**9),
        play.money("9" * 30, 0),
        play.money("1", 0, "aud"),
        play.money("1", 0, ""),
        play.money("1", 0, "AUDX"),
        play.money("1", 0, "€€€"),
        {"currencyCode": "AUD", "units": "1.5"},
    ],
    ids=repr,
)
def test_no_amount_is_guessed(total: dict[str, Any]) -> None:
    google = Play()
    google.has_product()
    google.has_order(lineItems=[order_line(total=total)])

    assert refused(google) is Fault.UNAVAILABLE


def refused(google: Play, **changes: Any) -> Fault:
    with pytest.raises(ProviderError) as error:
        submitted(google, **changes)
    return error.value.fault


@pytest.mark.parametrize("orders", [{}, {"lineItems": []}, {"lineItems": [order_line("other")]}])
def test_a_price_that_google_does_not_say_is_none(orders: dict[str, Any]) -> None:
    google = Play()
    google.has_product()
    if orders:
        google.has_order(**orders)

    transaction = only(submitted(google))
    assert (transaction.price_micros, transaction.currency) == (None, "")


def test_a_purchase_without_an_order_asks_for_none() -> None:
    google = Play()
    google.has_product(orderId=None)

    assert only(submitted(google)).price_micros is None
    assert len(google.asked) == 1


def test_an_order_out_of_reach_is_waited_for() -> None:
    google = Play()
    google.has_product()
    google.answers["orders/GPA.1111-2222-3333-44444"] = play.refusal(500)

    assert refused(google) is Fault.UNAVAILABLE


def test_another_order_than_asked_for_is_no_answer() -> None:
    google = Play()
    google.has_product(orderId="GPA.9")
    google.answers["orders/GPA.9"] = play.order()

    assert refused(google) is Fault.UNAVAILABLE


def test_a_pending_purchase_is_not_paid_yet() -> None:
    google = Play()
    google.has_product(
        purchaseStateContext={"purchaseState": "PENDING"}, purchaseCompletionTime=None, orderId=None
    )

    transaction = only(submitted(google))
    assert (transaction.payment, transaction.purchased_at) == (Payment.PENDING, NOW)
    assert transaction.owed is None


def test_a_pending_purchase_that_is_cancelled_has_failed() -> None:
    google = Play()
    google.has_product(
        purchaseStateContext={"purchaseState": "CANCELLED"},
        purchaseCompletionTime=None,
        orderId=None,
    )
    notification = {"notificationType": 2, "purchaseToken": TOKEN, "sku": "coins_500"}
    message = push(data(oneTimeProductNotification=notification))

    assert only(google.adapter.facts_of(message, now=NOW)).payment is Payment.FAILED


@pytest.mark.parametrize("is_known_by", ["completion", "order"])
def test_a_paid_purchase_that_is_cancelled_was_bought_and_went_back(is_known_by: str) -> None:
    google = Play()
    completed = "2026-11-28T11:59:00Z" if is_known_by == "completion" else None
    google.has_product(
        purchaseStateContext={"purchaseState": "CANCELLED"}, purchaseCompletionTime=completed
    )
    if is_known_by == "order":
        google.has_order()

    transaction, refund = submitted(google)
    assert isinstance(transaction, StoreTransaction)
    assert isinstance(refund, StoreRefund)
    assert (transaction.payment, transaction.owed) == (Payment.PAID, None)
    assert (refund.transaction_id, refund.refund_id) == (TOKEN, "all")
    assert refund.refunded_at == NOW


def test_what_is_consumed_owes_nothing() -> None:
    google = Play()
    consumed = line(consumptionState="CONSUMPTION_STATE_CONSUMED")
    google.has_product(productLineItem=[consumed])

    assert only(submitted(google)).owed is None


@pytest.mark.parametrize("context", [{}, {"fopType": "TEST"}])
def test_test_purchases_are_of_the_sandbox(context: dict[str, Any]) -> None:
    google = Play()
    google.has_product(testPurchaseContext=context)

    assert only(submitted(google)).environment == "sandbox"


def test_test_purchases_can_be_refused() -> None:
    google = Play(environments=frozenset({"production"}))
    google.has_product(testPurchaseContext={"fopType": "TEST"})
    assert refused(google) is Fault.OTHER_ENVIRONMENT

    google = Play(environments=frozenset({"sandbox"}))
    google.has_product()
    assert refused(google) is Fault.OTHER_ENVIRONMENT


def test_several_of_one_are_one_transaction() -> None:
    google = Play()
    google.has_product(productLineItem=[line(quantity=3, refundableQuantity=3)])
    google.has_order(lineItems=[order_line(total=play.money("14", 970_000_000))])

    transaction = only(submitted(google))
    assert (transaction.quantity, transaction.price_micros) == (3, 14_970_000)


def test_each_of_several_products_is_a_transaction_of_its_own() -> None:
    google = Play()
    google.has_product(productLineItem=[line(), line("week_pass")])
    google.has_order(lineItems=[order_line("week_pass", total=play.money("2")), order_line()])

    coins, a_pass = submitted(google, product_id="week_pass")
    assert isinstance(coins, StoreTransaction)
    assert isinstance(a_pass, StoreTransaction)
    assert (coins.transaction_id, coins.price_micros) == (f"{TOKEN}#coins_500", 4_990_000)
    assert (a_pass.transaction_id, a_pass.price_micros) == (f"{TOKEN}#week_pass", 2_000_000)


@pytest.mark.parametrize(
    "identifier", ["", "x", "{user_ctx.google_obfuscated_account_id.hex()}", "0" * 64, "é" * 32]
)
def test_an_account_that_is_not_ours_is_none(identifier: str) -> None:
    google = Play()
    google.has_product(
        obfuscatedExternalAccountId=identifier, obfuscatedExternalProfileId=identifier
    )

    transaction = only(submitted(google))
    assert (transaction.account_token, transaction.intent_id) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"productLineItem": []},
        {"productLineItem": [line(), line()]},
        {"productLineItem": [line(quantity=0)]},
        {"productLineItem": [line(quantity=-1)]},
        {"productLineItem": [line(quantity=10**9)]},
        {"productLineItem": [line(quantity=2, refundableQuantity=3)]},
        {"productLineItem": [line(quantity=2, refundableQuantity=-1)]},
        {"productLineItem": [{}]},
        {"purchaseStateContext": {"purchaseState": "SOMETHING_NEW"}},
        {"purchaseStateContext": None},
        {"purchaseCompletionTime": "yesterday"},
        {"purchaseCompletionTime": "2026-11-28T11:59:00"},
    ],
    ids=repr,
)
def test_an_answer_that_cannot_be_read_is_no_verdict(changes: dict[str, Any]) -> None:
    google = Play()
    google.has_product(**changes)

    assert refused(google) is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{}", "\ud800", "[" * 100_000, "{" * 100_000),
        json.dumps({"product_id": "coins_500", "purchase_token": TOKEN}),
        json.dumps({"product_id": 7, "purchase_token": TOKEN, "is_subscription": False}),
        json.dumps({"product_id": "a", "purchase_token": TOKEN, "is_subscription": "no"}),
        *(
            handed_in(token=token)
            for token in ("", ".", "..", "a/b", "a b", "é", "a" * 1501, "a:b")
        ),
        *(handed_in(product) for product in ("", "..", "a/b", "a?b", "é", "a" * 151)),
    ],
    ids=range(24),
)
def test_refuses_what_no_app_of_ours_hands_in(text: str) -> None:
    google = Play()
    with pytest.raises(ProviderError) as error:
        google.adapter.submitted(text, now=NOW)

    assert error.value.fault is Fault.MALFORMED
    assert google.asked == []


def test_refuses_a_token_that_bought_something_else() -> None:
    google = Play()
    google.has_product()

    assert refused(google, product_id="coins_9999") is Fault.MALFORMED


def test_a_token_that_google_does_not_know_is_gone() -> None:
    assert refused(Play()) is Fault.GONE
