"""What went back is told of by the unit or by the order, the same whoever tells it, and once."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.providers.base import (
    Facts,
    Fault,
    Known,
    Payment,
    ProviderError,
    RefundOrigin,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.google import api
from tests.payments.providers.google import play
from tests.payments.providers.google.play import (
    NOW,
    TOKEN,
    Play,
    data,
    line,
    money,
    order_line,
    period,
    push,
)

ORDER = "GPA.1111-2222-3333-44444"
SUBSCRIBED = "GPA.5555-6666-7777-88888"
TOLD_AT = NOW - timedelta(minutes=1)
VOIDED_AT = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
REFUND_EVENT = {"eventTime": "2026-11-28T09:00:00Z", "refundReason": "OTHER"}


def notified(google: Play, *, kind: int = 2, refund: int = 1, order_id: str = ORDER) -> Facts:
    notification = {
        "purchaseToken": TOKEN,
        "orderId": order_id,
        "productType": kind,
        "refundType": refund,
    }
    return google.adapter.facts_of(push(data(voidedPurchaseNotification=notification)), now=NOW)


def listed(google: Play) -> list[Facts]:
    return list(google.adapter.voided(since=NOW - timedelta(days=2), until=NOW, now=NOW))


def entry(order_id: str = ORDER, token: str = TOKEN, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "androidpublisher#voidedPurchase",
        "purchaseToken": token,
        "orderId": order_id,
        "purchaseTimeMillis": "1764316800000",
        "voidedTimeMillis": str(int(VOIDED_AT.timestamp() * 1000)),
        "voidedSource": 0,
        "voidedReason": 1,
        **changes,
    }


def has_voided(google: Play, *entries: dict[str, Any]) -> None:
    google.answers["purchases/voidedpurchases"] = {"voidedPurchases": list(entries)}


def refunds(facts: Facts) -> Sequence[StoreRefund]:
    return [fact for fact in facts if isinstance(fact, StoreRefund)]


def whole(**changes: Any) -> StoreRefund:
    given = {"environment": "production", "transaction_id": TOKEN, "refunded_at": TOLD_AT}
    return StoreRefund(**(given | changes))


def test_a_whole_refund_is_of_the_whole_transaction() -> None:
    google = Play()
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order(orderHistory={"refundEvent": REFUND_EVENT})

    transaction, refund = notified(google)
    assert isinstance(transaction, StoreTransaction)
    assert refund == whole(refunded_at=datetime(2026, 11, 28, 9, 0, tzinfo=UTC))


def test_a_refund_that_takes_nothing_away_is_one_too() -> None:
    """The purchase still says PURCHASED; the message, or the order, knows."""
    google = Play()
    google.has_product()
    google.has_order()
    assert refunds(notified(google)) == [whole()]

    google.has_order(state="REFUNDED", orderHistory={"refundEvent": REFUND_EVENT})
    handed_in = {"product_id": "coins_500", "purchase_token": TOKEN, "is_subscription": False}
    facts = google.adapter.submitted(json.dumps(handed_in), now=NOW)
    assert [refund.refund_id for refund in refunds(facts)] == ["all"]


def test_the_list_tells_the_same_and_why() -> None:
    google = Play()
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order(orderHistory={"refundEvent": REFUND_EVENT})
    has_voided(google, entry())

    (facts,) = listed(google)
    (by_list,), (by_message,) = refunds(facts), refunds(notified(google))
    assert by_list.reason == "remorse"
    assert (by_list.transaction_id, by_list.refund_id, by_list.refunded_at) == (
        by_message.transaction_id,
        by_message.refund_id,
        by_message.refunded_at,
    )


@pytest.mark.parametrize(
    ("reason", "told", "origin"),
    [
        (0, "other", RefundOrigin.STORE),
        (5, "fraud", RefundOrigin.STORE),
        (7, "chargeback", RefundOrigin.CHARGEBACK),
        (8, "unacknowledged_purchase", RefundOrigin.STORE),
        (99, "99", RefundOrigin.STORE),
    ],
)
def test_a_banks_refund_is_told_apart(reason: int, told: str, origin: RefundOrigin) -> None:
    google = Play()
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order()
    has_voided(google, entry(voidedReason=reason))

    ((refund,),) = [refunds(facts) for facts in listed(google)]
    assert (refund.reason, refund.origin, refund.refunded_at) == (told, origin, VOIDED_AT)


def test_an_order_says_that_a_bank_took_it_back() -> None:
    google = Play()
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order(orderHistory={"refundEvent": {**REFUND_EVENT, "refundReason": "CHARGEBACK"}})

    (refund,) = refunds(notified(google))
    assert (refund.origin, refund.reason) == (RefundOrigin.CHARGEBACK, "chargeback")


@pytest.mark.parametrize("quantity", [2, 3, 7])
def test_units_add_up_to_what_was_paid_however_they_went_back(quantity: int) -> None:
    paid = 10_000_001
    told: dict[str, StoreRefund] = {}
    for refunded in range(1, quantity + 1):
        google = Play()
        google.has_product(
            productLineItem=[line(quantity=quantity, refundableQuantity=quantity - refunded)]
        )
        google.has_order(lineItems=[order_line(total=money("10", 1000))])
        found = refunds(notified(google, refund=2))
        assert len(found) == refunded
        for refund in found:
            assert told.setdefault(refund.refund_id, refund) == refund

    google.has_product(
        purchaseStateContext={"purchaseState": "CANCELLED"},
        productLineItem=[line(quantity=quantity)],
    )
    assert list(told.values()) == refunds(notified(google))
    assert list(told) == [f"unit-{unit}" for unit in range(1, quantity + 1)]
    amounts = [refund.amount_micros or 0 for refund in told.values()]
    assert sum(amounts) == paid
    assert max(amounts) - min(amounts) <= 1


def test_units_without_a_price_are_shares_of_the_whole() -> None:
    google = Play()
    google.has_product(productLineItem=[line(quantity=3, refundableQuantity=0)])

    found = refunds(notified(google, refund=2))
    assert [refund.share_parts_per_million for refund in found] == [333_333, 333_333, 333_334]
    assert {refund.amount_micros for refund in found} == {None}


def test_a_part_that_does_not_show_yet_is_waited_for() -> None:
    google = Play()
    google.has_product(productLineItem=[line(quantity=3, refundableQuantity=3)])

    with pytest.raises(ProviderError) as waiting:
        notified(google, refund=2)
    assert waiting.value.fault is Fault.UNAVAILABLE


def test_a_purchase_that_is_gone_went_back_all_the_same() -> None:
    google = Play()
    assert notified(google) == (whole(),)
    with pytest.raises(ProviderError):
        notified(google, refund=2)


def test_what_went_back_was_paid_though_google_says_no_more_when() -> None:
    google = Play()
    google.has_product(
        purchaseStateContext={"purchaseState": "CANCELLED"}, purchaseCompletionTime=None
    )
    transaction, refund = notified(google)
    assert isinstance(transaction, StoreTransaction)
    assert (transaction.payment, refund) == (Payment.PAID, whole())


def has_subscription(google: Play, **history: Any) -> None:
    google.has_subscription("EXPIRED")
    google.has_order(
        orderId=SUBSCRIBED,
        lineItems=[order_line("vip", total=money("18"), **period())],
        orderHistory=history,
    )


def test_a_subscriptions_refund_is_of_its_order() -> None:
    google = Play()
    has_subscription(google, refundEvent=REFUND_EVENT)

    refund, snapshot = notified(google, kind=1, order_id=SUBSCRIBED)
    assert refund == whole(
        transaction_id=SUBSCRIBED, refunded_at=datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
    )
    assert isinstance(snapshot, SubscriptionSnapshot)


def test_an_earlier_period_is_refunded_for_itself() -> None:
    """The subscription goes on, and its last period stays paid."""
    google = Play()
    has_subscription(google, refundEvent=REFUND_EVENT)
    google.has_subscription(
        lineItems=[play.subscription_line(latestSuccessfulOrderId=f"{SUBSCRIBED}..3")]
    )
    google.has_order(
        orderId=f"{SUBSCRIBED}..3", lineItems=[order_line("vip", total=money("18"), **period())]
    )
    refund, snapshot = notified(google, kind=1, order_id=SUBSCRIBED)

    assert isinstance(refund, StoreRefund)
    assert isinstance(snapshot, SubscriptionSnapshot)
    assert refund.transaction_id == SUBSCRIBED
    assert snapshot.period is not None
    assert snapshot.period.transaction_id == f"{SUBSCRIBED}..3"


def test_a_prorated_refund_is_what_the_order_says() -> None:
    google = Play()
    part = {
        "createTime": "2026-11-28T09:00:00Z",
        "processTime": "2026-11-28T09:01:00Z",
        "state": "PROCESSED_SUCCESSFULLY",
        "refundDetails": {"total": money("7", 500_000_000)},
    }
    has_subscription(google, partialRefundEvents=[part, {**part, "state": "PENDING"}])

    (refund,) = refunds(notified(google, kind=1, order_id=SUBSCRIBED))
    assert refund == whole(
        transaction_id=SUBSCRIBED,
        refund_id="part-1795856400000000",
        refunded_at=datetime(2026, 11, 28, 9, 1, tzinfo=UTC),
        amount_micros=7_500_000,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"orderHistory": {"partialRefundEvents": [{"state": "PENDING"}]}},
        {"orderHistory": {"partialRefundEvents": [{"state": "SOMETHING_NEW"}]}},
        {"state": "PARTIALLY_REFUNDED"},
    ],
    ids=["pending", "unknown", "not shown"],
)
def test_a_part_that_has_not_arrived_takes_nothing(changes: dict[str, Any]) -> None:
    google = Play()
    has_subscription(google)
    google.has_order(
        orderId=SUBSCRIBED,
        lineItems=[order_line("vip", total=money("18"), **period())],
        **changes,
    )
    with pytest.raises(ProviderError) as unreadable:
        notified(google, kind=1, order_id=SUBSCRIBED)
    assert unreadable.value.fault is Fault.UNAVAILABLE

    known = Known(
        environment="production",
        transaction_id=SUBSCRIBED,
        purchased_at=NOW,
        subscription_id=TOKEN,
    )
    assert refunds(google.adapter.looked_up(known, now=NOW)) == []


@pytest.mark.parametrize(
    "part",
    [
        {"state": "PROCESSED_SUCCESSFULLY"},
        {"state": "PROCESSED_SUCCESSFULLY", "createTime": "2026-11-28T09:00:00Z"},
    ],
)
def test_a_part_without_an_amount_is_no_verdict(part: dict[str, Any]) -> None:
    google = Play()
    has_subscription(google, partialRefundEvents=[part])
    with pytest.raises(ProviderError) as unreadable:
        notified(google, kind=1, order_id=SUBSCRIBED)
    assert unreadable.value.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(("amount", "name"), [("5", "sport"), ("18", "vip"), ("1", "vip")])
def test_a_part_is_of_the_line_that_cost_as_much(amount: str, name: str) -> None:
    google = Play()
    part = {
        "createTime": "2026-11-28T09:00:00Z",
        "state": "PROCESSED_SUCCESSFULLY",
        "refundDetails": {"total": money(amount)},
    }
    google.has_order(
        orderId=SUBSCRIBED,
        lineItems=[
            order_line("vip", total=money("18"), **period()),
            order_line("sport", total=money("5"), **period()),
        ],
        orderHistory={"partialRefundEvents": [part]},
    )
    (refund,) = notified(google, kind=1, order_id=SUBSCRIBED)
    assert isinstance(refund, StoreRefund)
    assert refund.transaction_id == f"{SUBSCRIBED}#{name}"


def test_a_subscription_whose_order_is_gone_went_back_all_the_same() -> None:
    assert notified(Play(), kind=1, order_id=SUBSCRIBED) == (whole(transaction_id=SUBSCRIBED),)


def test_the_list_does_not_say_of_what_and_the_order_does() -> None:
    google = Play()
    has_subscription(google, refundEvent=REFUND_EVENT)
    google.has_product(token="coins-token", purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order()
    unknown = entry("GPA.3", "third-token")
    has_voided(google, entry(SUBSCRIBED), entry(token="coins-token"), unknown)

    names = [[refund.transaction_id for refund in refunds(facts)] for facts in listed(google)]
    assert names == [[SUBSCRIBED], ["coins-token"], ["GPA.3"]]


def test_the_list_is_read_page_by_page_and_each_order_once() -> None:
    google = Play()
    google.has_order()
    google.has_product(productLineItem=[line(quantity=3, refundableQuantity=1)])
    pages = {
        "": {
            "voidedPurchases": [entry(voidedQuantity=1)],
            "tokenPagination": {"nextPageToken": "second"},
        },
        "second": {"voidedPurchases": [entry(voidedQuantity=1)]},
    }
    asked = []

    def answer(request: Any) -> Any:
        asked.append(dict(request.url.params))
        return play.httpx.Response(200, json=pages[request.url.params.get("token", "")])

    google.answers["purchases/voidedpurchases"] = answer
    (facts,) = listed(google)

    assert [refund.refund_id for refund in refunds(facts)] == ["unit-1", "unit-2"]
    expected = {
        "type": "1",
        "includeQuantityBasedPartialRefund": "true",
        "maxResults": "1000",
        "startTime": str(int((NOW - timedelta(days=2)).timestamp() * 1000)),
    }
    assert asked == [expected, {**expected, "token": "second"}]


def test_the_end_of_a_window_is_never_ahead_of_now() -> None:
    google = Play()
    has_voided(google)
    for until in (NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        list(google.adapter.voided(since=NOW - timedelta(days=1), until=until, now=NOW))

    ends = [request.url.params.get("endTime") for request in google.asked]
    assert ends == [str(int((NOW - timedelta(hours=1)).timestamp() * 1000)), None]


def test_what_happened_is_polled_up_to_now_and_no_more_than_30_days_back() -> None:
    google = Play()
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order()
    has_voided(google, entry())

    (facts,) = google.adapter.polled(
        environment="production", since=NOW - timedelta(days=365), until=NOW
    )
    assert [refund.transaction_id for refund in refunds(facts)] == [TOKEN]
    asked = google.asked[0].url.params
    earliest = NOW - timedelta(days=30) + timedelta(minutes=10)
    assert asked["startTime"] == str(int(earliest.timestamp() * 1000))
    assert "endTime" not in asked


def test_pages_without_end_are_an_end() -> None:
    google = Play()
    google.answers["purchases/voidedpurchases"] = {"tokenPagination": {"nextPageToken": "again"}}
    with pytest.raises(ProviderError) as endless:
        listed(google)
    assert endless.value.fault is Fault.UNAVAILABLE
    assert len(google.asked) == 2


def test_no_more_pages_are_read_than_anybody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAXIMUM_PAGES", 3)
    google = Play()

    def answer(_: Any) -> Any:
        page = {"nextPageToken": str(len(google.asked))}
        return play.httpx.Response(200, json={"tokenPagination": page})

    google.answers["purchases/voidedpurchases"] = answer
    with pytest.raises(ProviderError):
        listed(google)
    assert len(google.asked) == 3


def test_an_order_without_lines_is_refunded_as_a_whole() -> None:
    google = Play()
    google.has_order(orderId=SUBSCRIBED, lineItems=[])
    (refund,) = notified(google, kind=1, order_id=SUBSCRIBED)
    assert isinstance(refund, StoreRefund)
    assert refund.transaction_id == SUBSCRIBED


def test_one_that_cannot_be_read_back_holds_up_no_other() -> None:
    google = Play()
    google.answers["purchases/productsv2/tokens/bad-token"] = play.refusal(500)
    google.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    google.has_order()
    has_voided(google, entry(token="bad-token"), entry())

    told = google.adapter.voided(since=NOW - timedelta(days=2), until=NOW, now=NOW)
    assert [refund.transaction_id for refund in refunds(next(told))] == [TOKEN]
    with pytest.raises(ProviderError) as failed:
        next(told)
    assert failed.value.fault is Fault.UNAVAILABLE
