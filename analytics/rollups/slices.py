"""Slices: quarters of an hour of UTC, of which local hours and days of every zone are made.

Zones are ahead of UTC by whole quarters of an hour (Nepal 5:45, India 5:30), and shift by whole quarters
(Lord Howe Island by 30 min), so a local hour or day is so many whole slices, never a part of one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from analytics.reports import local_days

SLICE = timedelta(minutes=15)
HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain(StrEnum):
    """What a dashboard adds slices up to: local days, or hours of the local clock."""

    DAY = "day"
    HOUR = "hour"


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour of UTC that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def slice_start(number: int) -> datetime:
    """The beginning of a slice by its number, of which 0 begins with 1970."""
    return _EPOCH + number * SLICE


def bounds(since: date, until: date, by: Grain, *, zone: ZoneInfo) -> Sequence[datetime]:
    """Where the buckets of the local days from `since` to `until` begin, and where the last one ends.

    An hour that clocks cut short, or repeat a part of, is a bucket for each of its two offsets.
    """
    ends = [
        local_days.midnight(since + timedelta(days=number), zone=zone)
        for number in range((until - since).days + 2)
    ]
    if by is Grain.DAY:
        return ends
    return [
        *(start for first, last in pairwise(ends) for start in _local_hours(first, last, zone)),
        ends[-1],
    ]


def _local_hours(first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    shown: object = None
    for number in range((last - first) // SLICE):
        moment = first + number * SLICE
        local = moment.astimezone(zone)
        if (local.hour, local.utcoffset()) != shown:
            yield moment
        shown = (local.hour, local.utcoffset())
