"""Stripe's portal shows its buyer's invoices and card: it opens for whoever has bought, and for nobody else."""

from pathlib import Path

import pytest

from config import clock
from payments.models import Subscription
from payments.store import pass_purchases, purchases, stripe_pages, subscriptions
from payments.store.stripe_pages import NotItsBuyer
from tests import served_stripe
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import plan, tell
from viewers.models import Device


def test_it_opens_for_its_buyer_and_not_for_whoever_has_the_subscription_since(
    tmp_path: Path, device: Device
) -> None:
    who = {"viewer_id": device.viewer_id, "environment": "production"}
    product, heir = plan(provider="stripe"), DeviceFactory().viewer_id
    with served_stripe.selling(tmp_path) as stripe:
        now = clock.read()
        intent, _ = pass_purchases.create_intent(
            pass_id=product.pass_product_id, provider="stripe", now=now, **who
        )
        opened = stripe_pages.open_checkout(
            intent.id, success_url="https://app.test/", cancel_url="https://app.test/", **who
        )
        stripe.order("pay", session=opened.session_id)
        found = purchases.read(provider="stripe", handed_in=opened.session_id, now=clock.read())
        tell(*found, now=clock.read(), provider="stripe")
        bought = Subscription.objects.get()
        asked = {"return_url": "https://app.test/", "now": now}

        assert stripe_pages.open_portal(bought.id, viewer_id=device.viewer_id, **asked)
        subscriptions.transfer(bought, viewer_id=heir, operator_id=None, now=clock.read())
        with pytest.raises(NotItsBuyer):
            stripe_pages.open_portal(bought.id, viewer_id=heir, **asked)
