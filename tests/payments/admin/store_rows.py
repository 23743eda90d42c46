"""Rows of stores, as they come about."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from payments.messages import inbox, settling
from payments.models import Arrival, StoreMessage, Subscription
from payments.providers import registry
from payments.providers.base import (
    PaidPeriod,
    RawMessage,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.fake.verifier import FakeMessage
from tests.factories.payments import StorePassFactory

DAY = timedelta(days=1)


def received(now: datetime, *, type_: str = "told", **facts: Any) -> StoreMessage:
    """A notification of the fake store, in the inbox."""
    told = FakeMessage(
        event_id=f"event-{uuid4()}",
        type=type_,
        environment="production",
        occurred_at_ms=int(now.timestamp() * 1000),
        **facts,
    )
    signed = registry.fake_store(settings).tell(told)
    return inbox.receive(
        provider="fake", raw=RawMessage({}, signed.encode()), arrived_by=Arrival.PUSHED, now=now
    ).message


def applied(now: datetime, **facts: Any) -> StoreMessage:
    """One that has taken effect."""
    message = settling.settle(received(now, **facts).id, now=now)
    assert message is not None
    assert message.state == "applied", message.reason
    return message


def sale(viewer_id: UUID, product_id: str, now: datetime, **changes: Any) -> StoreTransaction:
    made = StoreTransaction(
        environment="production",
        transaction_id=f"sold-{uuid4()}",
        store_product_id=product_id,
        account_token=viewer_id,
        price_micros=4_990_000,
        currency="USD",
        purchased_at=now,
    )
    return replace(made, **changes)


def month(viewer_id: UUID, now: datetime, *, name: str = "sub-1") -> SubscriptionSnapshot:
    """A subscription whose first month is paid."""
    product = StorePassFactory(pass_product__period_months=1, pass_product__is_renewing=True)
    return SubscriptionSnapshot(
        environment="production",
        subscription_id=name,
        store_product_id=product.store_product_id,
        state=State.ACTIVE,
        account_token=viewer_id,
        access_until=now + 30 * DAY,
        renews_as=product.store_product_id,
        as_of=now,
        period=PaidPeriod(
            transaction_id=f"{name}-1",
            store_product_id=product.store_product_id,
            starts_at=now,
            ends_at=now + 30 * DAY,
            price_micros=19_990_000,
            currency="USD",
            purchased_at=now,
        ),
    )


def subscribed(viewer_id: UUID, now: datetime, *, name: str = "sub-1") -> Subscription:
    applied(now, subscriptions=(month(viewer_id, now, name=name),))
    return Subscription.objects.get(subscription_id=name)


def refund(name: str, now: datetime) -> StoreRefund:
    return StoreRefund(environment="production", transaction_id=name, refunded_at=now)
