"""The App Store is asked for all of a known buyer's transactions, and for what it has notified of."""

import json
from datetime import timedelta
from typing import Any

import httpx

from payments.providers.base import Fault, Known, Listed, ListedKind, Lists, StoreTransaction
from tests.payments.providers.apple.pieces import (
    NOW,
    STORE,
    adapter,
    milliseconds,
    notification,
    period,
    refusal,
    transaction,
)

ID = "2000000000000001"


def known(name: str = ID) -> Known:
    return Known(environment="production", transaction_id=name, purchased_at=NOW)


class Store:
    """Histories by the transaction that they are asked for, and notifications that were sent."""

    def __init__(self) -> None:
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.transactions: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []
        self.asked: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        name = path.rpartition("/")[2]
        if path == "/inApps/v1/notifications/history":
            history = [{"signedPayload": one} for one in self.sent]
            return httpx.Response(200, json={"notificationHistory": history, "hasMore": False})
        if "/v2/history/" in path and name in self.histories:
            signed = [STORE.sign(one) for one in self.histories[name]]
            return httpx.Response(200, json={"signedTransactions": signed, "hasMore": False})
        if "/v1/transactions/" in path and name in self.transactions:
            signed_one = STORE.sign(self.transactions[name])
            return httpx.Response(200, json={"signedTransactionInfo": signed_one})
        return httpx.Response(404, json={"errorCode": 4040010, "errorMessage": "not found"})

    def listed(self, *names: str) -> list[Listed]:
        made = adapter(answer=self.answer)
        return list(
            made.listed(
                environment="production",
                since=NOW - timedelta(days=1),
                until=NOW,
                known=[known(name) for name in names],
                now=NOW,
            )
        )


def told(lines: list[Listed]) -> list[tuple[str, str, int | None, str]]:
    return [(one.kind, one.transaction_id, one.amount_micros, one.currency) for one in lines]


def test_lists_all_of_a_buyer_and_asks_once_for_each() -> None:
    store = Store()
    second = transaction(transactionId="2", originalTransactionId="2", price=9990)
    store.histories = {ID: [transaction(), second], "2": [transaction(), second]}

    lines = store.listed(ID, "2")

    assert told(lines) == [("sale", ID, 4_990_000, "USD"), ("sale", "2", 9_990_000, "USD")]
    assert len([path for path in store.asked if "history/2" in path]) == 1
    assert isinstance(adapter(), Lists)


def test_a_transaction_that_its_history_lacks_is_asked_for_by_itself() -> None:
    store = Store()
    store.histories = {ID: []}
    store.transactions = {ID: transaction()}
    assert told(store.listed(ID)) == [("sale", ID, 4_990_000, "USD")]


def test_what_the_store_does_not_know_has_no_line() -> None:
    assert Store().listed(ID, "what is this") == []


def test_lists_periods_and_refunds_and_not_what_families_share() -> None:
    store = Store()
    refunded = transaction(revocationDate=milliseconds(NOW), revocationReason=0)
    shared = period(transactionId="3", inAppOwnershipType="FAMILY_SHARED")
    store.histories = {ID: [refunded, period(transactionId="2"), shared]}

    lines = store.listed(ID)

    assert [(one.kind, one.transaction_id, one.line_id) for one in lines] == [
        ("sale", ID, ID),
        ("refund", ID, "all"),
        ("sale", "2", "2"),
    ]
    assert [one.subscription_id for one in lines] == ["", "", ID]


def test_a_refund_in_part_is_of_no_known_amount() -> None:
    store = Store()
    part = transaction(
        revocationDate=milliseconds(NOW),
        revocationType="REFUND_PRORATED",
        revocationPercentage=50_000,
    )
    store.histories = {ID: [part]}
    (refund,) = (one for one in store.listed(ID) if one.kind is ListedKind.REFUND)
    assert refund.has_amount is False


def test_what_was_notified_of_is_listed_though_nobody_here_knows_the_buyer() -> None:
    store = Store()
    of = transaction(transactionId="9", originalTransactionId="9")
    message = notification("ONE_TIME_CHARGE", of=of)
    # What cannot be read is for the inbox to ring about.
    store.sent = ["no.notification.of-apples", json.loads(message.body)["signedPayload"]]
    assert told(store.listed()) == [("sale", "9", 4_990_000, "USD")]


def test_looks_a_transaction_up_by_its_name() -> None:
    store = Store()
    store.transactions = {ID: transaction()}
    made = adapter(answer=store.answer)
    (fact,) = made.looked_up(known(), now=NOW)
    assert isinstance(fact, StoreTransaction)
    assert refusal(lambda: made.looked_up(known("7"), now=NOW))[0] is Fault.GONE


def test_a_store_that_does_not_answer_is_no_verdict() -> None:
    def silent(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    listing = adapter(answer=silent).listed(
        environment="production", since=NOW, until=NOW, known=[known()], now=NOW
    )
    assert refusal(lambda: list(listing))[0] is Fault.UNAVAILABLE
