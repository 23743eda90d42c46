"""Work that the task queue rings for."""

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task

from analytics.intake import inbox
from analytics.lake import (
    chores,
    erasing,
    exporting,
    flushing,
    merging,
    orphans,
    repeats,
    retention,
)
from analytics.ranking import snapshots
from config import advisory_lock, clock

logger = logging.getLogger(__name__)

#: A task begins nothing more after so long, well within its time limit; it is rung for again.
LONGEST_RUN = timedelta(seconds=30)
#: What cannot be done by halves has longer; less than until a broker gives a task to another worker.
LONGEST_CHORE_SECONDS = 540


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def flush_events(**_: Any) -> int:
    """Moves what waits in the inbox into the lake; returns how many events."""
    until, total = clock.read() + LONGEST_RUN, 0
    while clock.read() < until and (claim := flushing.claim(now=clock.read())):
        written = flushing.write(claim)
        try:
            flushing.finish(written, now=clock.read())
        except flushing.LeaseLost as lost:
            logger.warning("flush %s took so long that another worker has it", lost)
            continue
        total += written.event_count
    repeats.settle(now=clock.read())
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def merge_lake_files(**_: Any) -> int:
    """Makes few files of many, and deletes those replaced an hour ago; returns how many it took.

    While another worker is at it, there is nothing to do.
    """
    until, total = clock.read() + LONGEST_RUN, 0
    with advisory_lock.tried(merging.LOCK) as is_ours:
        if not is_ours:
            return 0
        while clock.read() < until and (retired := merging.merge_next(now=clock.read())):
            total += retired
        merging.delete_retired(now=clock.read())
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def tend_lake(**_: Any) -> int:
    """Retires events that are kept no longer, and deletes files that nothing names; how many files.

    While another worker merges files, it waits for the next time.
    """
    now, total = clock.read(), 0
    with advisory_lock.tried(merging.LOCK) as is_ours:
        if not is_ours:
            return 0
        total += retention.retire(now=now)
        if chores.is_due("orphans", every=orphans.EVERY, now=now):
            total += orphans.sweep(now=now)
            chores.note("orphans", now=now)
    return total


@shared_task(time_limit=LONGEST_CHORE_SECONDS, soft_time_limit=LONGEST_CHORE_SECONDS - 10)  # type: ignore[untyped-decorator]
def erase_events(**_: Any) -> int:
    """Makes nameless what the lake has of erased viewers; returns how many viewers.

    While another worker merges files, it waits for the next time.
    """
    now = clock.read()
    if not chores.is_due("erasure", every=erasing.EVERY, now=now):
        return 0
    with advisory_lock.tried(merging.LOCK) as is_ours:
        if not is_ours:
            return 0
        erased = erasing.erase_due(now=now)
        chores.note("erasure", now=now)
    return erased


@shared_task(time_limit=LONGEST_CHORE_SECONDS, soft_time_limit=LONGEST_CHORE_SECONDS - 10)  # type: ignore[untyped-decorator]
def export_facts(**_: Any) -> int:
    """Takes what is new of the ledger into the lake; returns of how many datasets."""
    total = 0
    with advisory_lock.tried(exporting.LOCK) as is_ours:
        while is_ours and exporting.export_next(now=clock.read()):
            total += 1
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_events(**_: Any) -> int:
    """Deletes what the inbox and the quarantine keep no longer; returns how many rows."""
    now, total = clock.read(), 0
    while deleted := inbox.prune(now=now):
        total += deleted
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def refresh_rankings(**_: Any) -> int:
    """Publishes what is due of the rankings; returns how many."""
    now = clock.read()
    published = snapshots.refresh(now=now)
    if published:
        snapshots.prune(now=now)
    return len(published)
