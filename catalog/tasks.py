"""Work that the task queue rings for."""

from typing import Any

from celery import shared_task

from catalog import publishing
from config import clock


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def publish_due_series(**_: Any) -> int:
    """Publishes every series whose moment has come; returns how many."""
    now, total = clock.read(), 0
    while published := publishing.publish_due(now=now):
        total += published
    return total
