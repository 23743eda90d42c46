"""Checking in: one a day by the viewer's own days, with a streak."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from ads.growth import calendars
from ads.growth.calendars import Calendar, Turn
from ads.growth.offered import Caller
from ads.models import CheckInStreak, Task, TaskClaim
from config.problems import Problem

#: How often to decide anew where another call has checked in or changed the zone meanwhile.
TRIES = 3

_CHECK_IN = "SELECT ads_check_in(%s, %s, %s, %s, %s, %s, %s, %s, %s)::text"
_SET_ZONE = "SELECT ads_set_zone(%s, %s, %s, %s, %s)::text"


class CheckInNotYet(Problem):
    code = "check_in_not_yet"
    title = "The viewer's next check-in is later"


class ZoneUnknown(Problem):
    code = "zone_unknown"
    title = "There is no time zone of this name"


class ZoneSetBefore(Problem):
    code = "zone_set_before"
    title = "The time zone was changed not long ago"


class _Outcome(msgspec.Struct, frozen=True):
    """What of an SQL function's answer is read here."""

    outcome: str
    zone_set_at: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """A viewer in front of the calendar. `claim` is that of the present date, if there is one; `streak` is
    how many days in a row stand."""

    task: Task
    zone: str
    zone_changes_at: datetime | None
    streak: int
    next_turn: Turn
    next_day: int
    claim: TaskClaim | None


def standing(caller: Caller, task: Task, *, now: datetime) -> Standing | None:
    """How the viewer stands; None for a calendar without days."""
    days = task.days.count()
    if not days:
        return None
    row = _row(caller)
    calendar = _calendar(row)
    turn = calendars.turn(calendar, now=now, gap=_gap())
    claims = TaskClaim.objects.filter(
        viewer_id=caller.viewer.id,
        environment=caller.environment,
        task=task,
        period=calendars.today(calendar, now=now).isoformat(),
    )
    return Standing(
        task=task,
        zone=calendar.zone,
        zone_changes_at=_free_at(row.zone_set_at if row else None, now),
        streak=calendars.standing_streak(calendar, now=now),
        next_turn=turn,
        next_day=(turn.streak - 1) % days + 1,
        claim=claims.first(),
    )


def today(caller: Caller, *, now: datetime) -> date:
    """The viewer's own date."""
    return calendars.today(_calendar(_row(caller)), now=now)


def check_in(caller: Caller, task: Task, *, now: datetime) -> str:
    """Checks the viewer in; what `ads_check_in` answered. Raises CheckInNotYet with `available_at`.

    Who has checked in for their present date is answered as the first time.
    """
    for _ in range(TRIES):
        calendar = _calendar(_row(caller))
        turn = calendars.turn(calendar, now=now, gap=_gap())
        today = calendars.today(calendar, now=now)
        if not turn.is_open and today != calendar.last_date:
            break
        text = _call(
            _CHECK_IN,
            caller.viewer.id,
            caller.environment,
            task.id,
            calendar.number,
            calendar.zone,
            today,
            turn.streak,
            _gap(),
            now,
        )
        if msgspec.json.decode(text, type=_Outcome).outcome not in {"changed", "too_soon"}:
            return text
    refusal = CheckInNotYet(available_at=turn.available_at)
    refusal.headers = _retry_after(turn.available_at, now)
    raise refusal


def set_zone(*, viewer_id: UUID, environment: str, zone: str, now: datetime) -> datetime:
    """Has the viewer's days begin at another zone's midnights; returns when it may be changed again.

    Raises ZoneUnknown, and ZoneSetBefore with `available_at`. The zone that it is already is no change.
    """
    if not calendars.is_zone(zone):
        raise ZoneUnknown
    text = _call(_SET_ZONE, viewer_id, environment, zone, _rest(), now)
    decided = msgspec.json.decode(text, type=_Outcome)
    available_at = (decided.zone_set_at or now) + _rest()
    if decided.outcome == "too_soon":
        refusal = ZoneSetBefore(available_at=available_at)
        refusal.headers = _retry_after(available_at, now)
        raise refusal
    return available_at


def _call(statement: str, *arguments: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(arguments))
        (text,) = cursor.fetchone()
    return str(text)


def _row(caller: Caller) -> CheckInStreak | None:
    return CheckInStreak.objects.filter(
        viewer_id=caller.viewer.id, environment=caller.environment
    ).first()


def _calendar(row: CheckInStreak | None) -> Calendar:
    if row is None:
        return Calendar(zone=settings.REPORTING_ZONE.key)
    return Calendar(
        zone=row.zone,
        number=row.number,
        streak=row.streak,
        last_date=row.last_date,
        last_at=row.last_at,
        last_zone=row.last_zone,
    )


def _retry_after(available_at: datetime, now: datetime) -> dict[str, str]:
    return {"Retry-After": str(max(int((available_at - now).total_seconds() + 0.999), 1))}


def _free_at(zone_set_at: datetime | None, now: datetime) -> datetime | None:
    if zone_set_at is None or zone_set_at + _rest() <= now:
        return None
    return zone_set_at + _rest()


def _rest() -> timedelta:
    return timedelta(days=settings.CHECK_IN_ZONE_DAYS)


def _gap() -> timedelta:
    return min(timedelta(hours=settings.CHECK_IN_GAP_HOURS), calendars.ONE_DAY)
