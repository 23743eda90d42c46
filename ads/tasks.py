"""Work that the task queue rings for."""

from typing import Any

from celery import shared_task

from ads import origins, verifier_keys
from ads.growth import automatic, limits, referrals
from ads.revenue import pulling, settling
from config import clock


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def refresh_verifier_keys(**_: Any) -> int:
    """Fetches the ad networks' public keys that are due; returns how many."""
    return verifier_keys.refresh(now=clock.read())


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def settle_revenue(**_: Any) -> int:
    """Books what became known of ads' earnings; returns how many corrections that were."""
    return settling.settle_due(now=clock.read())


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def pull_revenue_reports(**_: Any) -> int:
    """Fetches the networks' reports that are due; returns of how many days there was a new version."""
    return pulling.pull_due(now=clock.read())


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def give_automatic_tasks(**_: Any) -> int:
    """Gives what is due to those who have watched; returns how many it looked at."""
    now, total = clock.read(), 0
    while looked_at := automatic.settle(now=now):
        total += looked_at
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def vest_referrals(**_: Any) -> int:
    """Pays or voids the referrals that are due; returns how many it looked at."""
    now, total = clock.read(), 0
    while looked_at := referrals.vest_due(now=now):
        total += looked_at
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_limit_counts(**_: Any) -> int:
    """Deletes the counts of days that are over; returns how many."""
    now, total = clock.read(), 0
    while deleted := limits.prune(now=now):
        total += deleted
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_origins(**_: Any) -> int:
    """Forgets from where accounts opened ad sessions long ago; returns how many rows."""
    now, total = clock.read(), 0
    while deleted := origins.prune(now=now):
        total += deleted
    return total
