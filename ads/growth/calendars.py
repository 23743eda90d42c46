"""When a viewer may check in, and whether the streak goes on: by the server's clock alone.

A day is the viewer's own, by the zone on record. Dates of check-ins only ever grow, so no date pays twice;
after a change of zone there is a pause besides, or two dates would be had within an hour. And no streak
breaks because a zone, or a government, skipped a date.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

ONE_DAY = timedelta(days=1)
#: Who has changed zones keeps the streak for so long: a day, and the pause in which they could not.
GRACE = timedelta(hours=48)


@dataclass(frozen=True)
class Calendar:
    """A viewer's zone and last check-in. `number` counts all there were; the rest is None before the first."""

    zone: str
    number: int = 0
    streak: int = 0
    last_date: date | None = None
    last_at: datetime | None = None
    last_zone: str = ""


@dataclass(frozen=True)
class Turn:
    """The next check-in: for which date, as which day in a row, and from when on. `is_open` says whether
    that is now."""

    date: date
    streak: int
    available_at: datetime
    is_open: bool


def is_zone(name: str) -> bool:
    """Whether there is such a time zone: an IANA name as `Asia/Shanghai`, or UTC."""
    return name[:1].isupper() and name in _zones()


def turn(calendar: Calendar, *, now: datetime, gap: timedelta) -> Turn:
    """The next check-in as it stands at `now`.

    While it is not open, the date and the streak are those it would have at `available_at`.
    """
    available_at = max(_available_at(calendar, gap), now)
    day = _date(available_at, calendar.zone)
    return Turn(
        date=day,
        streak=calendar.streak + 1 if _goes_on(calendar, day, available_at) else 1,
        available_at=available_at,
        is_open=available_at == now,
    )


def standing_streak(calendar: Calendar, *, now: datetime) -> int:
    """The days in a row that a check-in now would add to; 0 where the streak is broken."""
    return calendar.streak if _goes_on(calendar, _date(now, calendar.zone), now) else 0


def today(calendar: Calendar, *, now: datetime) -> date:
    """The viewer's own date."""
    return _date(now, calendar.zone)


@cache
def _zones() -> frozenset[str]:
    """Read once: it takes looking at hundreds of files."""
    return frozenset(available_timezones())


def _available_at(calendar: Calendar, gap: timedelta) -> datetime:
    if calendar.last_date is None or calendar.last_at is None:
        return datetime.min.replace(tzinfo=UTC)
    next_date = _begins(calendar.last_date + ONE_DAY, calendar.zone)
    if calendar.zone == calendar.last_zone:
        return next_date
    return max(next_date, calendar.last_at + gap)


def _goes_on(calendar: Calendar, day: date, at: datetime) -> bool:
    if calendar.last_date is None or calendar.last_at is None:
        return False
    if _days_between(calendar.last_date, day, calendar.zone) <= 1:
        return True
    return calendar.zone != calendar.last_zone and at - calendar.last_at <= GRACE


def _days_between(earlier: date, later: date, zone: str) -> int:
    """How many dates on `later` is, without a date that the zone skipped on its way over the date line."""
    days = (later - earlier).days
    if days == 2 and not _exists(earlier + ONE_DAY, zone):
        return 1
    return days


def _exists(day: date, zone: str) -> bool:
    noon = datetime.combine(day, time(12), ZoneInfo(zone))
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == day


def _date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _begins(day: date, zone: str) -> datetime:
    """The first moment of a date, or of the next that exists."""
    begins = datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
    # Where midnight itself is skipped, or comes twice, the first moment of that date is near.
    while _date(begins, zone) < day:
        begins += timedelta(minutes=15)
    while _date(begins - timedelta(minutes=15), zone) >= day:
        begins -= timedelta(minutes=15)
    return begins
