"""Differences as rows: one for each thing, whichever runs find it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from payments.models import Difference, DifferenceCause, DifferenceState, Reconciliation
from payments.reconciliation.comparing import Found

#: What a store knows may come into its list so late.
LAG = timedelta(days=7)
#: What a list with the sale in it says of again.
OF_SALES = (
    DifferenceCause.MISSING_HERE,
    DifferenceCause.MISSING_THERE,
    DifferenceCause.AMOUNT_DIFFERS,
    DifferenceCause.CURRENCY_DIFFERS,
    DifferenceCause.DUPLICATE,
)
#: Only the list itself says that these are no more: asked by name, a store tells what we have booked.
OF_LISTS = (
    DifferenceCause.AMOUNT_DIFFERS,
    DifferenceCause.CURRENCY_DIFFERS,
    DifferenceCause.DUPLICATE,
)
#: What has been open for long, or somebody has seen, is looked at again so seldom.
SELDOM = timedelta(days=7)
LONG = timedelta(days=30)
_UNSETTLED = (DifferenceState.OPEN, DifferenceState.WAITING, DifferenceState.SEEN)


def keep(
    found: Found,
    *,
    run: Reconciliation,
    transaction_id: str,
    subscription_id: str,
    currency: str,
    state: DifferenceState,
    detail: str,
    now: datetime,
) -> Difference:
    """Keeps what a run has found. What an operator has seen stays seen, unless the amounts are others now."""
    values = {
        "subscription_id": subscription_id,
        "our_micros": found.our_micros,
        "their_micros": found.their_micros,
        "currency": currency,
        "their_currency": found.their_currency,
        "occurred_at": found.occurred_at,
        "detail": detail[:500],
        "last_found_by": run,
    }
    difference, is_new = Difference.objects.get_or_create(
        provider=run.provider,
        environment=run.environment,
        transaction_id=transaction_id,
        cause=found.cause,
        line_id=found.line_id,
        defaults=values | {"state": state, "found_by": run, "found_at": now, "changed_at": now},
    )
    if is_new:
        return difference
    amounts = (difference.our_micros, difference.their_micros)
    is_as_seen = amounts == (found.our_micros, found.their_micros)
    if not (difference.state == DifferenceState.SEEN and is_as_seen):
        values |= {"state": state}
        if difference.state != state:
            values |= {"changed_at": now}
    for name, value in values.items():
        setattr(difference, name, value)
    difference.save(update_fields=list(values))
    return difference


def waiting_or_open(found: Found, *, now: datetime) -> DifferenceState:
    """Of what the store knows by name: its list may lag behind."""
    is_young = now - found.occurred_at < LAG
    return DifferenceState.WAITING if is_young else DifferenceState.OPEN


def unsettled(run: Reconciliation) -> QuerySet[Difference]:
    """What is not settled yet between that store and us."""
    return Difference.objects.filter(
        provider=run.provider, environment=run.environment, state__in=_UNSETTLED
    )


def to_look_at(run: Reconciliation, *, now: datetime) -> QuerySet[Difference]:
    """What the run has not come by, that which was looked at the longest ago first. What only a report has said is
    for another report."""
    is_seldom = Q(state=DifferenceState.SEEN) | Q(changed_at__lt=now - LONG) | Q(cause__in=OF_LISTS)
    return (
        unsettled(run)
        .exclude(last_found_by=run)
        .exclude(is_seldom & Q(looked_at__gt=now - SELDOM))
        .exclude(cause__in=OF_LISTS, last_found_by__report__isnull=False)
        .order_by(F("looked_at").asc(nulls_first=True), "id")
    )


def agree(names: Collection[str], *, run: Reconciliation, now: datetime) -> int:
    """Both sides have the same sale of these now: what was wrong with one is no more."""
    return (
        unsettled(run)
        .filter(transaction_id__in=list(names), cause__in=OF_SALES, line_id="")
        .update(state=DifferenceState.GONE, changed_at=now)
    )


def see(ids: Sequence[UUID], *, operator_id: int, note: str, now: datetime) -> int:
    """Somebody has looked; returns how many were open."""
    return Difference.objects.filter(
        id__in=ids, state__in=[DifferenceState.OPEN, DifferenceState.WAITING]
    ).update(state=DifferenceState.SEEN, seen_by_id=operator_id, note=note, changed_at=now)
