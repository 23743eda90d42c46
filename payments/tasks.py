"""Work that the task queue rings for."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from celery import shared_task

from config import clock
from payments import expiry, idempotency

#: A task begins no batch more after so long, well within its time limit; it is rung for again.
LONGEST_RUN = timedelta(seconds=30)


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
def prune_idempotency(**_: Any) -> int:
    """Deletes answers that are kept no longer; returns how many."""
    return _until_done(idempotency.prune)


def _until_done(batch: Batch) -> int:
    total, until = 0, clock.read() + LONGEST_RUN
    while (now := clock.read()) < until and (done := batch(now=now)):
        total += done
    return total
