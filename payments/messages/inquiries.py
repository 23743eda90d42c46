"""Subscriptions whose time is over by what was last told: their stores are asked how they are.

A store that keeps no history of its messages tells of what was lost in no other way.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from payments.messages import inbox
from payments.models import Subscription, SubscriptionInquiry, SubscriptionState
from payments.providers.base import Fault, ProviderError
from payments.store import purchases

logger = logging.getLogger(__name__)

#: A store's message of a renewal comes within minutes of it.
PATIENCE = timedelta(minutes=15)
EVERY = timedelta(hours=6)
AT_ONCE = 100
OPEN = (SubscriptionState.ACTIVE, SubscriptionState.CANCELLED, SubscriptionState.GRACE)


def due(*, now: datetime, limit: int = AT_ONCE) -> Sequence[UUID]:
    """Subscriptions that ran, are over since a while, and were not asked about lately."""
    found = Subscription.objects.filter(
        Q(inquiry=None) | Q(inquiry__asked_at__lte=now - EVERY),
        provider__in=purchases.adapters(),
        state__in=OPEN,
        access_until__lte=now - PATIENCE,
    )
    return list(found.order_by("access_until").values_list("id", flat=True)[:limit])


def ask(subscription_id: UUID, *, now: datetime) -> bool:
    """Asks a subscription's store and keeps what it says; whether it said anything. Called outside of any
    transaction."""
    subscription = Subscription.objects.get(id=subscription_id)
    SubscriptionInquiry.objects.update_or_create(
        subscription=subscription, defaults={"asked_at": now}
    )
    try:
        found = purchases.adapter(subscription.provider).subscription(
            environment=subscription.environment,
            subscription_id=subscription.subscription_id,
            now=now,
        )
    except ProviderError as error:
        if error.fault is not Fault.GONE:
            logger.warning("%s cannot be asked about: %s", subscription, error.reason)
        return False
    inbox.apply_polled(found, provider=subscription.provider, now=now)
    return bool(found)
