"""Stripe over HTTP, whose webhooks were lost: its balance brings what it took and gave back, and its fees."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import clock
from payments.models import (
    Difference,
    FeeAdjustment,
    Lot,
    PassPurchase,
    Purchase,
    Reconciliation,
    Refund,
    StoreProduct,
)
from payments.providers.stripe.api import API_VERSION
from payments.reconciliation import runs
from payments.store import pass_purchases, purchases, stripe_pages
from tests import served_stripe
from tests.factories.payments import StorePassFactory, StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.served_stripe import ServedStripe

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@dataclass
class Buyer:
    """Somebody who pays in Stripe's pages."""

    stripe: ServedStripe
    viewer_id: Any

    def pays(self, product: StoreProduct) -> Any:
        """Whatever Stripe's side answers."""
        who = {"viewer_id": self.viewer_id, "environment": "production"}
        told = {"provider": "stripe", "now": clock.read()}
        if product.pack_id:
            intent: Any = purchases.create_intent(pack_id=product.pack_id, **who, **told)[0]
        else:
            intent = pass_purchases.create_intent(pass_id=product.pass_product_id, **who, **told)[0]
        opened = stripe_pages.open_checkout(
            intent.id, success_url="https://app.test/done", cancel_url="https://app.test/", **who
        )
        return self.stripe.order("pay", session=opened.session_id)


@pytest.fixture
def buyer(tmp_path: Path) -> Iterator[Buyer]:
    with served_stripe.selling(tmp_path) as stripe:
        yield Buyer(stripe, DeviceFactory().viewer_id)


@pytest.fixture
def coins(db: None) -> StoreProduct:
    return StoreProductFactory(provider="stripe")


def compared(buyer: Buyer) -> Reconciliation:
    """Days later, by both clocks."""
    later = clock.read() + 2 * DAY
    buyer.stripe.http.post("/_clock", json={"advance_seconds": 2 * 86_400})
    return run(later)


def run(now: datetime) -> Reconciliation:
    done = runs.run("stripe", "production", now=now)
    assert (done.state, done.reason) == ("finished", "")
    return done


def found() -> set[tuple[str, str]]:
    return set(Difference.objects.values_list("cause", "state"))


def test_coins_and_a_period_that_were_never_told_of_are_booked(
    buyer: Buyer, coins: StoreProduct
) -> None:
    payment = buyer.pays(coins)["payment_intent"]
    vip = StorePassFactory(
        provider="stripe", pass_product__period_months=1, pass_product__is_renewing=True
    )
    subscription = buyer.pays(vip)["subscription"]

    done = compared(buyer)

    assert found() == {("missing_here", "healed")}
    assert done.healed_count == 2
    assert Purchase.objects.get().transaction_id == payment
    period = PassPurchase.objects.get()
    assert period.subscription is not None
    assert period.subscription.subscription_id == subscription
    assert Lot.objects.get().remaining_coins == 500
    # Nothing was estimated without terms: all of Stripe's fees are beyond the estimates.
    assert set(FeeAdjustment.objects.values_list("settled_micros", flat=True)) == {440_000, 880_000}
    assert run(clock.read() + 2 * DAY + timedelta(hours=1)).found_counts == {}


def test_a_refund_in_the_dashboard_that_was_never_told_of_is_booked(
    buyer: Buyer, coins: StoreProduct
) -> None:
    payment = buyer.pays(coins)["payment_intent"]
    compared(buyer)
    refund = buyer.stripe.order("refund", payment_intent=payment, amount=100)["id"]
    buyer.stripe.http.post("/_clock", json={"advance_seconds": 2 * 86_400})

    run(clock.read() + 4 * DAY)

    assert Difference.objects.filter(
        cause="refund_missing_here", state="healed", line_id=refund
    ).exists()
    assert Refund.objects.get().booking is not None
    assert Refund.objects.get().amount_micros == 1_000_000


def test_what_else_is_sold_with_the_account_is_none_of_ours(buyer: Buyer) -> None:
    """Somebody's T-shirts, say: sold by another program with the same account."""
    shirt = "line_items[0][price_data]"
    form = {
        "mode": "payment",
        "success_url": "https://shirts.test/",
        "cancel_url": "https://shirts.test/",
        "line_items[0][quantity]": "1",
        f"{shirt}[currency]": "usd",
        f"{shirt}[unit_amount]": "2500",
        f"{shirt}[product_data][name]": "A T-shirt",
    }
    headers = {
        "Authorization": f"Bearer {buyer.stripe.keys['secret_key']}",
        "Stripe-Version": API_VERSION,
        "Idempotency-Key": "shirt",
    }
    opened = buyer.stripe.http.post("/v1/checkout/sessions", data=form, headers=headers)
    assert opened.status_code == 200, opened.text
    buyer.stripe.order("pay", session=opened.json()["id"])

    done = compared(buyer)

    assert done.listed_count == 0
    assert found() == set()
    assert not Purchase.objects.exists()
