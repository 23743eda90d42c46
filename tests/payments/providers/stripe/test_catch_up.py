"""What no webhook brought is found in Stripe's history, and fees in its balance, to the unit."""

from datetime import timedelta

import pytest

from payments.providers.base import Fault
from payments.providers.stripe import api
from payments.providers.stripe.api import EVENTS_PER_PAGE
from tests.payments.providers.stripe.shop import Shop, fault_of


def test_finds_every_event_of_a_time(other: Shop) -> None:
    since = other.now - timedelta(seconds=1)
    for _ in range(EVENTS_PER_PAGE // 2):
        other.bought()
    until = other.now + timedelta(seconds=1)
    came = {
        message.body
        for message in other.messages(
            0, "payment_intent.created", "payment_intent.succeeded", "checkout.session.completed"
        )
    }

    missed = list(other.adapter.missed(environment="sandbox", since=since, until=until))

    assert len(missed) == len(came) > EVENTS_PER_PAGE
    ids = [other.adapter.read_message(one, now=until).event_id for one in missed]
    assert len(set(ids)) == len(ids)
    assert {one.body for one in missed} == came
    assert (
        list(
            other.adapter.missed(
                environment="sandbox", since=until, until=until + timedelta(days=1)
            )
        )
        == []
    )


def test_reads_of_the_history_what_a_webhook_would_have_said(other: Shop) -> None:
    other.bought()
    since, until = other.now - timedelta(minutes=5), other.now + timedelta(minutes=5)
    by_webhook = set(other.told(0))

    later = other.now + timedelta(days=20)
    missed = list(other.adapter.missed(environment="sandbox", since=since, until=until))
    assert all(other.adapter.read_message(one, now=later).is_known for one in missed)
    told = {fact for one in missed for fact in other.adapter.facts_of(one, now=later)}

    assert told == by_webhook != set()


def test_passes_over_what_is_about_no_sale_and_takes_what_is_new_of_those_that_are(
    other: Shop,
) -> None:
    with other.stripe.changing() as account:
        for type_ in ("payout.paid", "charge.updated", "invoice_payment.paid", "refund.another"):
            account.tell(type_, {"id": "po_1", "object": "payout"})

    missed = other.adapter.missed(
        environment="sandbox",
        since=other.now - timedelta(minutes=5),
        until=other.now + timedelta(minutes=5),
    )

    told = [other.adapter.read_message(one, now=other.now) for one in missed]
    assert [(one.type, one.is_known) for one in told] == [("refund.another", False)]


def test_waits_when_the_history_cannot_be_read(other: Shop) -> None:
    other.bought()
    other.fails({"kind": "truncated", "matching": "/v1/events"})

    assert (
        fault_of(
            lambda: list(
                other.adapter.missed(environment="sandbox", since=other.now, until=other.now)
            )
        )
        is Fault.UNAVAILABLE
    )


def test_settles_every_payment_with_its_fee(other: Shop) -> None:
    coins = other.bought()
    subscription = other.subscribed()
    invoice = other.read(f"/v1/subscriptions/{subscription}")["latest_invoice"]
    other.order("refund", payment_intent=coins, amount=100)
    other.order("dispute", payment_intent=coins, amount=200)
    lines = list(
        other.adapter.settlements(
            since=other.now - timedelta(minutes=5), until=other.now + timedelta(minutes=5)
        )
    )

    assert [
        (line.kind, line.transaction_id, line.amount_micros, line.fee_micros, line.net_micros)
        for line in lines
    ] == [
        ("adjustment", coins, -2_000_000, 15_000_000, -17_000_000),
        ("refund", coins, -1_000_000, 0, -1_000_000),
        ("charge", invoice, 19_990_000, 880_000, 19_110_000),
        ("charge", coins, 4_990_000, 440_000, 4_550_000),
    ]
    assert {line.currency for line in lines} == {"USD"}
    assert all(line.available_at == line.occurred_at + timedelta(days=2) for line in lines)


def test_trusts_no_line_that_does_not_add_up(other: Shop) -> None:
    other.bought()
    with other.stripe.changing() as account:
        account.every("balance_transaction")[0]["net"] += 1

    assert (
        fault_of(
            lambda: list(
                other.adapter.settlements(
                    since=other.now - timedelta(minutes=5), until=other.now + timedelta(minutes=5)
                )
            )
        )
        is Fault.UNAVAILABLE
    )


def test_names_no_payment_for_a_line_that_is_of_none(other: Shop) -> None:
    other.bought()
    with other.stripe.changing() as account:
        line = account.every("balance_transaction")[0]
        line.update(type="payout", source=None)

    lines = other.adapter.settlements(
        since=other.now - timedelta(minutes=5), until=other.now + timedelta(minutes=5)
    )
    assert [(line.kind, line.transaction_id) for line in lines] == [("payout", "")]


def test_reads_lists_page_by_page(other: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LINES_PER_PAGE", 2)
    payment_id = other.bought()
    mark = other.mark()
    for _ in range(4):
        other.order("refund", payment_intent=payment_id, amount=10)

    assert len(set(other.told(mark, "charge.refunded"))) == 4
    lines = list(
        other.adapter.settlements(
            since=other.now - timedelta(minutes=5), until=other.now + timedelta(minutes=5)
        )
    )
    assert len({line.settlement_id for line in lines}) == 5
    monkeypatch.setattr(api, "MAXIMUM_PAGES", 1)
    assert fault_of(lambda: other.told(mark, "charge.refunded")) is Fault.UNAVAILABLE
