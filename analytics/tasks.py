"""Work that the task queue rings for."""

from typing import Any

from celery import shared_task

from analytics import snapshots
from config import clock


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def refresh_rankings(**_: Any) -> int:
    """Publishes what is due of the rankings; returns how many."""
    return len(snapshots.refresh(now=clock.read()))
