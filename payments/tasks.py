"""Work that the task queue rings for."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from celery import shared_task
from django.conf import settings

from config import advisory_lock, clock
from payments import idempotency
from payments.ledger import expiry
from payments.ledger.days import closing, digests
from payments.messages import history, inbox, inquiries, outbox
from payments.models import StoreMessage
from payments.reconciliation import reports, runs
from payments.store import offer_claims, promo_codes, purchases

#: A task begins no batch more after so long, well within its time limit; it is rung for again.
LONGEST_RUN = timedelta(seconds=30)
#: The rest is compared when it is rung for again.
LONGEST_COMPARING = timedelta(minutes=5)
INQUIRIES_LOCK = 7_164_206


class Batch(Protocol):
    """Does some of what is due, in a transaction of its own; returns how much, 0 when nothing is left."""

    def __call__(self, *, now: datetime) -> int: ...


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def notice_expiring_coins(**_: Any) -> int:
    """Notices coins that will lapse soon; returns how many lots."""
    return _until_done(expiry.notice)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def expire_coins(**_: Any) -> int:
    """Lapses coins past their expiry; returns how many lots."""
    return _until_done(expiry.expire)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def release_offers(**_: Any) -> int:
    """Gives back places of offers that nobody has paid for; returns how many."""
    return _until_done(offer_claims.release)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_promo_attempts(**_: Any) -> int:
    """Deletes the counts of wrong promo codes of earlier days; returns how many."""
    return _until_done(promo_codes.prune)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_idempotency(**_: Any) -> int:
    """Deletes answers that are kept no longer; returns how many."""
    return _until_done(idempotency.prune)


# A day of many millions of rows takes longer than other tasks may.
@shared_task(soft_time_limit=500, time_limit=540)  # type: ignore[untyped-decorator]  # Celery has no types
def close_days(**_: Any) -> int:
    """Computes the days of money that are due, and seals the ledger's; returns how many.

    While another worker is at it, there is nothing to do.
    """
    with advisory_lock.tried(closing.LOCK) as is_ours:
        if not is_ours:
            return 0
        return _until_done(digests.seal_next) + _until_done(closing.close_next)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def settle_message(message_id: str, **_: Any) -> bool:
    """Applies one message of a store; whether it was due."""
    return _settle_message(UUID(message_id), now=clock.read()) is not None


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def settle_messages(**_: Any) -> int:
    """Applies every message of a store that is due; returns how many were tried."""
    return _until_done(partial(_settled, inbox.due, _settle_message))


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def call_stores(**_: Any) -> int:
    """Tells stores what they wait to hear; returns how many calls were tried."""
    return _until_done(partial(_settled, outbox.due, outbox.settle))


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def ask_about_subscriptions(**_: Any) -> int:
    """Asks stores about subscriptions that are over and that they told nothing more of; returns how many.

    One worker at a time; none while somebody else holds the lock, as a demo does whose stores live in other days.
    """
    with advisory_lock.tried(INQUIRIES_LOCK) as is_ours:
        return _until_done(partial(_settled, inquiries.due, inquiries.ask)) if is_ours else 0


# A long outage leaves a long history.
@shared_task(soft_time_limit=500, time_limit=540)  # type: ignore[untyped-decorator]  # Celery has no types
def read_histories(**_: Any) -> int:
    """Reads the histories of stores that were not read for a while; returns how many messages had not come."""
    with advisory_lock.tried(history.LOCK) as is_ours:
        if not is_ours:
            return 0
        now = clock.read()
        due = [name for name in purchases.adapters() if history.is_due(name, now=now)]
        return sum(history.read(name, now=now) for name in due)


# A day of many sales is a long list, and each that is missing is asked about.
@shared_task(soft_time_limit=500, time_limit=540)  # type: ignore[untyped-decorator]  # Celery has no types
def reconcile_stores(**_: Any) -> int:
    """Compares our books with stores' lists and reports that are due; returns how many."""
    with advisory_lock.tried(runs.LOCK) as is_ours:
        if not is_ours:
            return 0
        now = clock.read()
        due = runs.due(now=now)
        if due:
            reports.collect(now=now)
        done, until = 0, clock.read() + LONGEST_COMPARING
        for provider, environment in due:
            if clock.read() < until:
                runs.run(provider, environment, now=clock.read())
                done += 1
        return done + _until_done(reports.read_next)


def _settle_message(message_id: UUID, *, now: datetime) -> StoreMessage | None:
    """Applies a message if it is due. One that came in a simulated day is applied in that day, if it can be at
    once: a store's answer is as of when it was asked, and what follows in those days is later."""
    if settings.SIMULATED_CLOCK:
        fresh = StoreMessage.objects.filter(id=message_id, attempts=0)
        now = min(now, fresh.values_list("next_attempt_at", flat=True).first() or now)
    return inbox.settle(message_id, now=now)


def _settled(
    due: Callable[..., Sequence[UUID]], settle: Callable[..., object], *, now: datetime
) -> int:
    found = due(now=now)
    for one in found:
        settle(one, now=clock.read())
    return len(found)


def _until_done(batch: Batch) -> int:
    total, until = 0, clock.read() + LONGEST_RUN
    while (now := clock.read()) < until and (done := batch(now=now)):
        total += done
    return total
