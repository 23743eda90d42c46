"""Periods of subscriptions that no message will ever tell of: a store that numbers them tells of the last alone.

While a message waits, what it is about goes on: read back late, two renewals are both told as the second.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile

from payments.models import PassIntent, PassPurchase
from payments.providers.base import (
    Facts,
    Known,
    Numbers,
    ProviderError,
    SubscriptionSnapshot,
)
from payments.store import purchases

#: More than a year of weeks.
FURTHEST = 60


def filled(found: Facts, *, provider: str, now: datetime) -> Facts:
    """Facts, and in front of them those of the periods between theirs and the last before them that is booked.

    What the store knows no more is passed over. Asks the store: called outside of any transaction. Raises
    ProviderError.
    """
    adapter = purchases.adapter(provider)
    if not isinstance(adapter, Numbers):
        return found
    before = (
        fact
        for one in found
        if isinstance(one, SubscriptionSnapshot)
        for known in _missing(one, provider, adapter)
        for fact in _told(known, adapter, now)
    )
    return (*before, *found)


def _missing(snapshot: SubscriptionSnapshot, provider: str, adapter: Numbers) -> Iterator[Known]:
    """The periods that are not booked, the earliest first.

    Where none is booked at all, the subscription may be older than our books: what it was paid before them is not
    ours to book. One that was sold by an intent of ours is not.
    """
    period, environment = snapshot.period, snapshot.environment
    names = list(islice(adapter.before(period.transaction_id), FURTHEST)) if period else []
    if period is None or not names:
        return
    of_names = {"provider": provider, "environment": environment, "transaction_id__in": names}
    booked = set(PassPurchase.objects.filter(**of_names).values_list("transaction_id", flat=True))
    missing = list(takewhile(lambda name: name not in booked, names))
    if not booked and not _is_sold_by_us(snapshot):
        return
    for name in reversed(missing):
        yield Known(
            environment=environment,
            transaction_id=name,
            purchased_at=period.purchased_at,
            subscription_id=snapshot.subscription_id,
        )


def _is_sold_by_us(snapshot: SubscriptionSnapshot) -> bool:
    intent_id = snapshot.intent_id
    return intent_id is not None and PassIntent.objects.filter(id=intent_id).exists()


def _told(known: Known, adapter: Numbers, now: datetime) -> Facts:
    try:
        return adapter.looked_up(known, now=now)
    except ProviderError as error:
        if error.permanent:
            return ()
        raise
