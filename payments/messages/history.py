"""What stores' own histories have that never came: read again and again, overlapping, into the inbox."""

import logging
from datetime import datetime, timedelta

from payments.messages import inbox
from payments.models import Arrival, StoreHistory
from payments.providers.base import Polled, ProviderError, RawMessage
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

    What cannot be read now is read the next time: how far it was read is only moved when all of it was. A
    message in it that never can be read is passed over: there are others behind it.
    """
    known = StoreHistory.objects.filter(provider=provider).first()
    since = max((known.read_until if known else now) - OVERLAP, now - FURTHEST)
    found, adapter = 0, purchases.adapter(provider)
    try:
        for raw in adapter.missed(since=since, until=now):
            found += _is_found(provider, raw, now)
        if isinstance(adapter, Polled):
            for facts_of_one in adapter.polled(since=since, until=now):
                inbox.apply_polled(facts_of_one, provider=provider, now=now)
    except (ProviderError, inbox.SignaturesUnavailable) as error:
        logger.warning("the history of %s cannot be read: %s", provider, error)
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


def _is_found(provider: str, raw: RawMessage, now: datetime) -> bool:
    """Whether it had not come. Raises SignaturesUnavailable."""
    try:
        return inbox.receive(provider=provider, raw=raw, arrived_by=Arrival.PULLED, now=now).is_new
    except (inbox.MessageMalformed, inbox.MessageForged, inbox.MessageForeign) as refusal:
        logger.warning("the history of %s has what cannot be kept: %s", provider, refusal)
        return False
