"""Work that the task queue rings for."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from kombu.exceptions import OperationalError

from analytics.exports import jobs, making
from analytics.exports.jobs import Claim, LeaseLost
from analytics.exports.making import ExportTooLarge
from analytics.fraud import scans
from analytics.history import imports
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
from analytics.rollups import checking, filling, hours
from config import advisory_lock, clock
from config.problems import Problem

logger = logging.getLogger(__name__)

#: A task begins nothing more after so long, well within its time limit; it is rung for again.
LONGEST_RUN = timedelta(seconds=30)
#: Between being asked to stop and being stopped.
STOPPING_SECONDS = 15
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
            imports.give_up(now=now)
            total += orphans.sweep(now=now)
            chores.note("orphans", now=now)
    return total


@shared_task(time_limit=LONGEST_CHORE_SECONDS, soft_time_limit=LONGEST_CHORE_SECONDS - 10)  # type: ignore[untyped-decorator]
def erase_events(**_: Any) -> int:
    """Makes nameless what the lake has of erased viewers; returns how many viewers.

    While another worker merges files, or a file of the past is imported, it waits for the next time.
    """
    now = clock.read()
    if not chores.is_due("erasure", every=erasing.EVERY, now=now):
        return 0
    with (
        advisory_lock.tried(merging.LOCK) as nobody_merges,
        advisory_lock.tried(imports.LOCK) as nobody_imports,
    ):
        if not (nobody_merges and nobody_imports):
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


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def look_for_fraud(**_: Any) -> int:
    """Flags what nobody can have watched, and keeps alarms of rewards; returns how many are new."""
    now = clock.read()
    scan = scans.scan(now=now)
    if scan is None:
        return 0
    scans.prune(now=now)
    return scan.flags_count + scan.alarms_count


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def fill_ledger_rollups(**_: Any) -> int:
    """Fills the hours of money that are due; returns how many."""
    return _fill(filling.fill_ledger)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def fill_lake_rollups(**_: Any) -> int:
    """Fills the hours that files were published for, or that are due otherwise; returns how many."""
    return _fill(filling.fill_lake)


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def check_rollups(**_: Any) -> int:
    """Compares rollups of money with the ledger when that is due, and deletes what is kept no longer; returns
    how many figures differ.
    """
    now = clock.read()
    with advisory_lock.tried(checking.LOCK) as is_ours:
        if not is_ours or not checking.is_due(now=now):
            return 0
        found = checking.check(now=now)
        hours.prune(now=now)
        return found.difference_count


def _fill(some: Callable[..., int]) -> int:
    until, total = clock.read() + LONGEST_RUN, 0
    with advisory_lock.tried(hours.LOCK) as is_ours:
        if is_ours:
            hours.sweep(now=clock.read())
    while clock.read() < until and (filled := some(now=clock.read())):
        total += filled
    return total


@shared_task(  # type: ignore[untyped-decorator]  # Celery has no types
    soft_time_limit=settings.EXPORT_SECONDS,
    time_limit=settings.EXPORT_SECONDS + STOPPING_SECONDS,
)
def make_exports(**_: Any) -> int:
    """Makes what is due of the exports, one after the other; returns how many it took in hand."""
    until, total = clock.read() + LONGEST_RUN, 0
    while clock.read() < until and (claim := jobs.claim(now=clock.read())):
        _make(claim)
        total += 1
    return total


@shared_task  # type: ignore[untyped-decorator]  # Celery has no types
def prune_exports(**_: Any) -> int:
    """Deletes the files of exports that have expired; returns how many."""
    return jobs.prune(now=clock.read())


def ring_for_exports() -> None:
    """Has them made at once; without the queue the sweep finds them a little later."""
    try:
        make_exports.apply_async(retry=False, expires=60)
    except OperationalError:
        return


def _make(claim: Claim) -> None:
    """What is refused fails; after anything else the export is another worker's to try."""
    try:
        making.make(claim, clock=clock.read)
    except LeaseLost as lost:
        logger.warning("export %s was cancelled, or another worker has it", lost)
    except ExportTooLarge as too_large:
        jobs.fail(claim, code="export_too_large", detail=str(too_large), now=clock.read())
    except Problem as refusal:
        detail = refusal.detail or refusal.title
        jobs.fail(claim, code=refusal.code, detail=detail, now=clock.read())
    except SoftTimeLimitExceeded:
        detail = f"It took more than {settings.EXPORT_SECONDS} s; ask for fewer days."
        jobs.fail(claim, code="export_took_too_long", detail=detail, now=clock.read())
    except Exception:
        jobs.release(claim, now=clock.read())
        raise
