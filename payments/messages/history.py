"""What stores' own histories have that never came: read again and again, overlapping, into the inbox."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from payments.messages import inbox, settling
from payments.models import Arrival, Provider, StoreHistory
from payments.providers.base import Polled, ProviderError, RawMessage
from payments.store import purchases
from viewers.models import Environment

logger = logging.getLogger(__name__)

#: The first of the locks, of which each history has its own: one that is slow keeps no other from being read.
LOCK = 7_164_300
EVERY = timedelta(hours=1)
#: A store's history lags behind what it sends, and its filters go by times that are not the event's.
OVERLAP = timedelta(days=2)
FURTHEST = timedelta(days=30)
#: So much is asked for at a time, and need not be asked for again.
SLICE = timedelta(hours=1)
#: After each attempt in a row that did not come to the end: the last of these again and again.
PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60))


def kept() -> Sequence[tuple[str, str]]:
    """Every history of the stores that are configured, by store and environment: those of true money first."""
    found = [
        (provider, environment)
        for provider, adapter in purchases.adapters().items()
        for environment in adapter.histories()
    ]
    return sorted(found, key=itemgetter(1))


def lock_of(provider: str, environment: str) -> int:
    """Whoever reads this history holds it."""
    number = len(Environment.values) * Provider.values.index(provider)
    return LOCK + number + Environment.values.index(environment)


def read(provider: str, environment: str, *, now: datetime) -> int:
    """Reads a store's history of an environment from a while before it was read last; returns how many messages had
    not come.

    It is read slice by slice. What cannot be read now is read after a while, from the slice on that failed: how far
    all was read is only moved then. A message in it that never can be read is passed over: there are others behind.
    """
    history = _begin(provider, environment, now)
    found, adapter = 0, purchases.adapter(provider)
    since = max(history.resume_at or history.read_until - OVERLAP, now - FURTHEST)
    try:
        if isinstance(adapter, Polled):
            for facts_of_one in adapter.polled(environment=environment, since=since, until=now):
                settling.apply_polled(facts_of_one, provider=provider, now=now)
        while since < now:
            until = min(since + SLICE, now)
            for raw in adapter.missed(environment=environment, since=since, until=until):
                found += _is_found(provider, raw, now)
            _move(history, until, found)
            since = until
    except (ProviderError, inbox.SignaturesUnavailable) as error:
        logger.warning("the history of %s (%s) cannot be read: %s", provider, environment, error)
        _put_off(history, error, now)
        return found
    StoreHistory.objects.filter(id=history.id).update(
        read_until=now, read_at=now, resume_at=None, failures=0, next_attempt_at=now + EVERY
    )
    return found


def is_due(provider: str, environment: str, *, now: datetime) -> bool:
    """Whether it was not read for EVERY, and was not tried just now."""
    return not StoreHistory.objects.filter(
        provider=provider, environment=environment, next_attempt_at__gt=now
    ).exists()


def _begin(provider: str, environment: str, now: datetime) -> StoreHistory:
    """Written before anything is read, as if it failed: whoever reads it may die of it."""
    history, _ = StoreHistory.objects.get_or_create(
        provider=provider, environment=environment, defaults={"read_until": now}
    )
    history.failures += 1
    history.tried_at = now
    history.next_attempt_at = now + PAUSES[min(history.failures, len(PAUSES)) - 1]
    history.save(update_fields=["failures", "tried_at", "next_attempt_at"])
    return history


def _move(history: StoreHistory, until: datetime, found: int) -> None:
    StoreHistory.objects.filter(id=history.id).update(
        resume_at=until,
        read_until=max(history.read_until, until),
        found_count=history.found_count + found,
    )


def _put_off(
    history: StoreHistory, error: ProviderError | inbox.SignaturesUnavailable, now: datetime
) -> None:
    seconds = error.retry_after_seconds if isinstance(error, ProviderError) else None
    if seconds is not None and history.next_attempt_at is not None:
        later = max(history.next_attempt_at, now + timedelta(seconds=seconds))
        StoreHistory.objects.filter(id=history.id).update(next_attempt_at=later)


def _is_found(provider: str, raw: RawMessage, now: datetime) -> bool:
    """Whether it had not come. Raises SignaturesUnavailable."""
    try:
        return inbox.receive(provider=provider, raw=raw, arrived_by=Arrival.PULLED, now=now).is_new
    except (inbox.MessageMalformed, inbox.MessageForged, inbox.MessageForeign) as refusal:
        logger.warning("the history of %s has what cannot be kept: %s", provider, refusal)
        return False
