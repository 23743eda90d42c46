"""The period of a task that a moment falls in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings

from ads.models import TaskPeriod

ONCE = "once"


@dataclass(frozen=True)
class Window:
    """A period by its name, in days of the reporting zone and in moments, both half-open."""

    key: str
    first_day: date
    until_day: date
    starts_at: datetime
    ends_at: datetime

    @property
    def resets_at(self) -> datetime | None:
        """When it can be earned again, None for what is earned once."""
        return None if self.key == ONCE else self.ends_at


_EVER = Window(
    ONCE,
    date.min,
    date.max,
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
)


def window(period: str, *, at: datetime) -> Window:
    """The period around a moment, by the reporting zone; weeks begin on Mondays (ISO 8601)."""
    today = at.astimezone(settings.REPORTING_ZONE).date()
    match TaskPeriod(period):
        case TaskPeriod.ONCE:
            return _EVER
        case TaskPeriod.DAILY:
            return _days(today.isoformat(), today, today + timedelta(days=1))
        case TaskPeriod.WEEKLY:
            monday = today - timedelta(days=today.weekday())
            year, week, _ = monday.isocalendar()
            return _days(f"{year}-W{week:02}", monday, monday + timedelta(days=7))
        case TaskPeriod.MONTHLY:
            first = today.replace(day=1)
            until = (first + timedelta(days=31)).replace(day=1)
            return _days(f"{first:%Y-%m}", first, until)


def last_moment(day: date) -> datetime:
    """The last moment of a day of the reporting zone."""
    return _midnight(day + timedelta(days=1)) - timedelta(microseconds=1)


def _days(key: str, first: date, until: date) -> Window:
    return Window(key, first, until, _midnight(first), _midnight(until))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, settings.REPORTING_ZONE).astimezone(UTC)
