"""Work that the task queue rings for."""

from typing import Any

from celery import shared_task

from ads import origins, verifier_keys
from config import clock


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def refresh_verifier_keys(**_: Any) -> int:
    """Fetches the ad networks' public keys that are due; returns how many."""
    return verifier_keys.refresh(now=clock.read())


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_origins(**_: Any) -> int:
    """Forgets from where accounts opened ad sessions long ago; returns how many rows."""
    now, total = clock.read(), 0
    while deleted := origins.prune(now=now):
        total += deleted
    return total
