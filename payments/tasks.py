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
from payments.messages import history, inquiries, outages, outbox, settling
from payments.messages.outages import Line
from payments.models import Provider, StoreMessage
from payments.reconciliation import reports, runs
from payments.store import offer_claims, promo_codes

#: A task begins no batch more after so long, well within its time limit; it is rung for again.
LONGEST_RUN = timedelta(seconds=30)
#: So many of a store are settled before it is the next store's turn.
TURN = 20
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
    """Applies one message of a store; whether it was due. One of a store that does not answer is left to the sweep."""
    if settling.is_out_of_reach(UUID(message_id)):
        return False
    return _settle_message(UUID(message_id), now=clock.read()) is not None


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def settle_messages(**_: Any) -> int:
    """Applies every message of a store that is due; returns how many were tried."""
    return _settle_due(Line.MESSAGES, settling.due, _settle_message)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def call_stores(**_: Any) -> int:
    """Tells stores what they wait to hear; returns how many calls were tried."""
    return _settle_due(Line.CALLS, outbox.due, outbox.settle)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def ask_about_subscriptions(**_: Any) -> int:
    """Asks stores about subscriptions that are over and that they told nothing more of; returns how many.

    One worker at a time; none while somebody else holds the lock, as a demo does whose stores live in other days.
    """
    with advisory_lock.tried(INQUIRIES_LOCK) as is_ours:
        return _settle_due(Line.SUBSCRIPTIONS, inquiries.due, inquiries.ask) if is_ours else 0


# A long outage leaves a long history.
@shared_task(soft_time_limit=500, time_limit=540)  # type: ignore[untyped-decorator]  # Celery has no types
def read_histories(**_: Any) -> int:
    """Reads the histories of stores that were not read for a while; returns how many messages had not come.

    One that another worker reads is left to that one.
    """
    found = 0
    for provider, environment in history.kept():
        with advisory_lock.tried(history.lock_of(provider, environment)) as is_ours:
            if is_ours and history.is_due(provider, environment, now=clock.read()):
                found += history.read(provider, environment, now=clock.read())
    return found


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
    return settling.settle(message_id, now=now)


class Due(Protocol):
    """What is due of one store, the longest due first."""

    def __call__(self, *, provider: str, limit: int, now: datetime) -> Sequence[UUID]: ...


def _settle_due(line: Line, due: Due, settle: Callable[..., object]) -> int:
    """Settles what is due, the stores in turns; returns how much was tried.

    A store's turn ends when it does not answer, and of one that has not answered for a while one is tried now
    and then: whatever one store does, the others are served.
    """
    total, until = 0, clock.read() + LONGEST_RUN
    while True:
        before = total
        for provider in sorted(Provider.values, key=partial(outages.is_failing, line)):
            for one in _turn(line, due, provider):
                if clock.read() >= until:
                    return total
                settle(one, now=clock.read())
                total += 1
                if outages.is_failing(line, provider):
                    break
        if total == before:
            return total


def _turn(line: Line, due: Due, provider: str) -> Sequence[UUID]:
    found = due(provider=provider, limit=TURN, now=clock.read())
    return found if found and outages.may_be_asked(line, provider) else ()


def _until_done(batch: Batch) -> int:
    total, until = 0, clock.read() + LONGEST_RUN
    while (now := clock.read()) < until and (done := batch(now=now)):
        total += done
    return total
