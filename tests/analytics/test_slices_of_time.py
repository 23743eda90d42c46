"""Quarters of an hour make up the hours and days of every zone's own clock, whatever that clock does."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from analytics.rollups import slices
from analytics.rollups.slices import SLICE, Grain

#: Zone, local day, when it begins and ends in UTC, and in how many buckets of the local hour it falls.
DAYS = [
    ("UTC", "2026-03-01", "2026-03-01 00:00", "2026-03-02 00:00", 24),
    ("Asia/Kolkata", "2026-03-01", "2026-02-28 18:30", "2026-03-01 18:30", 24),
    ("Asia/Kathmandu", "2026-03-01", "2026-02-28 18:15", "2026-03-01 18:15", 24),
    ("America/New_York", "2026-03-08", "2026-03-08 05:00", "2026-03-09 04:00", 23),
    ("America/New_York", "2026-11-01", "2026-11-01 04:00", "2026-11-02 05:00", 25),
    ("Australia/Lord_Howe", "2026-04-05", "2026-04-04 13:00", "2026-04-05 13:30", 25),
    ("Australia/Lord_Howe", "2026-10-04", "2026-10-03 13:30", "2026-10-04 13:00", 24),
    ("Africa/Casablanca", "2026-02-15", "2026-02-14 23:00", "2026-02-16 00:00", 25),
    ("Africa/Casablanca", "2026-03-22", "2026-03-22 00:00", "2026-03-22 23:00", 23),
    ("America/Santiago", "2026-09-06", "2026-09-06 04:00", "2026-09-07 03:00", 23),
]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "day", "begins", "ends", "hours"), DAYS)
def test_a_day_is_cut_where_the_zones_clock_says(
    zone: str, day: str, begins: str, ends: str, hours: int
) -> None:
    local, where = date.fromisoformat(day), ZoneInfo(zone)

    assert slices.bounds(local, local, Grain.DAY, zone=where) == [_utc(begins), _utc(ends)]
    by_hour = slices.bounds(local, local, Grain.HOUR, zone=where)
    assert (by_hour[0], by_hour[-1], len(by_hour) - 1) == (_utc(begins), _utc(ends), hours)


def test_an_hour_that_clocks_repeat_half_of_is_a_bucket_for_each_offset() -> None:
    zone, day = ZoneInfo("Australia/Lord_Howe"), date(2026, 4, 5)

    shown = [
        (start.astimezone(zone).strftime("%H:%M%z"), (end - start) // timedelta(minutes=1))
        for start, end in pairwise(slices.bounds(day, day, Grain.HOUR, zone=zone))
    ]

    assert shown[1:4] == [("01:00+1100", 60), ("01:30+1030", 30), ("02:00+1030", 60)]


def test_every_zone_is_ahead_by_whole_slices_and_changes_at_the_edge_of_one() -> None:
    parted = []
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for month in range(1, 13):
            local = datetime(2026, month, 1, tzinfo=zone)
            start, end = slices.bounds(local.date(), local.date(), Grain.DAY, zone=zone)
            if (start.timestamp() % SLICE.total_seconds()) or (end - start) % SLICE:
                parted.append(name)
    assert parted == []
