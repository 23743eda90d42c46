"""Telling rollups which hours a file that is published has events of, in the transaction that does it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Min

from analytics.lake.writing import WrittenFile
from analytics.models import ChangedHour, EventBatch, LakeFile

_HOUR = timedelta(hours=1)
#: An hour is closed for good 48 hours after its end.
_CLOSED_AFTER = timedelta(hours=49)


def flushed(flush_id: UUID, files: Iterable[WrittenFile]) -> None:
    """Every hour from the first event of a file to its last.

    An hour whose events all came after it was closed is told of as late: nothing but the count of late
    events hangs on it, so that one phone that was off for a month does not have a month counted anew.
    """
    batches = EventBatch.objects.filter(flush_id=flush_id)
    received_at = batches.aggregate(at=Min("received_at"))["at"]
    ChangedHour.objects.bulk_create(
        ChangedHour(hour=hour, is_late=received_at >= hour + _CLOSED_AFTER)
        for file in files
        for hour in _hours(file.first_at, file.last_at)
    )


def changed(files: Iterable[WrittenFile | LakeFile]) -> None:
    """The same, however long ago an hour was closed: what a whole file has of it counts from now on, or no
    more.
    """
    hours = {hour for file in files for hour in _hours(file.first_at, file.last_at)}
    ChangedHour.objects.bulk_create(
        (ChangedHour(hour=hour, is_late=False) for hour in sorted(hours)), batch_size=5_000
    )


def _hours(first_at: datetime, last_at: datetime) -> Iterator[datetime]:
    hour = first_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= last_at:
        yield hour
        hour += _HOUR
