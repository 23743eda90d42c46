"""Local days and ISO weeks of a zone, numbered so that SQL can count with them.

Day 0 is 1 January 1970 by the zone's own calendar; week 0 is the ISO week with that day in it, whose
Monday is day −3. A local day may last 23 or 25 hours. The zone's rules are Python's, so that DuckDB
needs none of its own.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from analytics.reports.refusals import ReportImpossible

_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)
#: Nothing that we count is older, what was imported included.
FIRST_DAY = date(1990, 1, 1)
_FIRST_SHIFT = datetime(1990, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Period(StrEnum):
    """What a cohort shares and an offset counts."""

    DAY = "day"
    WEEK = "week"

    @property
    def days(self) -> int:
        """Its length in local days."""
        return 1 if self is Period.DAY else 7

    @property
    def lead_days(self) -> int:
        """How many days before day 0 period 0 began."""
        return 0 if self is Period.DAY else 3


def starts_on(number: int, period: Period) -> date:
    """The first local day of the period of that number."""
    return _EPOCH + timedelta(days=number * period.days - period.lead_days)


def day_number(day: date) -> int:
    """Which local day it is, from day 0."""
    return (day - _EPOCH).days


def checked(since: date, until: date) -> tuple[int, int]:
    """The numbers of the days from `since` to `until`. Raises ReportImpossible for a range that is none."""
    if until < since:
        raise ReportImpossible("`until` is before `since`.")
    if since < _EPOCH or until.year >= _NEVER.year:
        raise ReportImpossible("The range is outside of the calendar.")
    return day_number(since), day_number(until)


def range_filter(since: date | None, until: date | None) -> dict[str, str | None]:
    """A range of local days as a report's heading prints it."""
    return {
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
    }


def ends_at(number: int, period: Period, *, zone: ZoneInfo) -> datetime:
    """The moment that the period is over: the first of the next one's first day."""
    return midnight(starts_on(number + 1, period), zone=zone)


def midnight(day: date, *, zone: ZoneInfo) -> datetime:
    """The first moment of a local day. Where clocks skip midnight it is the moment of the skip."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def local_date(moment: datetime, *, zone: ZoneInfo) -> date:
    """The local day that a moment lies in."""
    return moment.astimezone(zone).date()


def shifts(*, zone: ZoneInfo, until: datetime) -> Sequence[tuple[datetime, datetime, int]]:
    """Half-open stretches of time, and the microseconds that local time is ahead of UTC in each.

    They cover all time, and are exact from FIRST_DAY up to `until` and to the end of its year.
    """
    return _shifts_before(until.year + 1, zone)


@lru_cache(maxsize=16)
def _shifts_before(year: int, zone: ZoneInfo) -> Sequence[tuple[datetime, datetime, int]]:
    found: list[tuple[datetime, datetime, int]] = []
    until = datetime(min(year, _NEVER.year), 1, 1, tzinfo=UTC)
    began, moment = _LONG_AGO, _FIRST_SHIFT
    while moment < until:
        following = min(moment + _DAY, until)
        if _shift(following, zone) != _shift(moment, zone):
            change = _change_between(moment, following, zone)
            found.append((began, change, _shift(moment, zone)))
            began = change
        moment = following
    found.append((began, _NEVER, _shift(moment, zone)))
    return found


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the zone's shift changes; both ends are whole days of few changes."""
    low, high = int(before.timestamp()), int(after.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        same = _shift(datetime.fromtimestamp(middle, UTC), zone) == _shift(before, zone)
        low, high = (middle, high) if same else (low, middle)
    return datetime.fromtimestamp(high, UTC)


def _shift(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    if offset is None:
        raise ValueError(f"{zone} has no offset at {moment}")
    return int(offset.total_seconds()) * 1_000_000
