"""Access tokens are believed without a read, so one may outlive its viewer."""

from datetime import datetime

import pytest
from django.test import Client

from catalog.models import Series
from payments.models import Cover
from payments.prices import quotes
from payments.prices.pricing import Price, version_in_force
from tests.factories.payments import (
    StorePassFactory,
    StoreProductFactory,
    default_plan,
    signed_sale,
)
from tests.factories.viewers import viewer_headers
from tests.payments.calls import submit, unlock
from viewers.models import Device, Viewer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stranger() -> Device:
    """A device whose viewer is in no table."""
    return Device(viewer=Viewer(environment="production"))


def test_a_purchase_is_refused_and_credits_nobody(
    client: Client, stranger: Device, now: datetime
) -> None:
    product = StoreProductFactory()
    signed = signed_sale(product, viewer_id=stranger.viewer_id, now=now)

    response = submit(client, viewer_headers(stranger, now=now), signed)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


def test_a_pass_is_refused_and_covers_nobody(
    client: Client, stranger: Device, now: datetime
) -> None:
    signed = signed_sale(StorePassFactory(), viewer_id=stranger.viewer_id, now=now)

    response = submit(client, viewer_headers(stranger, now=now), signed)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert not Cover.objects.exists()


def test_an_unlock_under_a_key_is_refused(
    client: Client, stranger: Device, series: Series, now: datetime
) -> None:
    default_plan()
    quote = quotes.make(
        viewer_id=stranger.viewer_id,
        environment="production",
        series_id=series.id,
        numbering=series.numbering,
        price=Price(version_in_force(series_id=series.id, at=now).id),
        now=now,
    ).token()
    headers = viewer_headers(stranger, now=now) | {"Idempotency-Key": "k"}

    response = unlock(client, series.episodes.get(number=9).id, headers, quote=quote)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("what", ["pack_id", "pass_id"])
def test_an_intent_is_refused(client: Client, stranger: Device, now: datetime, what: str) -> None:
    ids = {
        "pack_id": StoreProductFactory().pack_id,
        "pass_id": StorePassFactory().pass_product_id,
    }
    body = {what: str(ids[what]), "provider": "fake"}

    response = client.post(
        "/v1/purchases/intents",
        body,
        "application/json",
        headers=viewer_headers(stranger, now=now),
    )

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
