"""Subscriptions by Stripe: where each stands, until when it is open, and what each period was paid."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from payments.providers.base import Fault, Known, PaidPeriod, State, SubscriptionSnapshot
from payments.providers.stripe import facts
from payments.providers.stripe.adapter import StripeAdapter
from payments.providers.stripe.objects import Subscription, moment
from tests.payments.providers.stripe.shop import (
    PASS,
    VIEWER,
    InProcess,
    Shop,
    fault_of,
    settled,
)

GRACE = timedelta(days=7)


def seen(shop: Shop, subscription_id: str) -> SubscriptionSnapshot:
    """The subscription as the adapter reads it now."""
    (fact,) = shop.adapter.subscription(
        environment="sandbox", subscription_id=subscription_id, now=shop.now
    )
    return fact


def to_the_end(shop: Shop, subscription_id: str) -> None:
    """Time goes on until a minute after the period that runs."""
    item = shop.read(f"/v1/subscriptions/{subscription_id}")["items"]["data"][0]
    left = moment(item["current_period_end"]) - shop.now
    shop.advance(seconds=left.total_seconds() + 60)


def test_begins_with_its_first_period_paid(shop: Shop) -> None:
    session, mark = shop.checkout(PASS), shop.mark()
    subscription_id = shop.order("pay", session=session)["subscription"]

    fact = seen(shop, subscription_id)
    item = shop.read(f"/v1/subscriptions/{subscription_id}")["items"]["data"][0]
    start, end = moment(item["current_period_start"]), moment(item["current_period_end"])
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    assert fact == SubscriptionSnapshot(
        environment="sandbox",
        subscription_id=subscription_id,
        store_product_id="vip_monthly",
        state=State.ACTIVE,
        account_token=VIEWER,
        access_until=end,
        renews_as="vip_monthly",
        as_of=fact.as_of,
        period=PaidPeriod(
            transaction_id=invoice_id,
            store_product_id="vip_monthly",
            starts_at=start,
            ends_at=end,
            price_micros=19_990_000,
            currency="USD",
            purchased_at=start,
        ),
    )
    assert timedelta(days=28) <= end - start <= timedelta(days=31)
    told = shop.told(mark)
    assert len(told) == 4
    assert settled(told).keys() == settled([fact]).keys()
    assert all(isinstance(one, SubscriptionSnapshot) for one in told)
    handed_in = shop.adapter.submitted(session, now=shop.now)
    assert settled(handed_in)[invoice_id] == fact.period


def paid_for(shop: Shop, subscription_id: str, *, since: int) -> list[SubscriptionSnapshot]:
    """What was told, since a mark, of invoices of a subscription that were paid."""
    told = shop.told(since, "invoice.paid")
    snapshots = [one for one in told if isinstance(one, SubscriptionSnapshot)]
    return [one for one in snapshots if one.subscription_id == subscription_id]


def test_is_named_by_the_price_that_it_was_sold_at(shop: Shop) -> None:
    monthly = shop.order(
        "set_price", name="VIP", unit_amount=1999, currency="usd", interval="month"
    )
    dearer = shop.order("set_price", name="VIP", unit_amount=9999, currency="usd", interval="month")
    sale = replace(PASS, price_id=monthly["id"], store_product_id=monthly["id"])
    subscription_id, mark = shop.subscribed(sale), shop.mark()
    first = seen(shop, subscription_id)

    shop.advance(days=10)
    invoice = shop.order("change", subscription=subscription_id, price=dearer["id"])

    changed = seen(shop, subscription_id)
    assert first.store_product_id == first.period.store_product_id == monthly["id"]
    assert changed.store_product_id == changed.renews_as == dearer["id"]
    assert changed.period.transaction_id == invoice["id"]
    assert changed.period.store_product_id == dearer["id"]
    assert changed.period.price_micros == invoice["amount_paid"] * 10_000 > 0
    assert changed.period.ends_at == first.period.ends_at
    assert changed.period.starts_at == first.period.starts_at + timedelta(days=10)
    # Others that this Stripe has sold renew as time goes on.
    told = paid_for(shop, subscription_id, since=mark)
    assert {one.period for one in told} == {changed.period}


def test_renews_with_a_period_under_a_name_of_its_own(shop: Shop) -> None:
    subscription_id = shop.subscribed()
    first = seen(shop, subscription_id)
    to_the_end(shop, subscription_id)

    second = seen(shop, subscription_id)
    assert second.period.transaction_id != first.period.transaction_id
    assert second.period.starts_at == first.period.ends_at == first.access_until
    assert second.access_until == second.period.ends_at
    assert second.state is State.ACTIVE


def test_says_of_a_late_event_what_was_paid_then_and_what_is_now(shop: Shop) -> None:
    mark = shop.mark()
    subscription_id = shop.subscribed()
    first = seen(shop, subscription_id)
    to_the_end(shop, subscription_id)
    second = seen(shop, subscription_id)

    earlier, now, *_ = paid_for(shop, subscription_id, since=mark)
    assert earlier.period == first.period
    assert earlier.as_of == first.period.purchased_at < now.as_of
    assert earlier.access_until == first.access_until
    assert now.period == second.period


def test_runs_to_its_end_when_it_is_cancelled(shop: Shop) -> None:
    subscription_id = shop.subscribed()
    url = shop.adapter.open_portal(
        subscription_id, return_url="https://app.test", idempotency_key=shop.key()
    )
    page = shop.http.get(url).text
    assert f"/{subscription_id}/cancel" in page
    assert shop.http.post(f"{url}/{subscription_id}/cancel").status_code == 303

    cancelled = seen(shop, subscription_id)
    assert (cancelled.state, cancelled.renews_as) == (State.CANCELLED, "")
    assert cancelled.access_until == cancelled.period.ends_at

    assert shop.http.post(f"{url}/{subscription_id}/resume").status_code == 303
    assert seen(shop, subscription_id).state is State.ACTIVE

    shop.order("cancel", subscription=subscription_id)
    to_the_end(shop, subscription_id)
    ended = seen(shop, subscription_id)
    assert (ended.state, ended.access_until, ended.renews_as) == (State.EXPIRED, None, "")
    assert ended.period == cancelled.period


def test_ends_at_once_when_an_operator_ends_it(shop: Shop) -> None:
    subscription_id, mark = shop.subscribed(), shop.mark()
    shop.order("cancel", subscription=subscription_id, at_period_end=False)

    (fact,) = shop.told(mark)
    assert (fact.state, fact.access_until) == (State.EXPIRED, None)


def test_is_open_in_grace_while_stripe_tries_to_collect(shop: Shop) -> None:
    subscription_id, mark = shop.subscribed(), shop.mark()
    paid = seen(shop, subscription_id).period
    shop.order("fail_renewals", subscription=subscription_id)
    to_the_end(shop, subscription_id)

    grace = seen(shop, subscription_id)
    assert (grace.state, grace.access_until) == (State.GRACE, paid.ends_at + GRACE)
    assert (grace.period, grace.renews_as) == (paid, "vip_monthly")
    assert {one.state for one in shop.told(mark, "invoice.payment_failed")} == {State.GRACE}

    shop.advance(days=7)
    closed = seen(shop, subscription_id)
    assert (closed.state, closed.access_until) == (State.BILLING_RETRY, None)

    shop.order("recover", subscription=subscription_id)
    recovered = seen(shop, subscription_id)
    assert recovered.state is State.ACTIVE
    assert recovered.period.starts_at == paid.ends_at


def test_ends_when_stripe_gives_up(shop: Shop) -> None:
    subscription_id = shop.subscribed()
    shop.order("fail_renewals", subscription=subscription_id)
    to_the_end(shop, subscription_id)
    shop.advance(days=16)

    assert seen(shop, subscription_id).state is State.EXPIRED


def test_has_no_grace_where_none_is_given(shop: Shop) -> None:
    subscription_id = shop.subscribed()
    shop.order("fail_renewals", subscription=subscription_id)
    to_the_end(shop, subscription_id)
    strict = StripeAdapter(
        replace(shop.settings, grace_days=0), transport=InProcess(shop.stripe.peer)
    )

    (fact,) = strict.subscription(
        environment="sandbox", subscription_id=subscription_id, now=shop.now
    )
    assert (fact.state, fact.access_until) == (State.BILLING_RETRY, None)


def test_begins_with_a_trial_that_costs_nothing(shop: Shop) -> None:
    subscription_id = shop.subscribed(replace(PASS, trial_days=7))
    trial = seen(shop, subscription_id)
    assert (trial.state, trial.period.price_micros) == (State.ACTIVE, 0)
    assert trial.period.ends_at - trial.period.starts_at == timedelta(days=7)
    assert trial.access_until == trial.period.ends_at

    to_the_end(shop, subscription_id)
    paid = seen(shop, subscription_id)
    assert (paid.period.price_micros, paid.period.starts_at) == (19_990_000, trial.period.ends_at)


@pytest.mark.parametrize("behavior", ["void", "keep_as_draft"])
def test_is_paused_after_what_was_paid(shop: Shop, behavior: str) -> None:
    subscription_id = shop.subscribed()
    shop.order("pause", subscription=subscription_id, behavior=behavior)
    paid = seen(shop, subscription_id)
    assert (paid.state, paid.access_until) == (State.CANCELLED, paid.period.ends_at)

    to_the_end(shop, subscription_id)
    paused = seen(shop, subscription_id)
    assert (paused.state, paused.access_until, paused.renews_as) == (State.PAUSED, None, "")
    assert paused.period == paid.period


def test_stays_open_when_an_operator_gives_periods_away(shop: Shop) -> None:
    subscription_id = shop.subscribed()
    paid = seen(shop, subscription_id).period
    shop.order("pause", subscription=subscription_id, behavior="mark_uncollectible")
    to_the_end(shop, subscription_id)

    free = seen(shop, subscription_id)
    assert (free.state, free.period) == (State.ACTIVE, paid)
    assert free.access_until is not None
    assert free.access_until > paid.ends_at


def test_buys_again_as_the_same_customer_and_until_a_time(shop: Shop) -> None:
    first = shop.subscribed()
    customer = shop.read(f"/v1/subscriptions/{first}")["customer"]
    until = shop.now + timedelta(hours=1)
    session = shop.checkout(PASS, customer_id=customer, expires_at=until)

    read = shop.read(f"/v1/checkout/sessions/{session}")
    assert (read["customer"], read["expires_at"]) == (customer, int(until.timestamp()))


def test_opens_the_portal_that_was_set_up(shop: Shop) -> None:
    adapter = StripeAdapter(
        replace(shop.settings, portal_configuration="bpc_ours"),
        transport=InProcess(shop.stripe.peer),
    )
    url = adapter.open_portal(
        shop.subscribed(), return_url="https://app.test", idempotency_key=shop.key()
    )

    with shop.stripe.kept.reading() as state:
        assert state.objects[url.rpartition("/")[2]]["configuration"] == "bpc_ours"


def test_knows_no_invoice_without_a_subscription(shop: Shop) -> None:
    mark = shop.mark()
    subscription_id = shop.subscribed()
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    with shop.stripe.changing() as account:
        invoice = account.find("invoice", invoice_id)
        invoice["parent"] = None
        account.tell("invoice.payment_failed", invoice)

    assert shop.told(mark, "invoice.paid", "invoice.payment_failed") == []


def test_says_only_where_it_stands_when_an_invoice_is_not_paid_any_more(shop: Shop) -> None:
    mark = shop.mark()
    subscription_id = shop.subscribed()
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    with shop.stripe.changing() as account:
        account.find("invoice", invoice_id)["status"] = "void"

    assert [one.period for one in shop.told(mark, "invoice.paid")] == [None]


AT = datetime.fromisoformat("2026-11-28T12:00:00+00:00")


@pytest.mark.parametrize(
    ("members", "state", "days"),
    [
        ({"status": "incomplete"}, State.PENDING, None),
        ({"status": "incomplete_expired"}, State.EXPIRED, None),
        ({"status": "trialing"}, State.ACTIVE, 20),
        ({"status": "active"}, State.ACTIVE, 20),
        ({"status": "active", "cancel_at_period_end": True}, State.CANCELLED, 20),
        ({"status": "active", "cancel_at": 10}, State.CANCELLED, 10),
        ({"status": "active", "cancel_at": 40}, State.ACTIVE, 20),
        ({"status": "trialing", "cancel_at_period_end": True}, State.CANCELLED, 20),
        ({"status": "unpaid"}, State.ON_HOLD, None),
        ({"status": "canceled"}, State.EXPIRED, None),
        ({"status": "paused"}, State.PAUSED, None),
        ({"status": "past_due"}, State.BILLING_RETRY, None),
        ({"status": "past_due", "began": -5}, State.GRACE, 2),
        ({"status": "one_of_tomorrow"}, State.PAUSED, None),
    ],
)
def test_reads_every_status(members: dict[str, object], state: State, days: int | None) -> None:
    """Of a subscription of which nothing is paid yet: its period began ten days ago, unless it says otherwise."""

    def after(day: object) -> int:
        return int((AT + timedelta(days=day)).timestamp())

    cancel_at = members.get("cancel_at")
    subscription = msgspec.convert(
        {
            "id": "sub_1",
            "object": "subscription",
            "livemode": False,
            "created": after(-10),
            "customer": "cus_1",
            "items": {
                "data": [
                    {
                        "price": {"id": "price_1"},
                        "current_period_start": after(members.get("began", -10)),
                        "current_period_end": after(20),
                    }
                ]
            },
        }
        | members
        | ({"cancel_at": after(cancel_at)} if cancel_at else {}),
        Subscription,
    )

    fact = facts.of_subscription(subscription, None, grace=GRACE, now=AT)

    assert (fact.state, fact.store_product_id) == (state, "price_1")
    assert fact.access_until == (None if days is None else AT + timedelta(days=days))


def test_every_order_of_all_events_comes_to_the_same(other: Shop) -> None:
    """Bought, not renewed at first, recovered, refunded for a period, and cancelled."""
    live = []
    subscription_id = other.subscribed()
    other.order("fail_renewals", subscription=subscription_id)
    for act in (
        lambda: to_the_end(other, subscription_id),
        lambda: other.order("recover", subscription=subscription_id),
        lambda: other.order("refund", invoice=seen(other, subscription_id).period.transaction_id),
        lambda: other.order("cancel", subscription=subscription_id),
    ):
        live += other.told(0)
        act()
    live += other.told(0)
    now = other.now
    at_the_end = [other.adapter.facts_of(message, now=now) for message in other.messages(0)]

    expected = settled(fact for facts in at_the_end for fact in facts)
    assert len([name for name in expected if str(name).startswith("in_")]) == 2
    assert len([name for name in expected if isinstance(name, tuple)]) == 1
    assert settled(live).keys() == expected.keys()
    orders = list(permutations(set(at_the_end)))
    assert len(orders) >= 24
    for order in orders:
        assert settled(fact for facts in order for fact in facts) == expected


def test_what_another_program_subscribes_with_the_account_stands_for_nothing(other: Shop) -> None:
    mark = other.mark()
    subscription_id = other.subscribed()
    with other.stripe.changing() as account:
        for subscription in account.every("subscription"):
            subscription["metadata"] = {"plan": "of theirs"}
        for invoice in account.every("invoice"):
            invoice["parent"]["subscription_details"]["metadata"] = {"plan": "of theirs"}
        for session in account.every("checkout.session"):
            session["metadata"] = {}
    invoice_id = other.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    payments = other.read(f"/v1/invoice_payments?invoice={invoice_id}")["data"]
    payment_id = payments[0]["payment"]["payment_intent"]
    other.order("refund", payment_intent=payment_id, amount=100)
    other.order("dispute", payment_intent=payment_id, amount=200)
    other.order("fail_renewals", subscription=subscription_id)
    to_the_end(other, subscription_id)

    types = {json.loads(message.body)["type"] for message in other.messages(mark)}
    assert types >= {
        *("checkout.session.completed", "customer.subscription.updated", "invoice.paid"),
        *("invoice.payment_failed", "refund.created", "charge.dispute.created"),
    }
    assert other.told(mark) == []
    window = {"since": other.now - timedelta(days=60), "until": other.now}
    assert not any(line.is_ours for line in other.adapter.settlements(**window))
    lines = other.adapter.listed(environment="sandbox", known=(), now=other.now, **window)
    assert list(lines) == []
    known = Known(environment="sandbox", transaction_id=invoice_id, purchased_at=other.now)
    assert fault_of(lambda: other.adapter.looked_up(known, now=other.now)) is Fault.FOREIGN
