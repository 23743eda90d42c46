"""Subscriptions whose time is over by what was last told: their stores are asked how they are.

A store that keeps no history of its messages tells of what was lost in no other way.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q

from payments.messages import gaps, outages, settling
from payments.messages.outages import Line
from payments.models import Subscription, SubscriptionInquiry, SubscriptionState
from payments.providers.base import Fault, ProviderError
from payments.store import purchases

logger = logging.getLogger(__name__)

#: A store's message of a renewal comes within minutes of it.
PATIENCE = timedelta(minutes=15)
#: What is closed and may be paid again: the store tells of that, and loses such a message seldom.
CLOSED_PATIENCE = timedelta(hours=6)
EVERY = timedelta(hours=6)
#: After a day, each day is soon enough.
LONG_EVERY = timedelta(days=1)
#: No store tries to be paid for longer.
ASKED_FOR = timedelta(days=60)
AT_ONCE = 100
OPEN = (SubscriptionState.ACTIVE, SubscriptionState.CANCELLED, SubscriptionState.GRACE)
CLOSED = (
    SubscriptionState.PENDING,
    SubscriptionState.BILLING_RETRY,
    SubscriptionState.ON_HOLD,
    SubscriptionState.PAUSED,
)


def due(*, now: datetime, limit: int = AT_ONCE, provider: str | None = None) -> Sequence[UUID]:
    """Subscriptions that ran, are over since a while, and were not asked about lately; and those that are closed
    until they are paid, or the viewer goes on. Of all stores or one, what was asked about longest ago first."""
    names = purchases.adapters() if provider is None else [provider]
    # What was told of since is another case, and asked about anew.
    is_another = ~Q(inquiry__state=F("state")) | Q(access_until__gt=F("inquiry__access_until"))
    found = Subscription.objects.filter(
        Q(inquiry=None)
        | Q(inquiry__next_at__lte=now)
        | Q(is_another, inquiry__asked_at__lte=now - EVERY),
        provider__in=names,
    ).order_by(F("inquiry__asked_at").asc(nulls_first=True), "access_until", "id")
    is_over = found.filter(state__in=OPEN, access_until__lte=now - PATIENCE)
    is_closed = found.filter(state__in=CLOSED, as_of__lte=now - CLOSED_PATIENCE)
    ids = [*is_over.values_list("id", flat=True)[:limit]]
    return [*ids, *is_closed.values_list("id", flat=True)[: limit - len(ids)]]


def ask(subscription_id: UUID, *, now: datetime) -> bool:
    """Asks a subscription's store and keeps what it says; whether it said anything. Called outside of any
    transaction. What the store knows no more is asked about no more, until something is told of it."""
    subscription = Subscription.objects.get(id=subscription_id)
    inquiry = _begin(subscription, now)
    try:
        with outages.noted(Line.SUBSCRIPTIONS, subscription.provider):
            found = purchases.adapter(subscription.provider).subscription(
                environment=subscription.environment,
                subscription_id=subscription.subscription_id,
                now=now,
            )
            found = gaps.filled(found, provider=subscription.provider, now=now)
    except ProviderError as error:
        if error.fault is Fault.GONE:
            inquiry.next_at = None
        else:
            logger.warning("%s cannot be asked about: %s", subscription, error.reason)
            later = now + timedelta(seconds=error.retry_after_seconds or 0)
            inquiry.next_at = max(inquiry.next_at, later) if inquiry.next_at else None
        inquiry.save(update_fields=["next_at"])
        return False
    settling.apply_polled(found, provider=subscription.provider, now=now)
    return bool(found)


def _begin(subscription: Subscription, now: datetime) -> SubscriptionInquiry:
    """Written before it is asked about: whatever comes of that, the others have their turn."""
    known = SubscriptionInquiry.objects.filter(subscription=subscription).first()
    about = (subscription.state, subscription.access_until)
    is_same = known is not None and (known.state, known.access_until) == about
    since = known.since if known is not None and is_same and known.since else now
    age = now - since
    pause = EVERY if age < LONG_EVERY else LONG_EVERY
    inquiry, _ = SubscriptionInquiry.objects.update_or_create(
        subscription=subscription,
        defaults={
            "asked_at": now,
            "state": subscription.state,
            "access_until": subscription.access_until,
            "since": since,
            "next_at": now + pause if age < ASKED_FOR else None,
        },
    )
    return inquiry
