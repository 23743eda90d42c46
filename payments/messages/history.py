"""What stores' own histories have that never came: read again and again, overlapping, into the inbox."""

import logging
from datetime import datetime, timedelta

from payments.messages import inbox
from payments.models import Arrival, StoreHistory
from payments.providers.base import Polled, ProviderError
from payments.store import purchases
from viewers.models import Environment

logger = logging.getLogger(__name__)

LOCK = 7_164_205
EVERY = timedelta(hours=1)
#: A store's history lags behind what it sends, and its filters go by times that are not the event's.
OVERLAP = timedelta(days=2)
FURTHEST = timedelta(days=30)


def read(provider: str, *, now: datetime) -> int:
    """Reads a store's history from a while before it was read last; returns how many messages had not come.

    What cannot be read now is read the next time: how far it was read is only moved when all of it was.
    """
    known = StoreHistory.objects.filter(provider=provider).first()
    since = max((known.read_until if known else now) - OVERLAP, now - FURTHEST)
    found, adapter = 0, purchases.adapter(provider)
    try:
        for raw in adapter.missed(since=since, until=now):
            kept = inbox.receive(provider=provider, raw=raw, arrived_by=Arrival.PULLED, now=now)
            found += kept.is_new
        if isinstance(adapter, Polled):
            for facts_of_one in adapter.polled(since=since, until=now):
                inbox.apply_polled(facts_of_one, provider=provider, now=now)
    except ProviderError as error:
        logger.warning("the history of %s cannot be read: %s", provider, error.reason)
        return found
    StoreHistory.objects.update_or_create(
        provider=provider,
        environment=Environment.PRODUCTION,
        defaults={
            "read_until": now,
            "read_at": now,
            "found_count": (known.found_count if known else 0) + found,
        },
    )
    return found


def is_due(provider: str, *, now: datetime) -> bool:
    """Whether it was not read for EVERY."""
    return not StoreHistory.objects.filter(provider=provider, read_at__gt=now - EVERY).exists()
