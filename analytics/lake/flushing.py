"""From the inbox into the lake: claim batches, write their files, and record both at once.

The files are written between two transactions. They become part of the lake by the transaction that
names them in the manifest and ends the flush; until then nothing reads them. Whoever claims holds a
lease. When it has lapsed another takes the flush over, and whoever held it before records nothing any
more. Each holder writes under names of its own, with the same content, so that the slow one never
touches a file that the manifest names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.conf import settings
from django.db import transaction

from ads.growth import watching as watched
from ads.growth.watching import Stretches
from analytics.intake.verdicts import DETAIL_CHARACTERS, EVENT_BYTES, Code
from analytics.lake import changed_hours, repeats, stretches, writing
from analytics.lake.rows import Rows, Unreadable
from analytics.lake.writing import WrittenFile
from analytics.models import EventBatch, Flush, LakeFile, QuarantinedEvent

BATCHES_PER_FLUSH = 1000

_DAY = np.int64(24 * 3600 * 1_000_000)


class LeaseLost(Exception):
    """Another worker has taken the flush over; what it has written counts."""


@dataclass(frozen=True)
class Claim:
    """A flush in hand, until its lease lapses."""

    flush_id: UUID
    leased_until: datetime

    @property
    def file_name(self) -> str:
        """This holder's own: a lease ends later than those that lapsed before it."""
        return f"{self.flush_id}-{self.leased_until.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.parquet"


@dataclass(frozen=True)
class Written:
    """What a flush has written."""

    claim: Claim
    files: Sequence[WrittenFile]
    duplicate_count: int
    conflict_count: int
    unreadable: Sequence[Unreadable]
    stretches: Stretches

    @property
    def event_count(self) -> int:
        """Events in the files."""
        return sum(file.row_count for file in self.files)


def claim(*, now: datetime) -> Claim | None:
    """A flush to do, or None: one whose lease has lapsed, else a new one of waiting batches."""
    leased_until = now + timedelta(seconds=settings.FLUSH_LEASE_SECONDS)
    with transaction.atomic(durable=True):
        flush_id = _take_over(now=now, leased_until=leased_until) or _begin(
            now=now, leased_until=leased_until
        )
    return None if flush_id is None else Claim(flush_id, leased_until)


def write(claim: Claim) -> Written:
    """Writes the files of a flush, whose content is the same whoever does it."""
    flush = Flush.objects.get(id=claim.flush_id)
    rows = Rows(arrived_at=flush.arrived_at)
    batches = EventBatch.objects.filter(flush_id=claim.flush_id)
    for batch in batches.order_by("received_at", "batch_id", "id"):
        rows.add(batch)
    table = rows.table()
    files = [
        writing.write(f"events/day={day}/{claim.file_name}", day, part)
        for day, part in _by_day(table)
    ]
    return Written(
        claim,
        files,
        rows.duplicate_count,
        rows.conflict_count,
        rows.unreadable,
        stretches.of(table),
    )


def finish(written: Written, *, now: datetime) -> None:
    """Makes the files part of the lake and ends the flush, with the seconds that were watched.

    Raises LeaseLost, with nothing changed.
    """
    flush_id, leased_until = written.claim.flush_id, written.claim.leased_until
    with transaction.atomic(durable=True):
        # The lease's end tells holders apart: each claims a later one.
        held = Flush.objects.filter(id=flush_id, leased_until=leased_until, finished_at=None)
        is_ours = held.update(
            finished_at=now,
            event_count=written.event_count,
            duplicate_count=written.duplicate_count,
            refused_count=len(written.unreadable),
        )
        if not is_ours:
            raise LeaseLost(flush_id)
        LakeFile.objects.bulk_create(
            file.as_row(flush_id=flush_id, now=now) for file in written.files
        )
        repeats.count(written.duplicate_count, conflicts=written.conflict_count, now=now)
        QuarantinedEvent.objects.bulk_create(_quarantined(event) for event in written.unreadable)
        watched.record(written.stretches)
        changed_hours.flushed(flush_id, written.files)


def _take_over(*, now: datetime, leased_until: datetime) -> UUID | None:
    lapsed = Flush.objects.filter(finished_at=None, leased_until__lte=now).order_by("leased_until")
    flush = lapsed.select_for_update(skip_locked=True).first()
    if flush is None:
        return None
    flush.leased_until = leased_until
    flush.save(update_fields=["leased_until"])
    return flush.id


def _begin(*, now: datetime, leased_until: datetime) -> UUID | None:
    waiting = EventBatch.objects.filter(flush=None).order_by("id")
    ids = waiting.select_for_update(skip_locked=True).values_list("id", flat=True)
    claimed = list(ids[:BATCHES_PER_FLUSH])
    if not claimed:
        return None
    flush = Flush.objects.create(claimed_at=now, leased_until=leased_until)
    EventBatch.objects.filter(id__in=claimed).update(flush=flush)
    return flush.id


def _by_day(table: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each UTC day, in their order."""
    days = table["occurred_at"].to_numpy().astype(np.int64) // _DAY
    for day in np.unique(days):
        yield date.fromordinal(date(1970, 1, 1).toordinal() + int(day)), table.filter(days == day)


def _quarantined(event: Unreadable) -> QuarantinedEvent:
    return QuarantinedEvent(
        viewer_id=event.batch.viewer_id,
        environment=event.batch.environment,
        batch_id=event.batch.batch_id,
        position=event.position,
        code=Code.UNREADABLE_LATER,
        detail=event.reason.replace("\x00", "\ufffd")[:DETAIL_CHARACTERS],
        raw=event.raw[:EVENT_BYTES],
        received_at=event.batch.received_at,
    )
