"""When a viewer may check in, by the server's clock, wherever their days begin.

Without a database: the functions that keep check-ins refuse the same again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ads.growth import calendars
from ads.growth.calendars import Calendar

GAP = timedelta(hours=20)
#: Both sides of the date line, half hours, zones that change their clocks, and one that skipped a day.
ZONES = (
    *("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Pacific/Kiritimati"),
    *("Pacific/Pago_Pago", "Etc/GMT+12", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"),
)


@dataclass
class Person:
    """Somebody who checks in whenever they are let, and the zones they say they are in."""

    calendar: Calendar
    dates: list[date] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    moved: list[bool] = field(default_factory=list)
    streaks: list[int] = field(default_factory=list)

    def move(self, zone: str) -> None:
        self.calendar = replace(self.calendar, zone=zone)

    def try_at(self, now: datetime) -> bool:
        turn = calendars.turn(self.calendar, now=now, gap=GAP)
        if not turn.is_open:
            assert turn.available_at > now
            return False
        calendar = self.calendar
        self.moved.append(calendar.number > 0 and calendar.zone != calendar.last_zone)
        self.dates.append(turn.date)
        self.moments.append(now)
        self.streaks.append(turn.streak)
        self.calendar = Calendar(
            zone=calendar.zone,
            number=calendar.number + 1,
            streak=turn.streak,
            last_date=turn.date,
            last_at=now,
            last_zone=calendar.zone,
        )
        return True


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def checked_in(text: str, zone: str) -> Person:
    """Somebody who has checked in once, at a local time of their zone."""
    person = Person(Calendar(zone=zone))
    assert person.try_at(at(text, zone))
    return person


STEPS = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=60 * 60),  # minutes until the next thing happens
        st.one_of(st.none(), st.sampled_from(ZONES)),
    ),
    min_size=2,
    max_size=60,
)
#: The days on which something happens to clocks, and any others.
STARTS = st.one_of(
    st.sampled_from(
        [at("2011-12-28T00:00:00"), at("2026-03-07T12:00:00"), at("2026-10-31T12:00:00")]
    ),
    st.integers(min_value=0, max_value=16 * 366 * 24).map(
        lambda hours: at("2011-12-20T00:00:00") + timedelta(hours=hours)
    ),
)


@settings(max_examples=120, deadline=None)
@given(start=STARTS, steps=STEPS, first=st.sampled_from(ZONES))
def test_no_zone_hop_ever_yields_a_check_in_too_many(
    start: datetime, steps: Sequence[tuple[int, str | None]], first: str
) -> None:
    """Of those who hop at will, and not only once a fortnight."""
    person, now = Person(Calendar(zone=first)), start
    for minutes, zone in steps:
        now += timedelta(minutes=minutes)
        if zone is not None:
            person.move(zone)
        person.try_at(now)

    assert all(later > earlier for earlier, later in pairwise(person.dates))
    for place, (earlier, later) in enumerate(pairwise(person.moments), start=1):
        assert later > earlier
        if person.moved[place]:
            assert later - earlier >= GAP
    for before, after in pairwise(person.streaks):
        assert after in {1, before + 1}


@settings(max_examples=40, deadline=None)
@given(
    start=STARTS,
    hops=st.lists(
        st.tuples(st.integers(min_value=1, max_value=90), st.sampled_from(ZONES)), max_size=6
    ),
    first=st.sampled_from(ZONES),
)
def test_who_is_always_there_never_loses_a_streak(
    start: datetime, hops: Sequence[tuple[int, str]], first: str
) -> None:
    """They try every hour, and in between they travel."""
    person, now = Person(Calendar(zone=first)), start
    for hours, zone in [*hops, (72, first)]:
        for _ in range(hours):
            person.try_at(now)
            now += timedelta(hours=1)
        person.move(zone)

    assert person.streaks == list(range(1, len(person.streaks) + 1))


@pytest.mark.parametrize(
    ("zone", "first", "second", "streak"),
    [
        ("UTC", "2026-03-13T23:59:59", "2026-03-14T00:00:00", 2),
        ("UTC", "2026-03-13T00:00:00", "2026-03-14T23:59:59", 2),
        ("UTC", "2026-03-13T23:59:00", "2026-03-15T00:00:00", 1),
        # Clocks go forward, and back; Lord Howe's by half an hour.
        ("America/New_York", "2026-03-07T23:30:00", "2026-03-08T03:30:00", 2),
        ("America/New_York", "2026-03-08T00:30:00", "2026-03-09T23:30:00", 2),
        ("America/New_York", "2026-11-01T00:30:00", "2026-11-02T23:59:59", 2),
        ("America/New_York", "2026-10-31T23:59:00", "2026-11-02T00:00:00", 1),
        ("Australia/Lord_Howe", "2026-04-05T00:10:00", "2026-04-06T00:00:00", 2),
        # Samoa had no 30th of December.
        ("Pacific/Apia", "2011-12-29T10:00:00", "2011-12-31T10:00:00", 2),
        ("Pacific/Apia", "2011-12-28T10:00:00", "2011-12-31T10:00:00", 1),
    ],
)
def test_days_follow_each_other_by_the_viewers_own_midnights(
    zone: str, first: str, second: str, streak: int
) -> None:
    person = checked_in(first, zone)
    assert not person.try_at(at(first, zone) + timedelta(minutes=0.01))
    assert person.try_at(at(second, zone))
    assert person.streaks == [1, streak]


@pytest.mark.parametrize(
    ("home", "checked", "away", "opens"),
    [
        # Eastward over the line the next date has begun, but not the next check-in.
        (
            "Pacific/Pago_Pago",
            "2026-03-13T23:00:00",
            "Pacific/Kiritimati",
            "2026-03-14T20:00:00-10:00",
        ),
        # Westward it is the same date again, which pays once.
        ("Pacific/Kiritimati", "2026-03-13T00:30:00", "Etc/GMT+12", "2026-03-14T00:00:00-12:00"),
        ("Europe/Berlin", "2026-03-13T23:50:00", "Asia/Shanghai", "2026-03-14T18:50:00+00:00"),
    ],
)
def test_after_a_change_of_zone_there_is_a_pause_and_the_streak_goes_on(
    home: str, checked: str, away: str, opens: str
) -> None:
    person = checked_in(checked, home)
    person.move(away)
    opens_at = datetime.fromisoformat(opens).astimezone(UTC)
    if home == "Pacific/Pago_Pago":
        opens_at = person.moments[0] + GAP

    assert not person.try_at(opens_at - timedelta(seconds=1))
    turn = calendars.turn(person.calendar, now=opens_at - timedelta(seconds=1), gap=GAP)
    assert (turn.available_at, turn.streak) == (opens_at, 2)
    assert person.try_at(opens_at)
    assert person.streaks == [1, 2]


def test_a_streak_that_was_missed_is_told_as_broken() -> None:
    person = checked_in("2026-03-13T12:00:00", "UTC")
    assert calendars.standing_streak(person.calendar, now=at("2026-03-14T23:00:00")) == 1
    assert calendars.standing_streak(person.calendar, now=at("2026-03-15T00:00:00")) == 0


@pytest.mark.parametrize("name", ["", "utc", "localtime", "Mars/Olympus", "../../etc/passwd", "US"])
def test_a_zone_is_one_that_the_database_of_zones_knows(name: str) -> None:
    assert not calendars.is_zone(name)
    assert calendars.is_zone("Asia/Shanghai")
