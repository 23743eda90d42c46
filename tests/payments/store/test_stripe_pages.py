"""A page to pay an intent on: the same for the same call, and never refused for what has changed since."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from config import clock
from payments.models import StoreProduct
from payments.store import purchases, stripe_pages
from tests import served_stripe
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.served_stripe import ServedStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[ServedStripe]:
    with served_stripe.selling(tmp_path) as stripe:
        yield stripe


@pytest.mark.usefixtures("stripe")
def test_an_intents_page_is_another_when_its_addresses_or_its_price_change() -> None:
    product: StoreProduct = StoreProductFactory(provider="stripe")
    viewer_id: UUID = DeviceFactory().viewer_id
    who = {"viewer_id": viewer_id, "environment": "production"}
    intent, _ = purchases.create_intent(
        pack_id=product.pack_id, provider="stripe", now=clock.read(), **who
    )

    def page(success_url: str = "https://app.test/done") -> str:
        return stripe_pages.open_checkout(
            intent.id, success_url=success_url, cancel_url="https://app.test/", **who
        ).session_id

    first = page()
    assert page() == first
    elsewhere = page("https://app.test/done/elsewhere")
    paid = stripe_pages.open_payment(intent.id, **who).payment_intent_id
    assert stripe_pages.open_payment(intent.id, **who).payment_intent_id == paid

    assert product.pack is not None
    product.pack.price_micros += 1_000_000
    product.pack.save()

    dearer = page()
    assert len({first, elsewhere, dearer}) == 3
    assert stripe_pages.open_payment(intent.id, **who).payment_intent_id != paid
