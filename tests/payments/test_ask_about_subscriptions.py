"""A store that was silent about a subscription whose time is over is asked about it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config import clock
from payments.messages import inquiries
from payments.models import ChangeCause, PassPurchase, Subscription
from payments.providers.base import SubscriptionSnapshot
from payments.store import facts, pass_purchases, purchases, stripe_pages
from payments.store.facts import Telling
from tests import ledger_rules, served_stripe
from tests.factories.payments import StorePassFactory
from tests.factories.viewers import DeviceFactory
from tests.served_stripe import ServedStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[ServedStripe]:
    with served_stripe.selling(tmp_path) as stripe:
        yield stripe


@pytest.fixture
def subscription(stripe: ServedStripe) -> Subscription:
    """One that Stripe has sold, as it told of it when it was bought."""
    device = DeviceFactory()
    vip = StorePassFactory(
        provider="stripe",
        pass_product__period_months=1,
        pass_product__period_days=0,
        pass_product__is_renewing=True,
    )
    who = {"viewer_id": device.viewer_id, "environment": "production"}
    intent, _ = pass_purchases.create_intent(
        pass_id=vip.pass_product_id, provider="stripe", now=clock.read(), **who
    )
    opened = stripe_pages.open_checkout(
        intent.id, success_url="https://app.test/done", cancel_url="https://app.test/", **who
    )
    stripe.order("pay", session=opened.session_id)
    (fact,) = purchases.read(provider="stripe", handed_in=opened.session_id, now=clock.read())
    assert isinstance(fact, SubscriptionSnapshot)
    telling = Telling(ChangeCause.SUBMITTED, viewer_id=device.viewer_id)
    applied = facts.apply(fact, provider="stripe", telling=telling, now=clock.read())
    assert applied.subscription is not None
    return applied.subscription


def go_on(stripe: ServedStripe, days: int) -> datetime:
    """Time passes at the store; the moment that it is there."""
    stripe.http.post("/_clock", json={"advance_seconds": days * 86_400})
    return stripe.peer.clock()


def test_a_renewal_that_nobody_told_of_is_found(
    stripe: ServedStripe, subscription: Subscription
) -> None:
    later = go_on(stripe, days=40)

    assert inquiries.due(now=later) == [subscription.id]
    assert inquiries.ask(subscription.id, now=later)

    subscription.refresh_from_db()
    assert subscription.state == "active"
    assert subscription.access_until is not None
    assert subscription.access_until > later
    assert PassPurchase.objects.filter(subscription=subscription).count() == 2
    assert inquiries.due(now=later) == []
    assert ledger_rules.broken() == []


def test_one_that_runs_is_not_asked_about(subscription: Subscription) -> None:
    assert inquiries.due(now=clock.read()) == []


def test_a_store_out_of_reach_is_asked_again_after_a_while(
    stripe: ServedStripe, subscription: Subscription
) -> None:
    later = go_on(stripe, days=40)
    stripe.http.put("/_faults", json={"rules": [{"kind": "status", "status": 503}]})

    assert not inquiries.ask(subscription.id, now=later)

    assert inquiries.due(now=later + timedelta(hours=5)) == []
    assert inquiries.due(now=later + timedelta(hours=6)) == [subscription.id]
    assert Subscription.objects.get().state == "active"
