"""Retention, revenue and money around midnights and clock changes: tables that were worked out by hand."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from analytics.reports import ltv, money, retention, revenue
from analytics.reports.local_days import Period
from analytics.reports.money import Origin
from analytics.reports.retention import Mode
from tests.analytics.lakes import Row, lake, opened_app, utc

#: Who opened the app, and when.
Opens = list[tuple[str, str]]
#: Cohort, its viewers, and who of them was active at offsets 0, 1, 2.
Cells = list[tuple[str, int, list[int | None]]]

KOLKATA: Opens = [
    ("a", "2026-03-10 18:29:59"),
    ("b", "2026-03-10 18:30:00"),
    ("a", "2026-03-11 18:29:58"),
    ("a", "2026-03-11 18:29:59"),
    ("b", "2026-03-11 18:30:00"),
    ("a", "2026-03-12 18:29:59"),
    ("b", "2026-03-12 18:29:59"),
]
NEW_YORK_SPRING: Opens = [
    ("a", "2026-03-08 04:59:59"),
    ("b", "2026-03-08 05:00:00"),
    ("a", "2026-03-09 03:59:59"),
    ("b", "2026-03-09 04:00:00"),
    ("a", "2026-03-09 04:59:59"),
    ("b", "2026-03-10 04:59:59"),
]
NEW_YORK_AUTUMN: Opens = [
    ("a", "2026-11-01 03:59:59"),
    ("b", "2026-11-01 04:00:00"),
    ("a", "2026-11-02 03:59:59"),
    ("b", "2026-11-02 04:59:59"),
    ("b", "2026-11-02 05:00:00"),
    ("a", "2026-11-02 05:00:00"),
]
LORD_HOWE_AUTUMN: Opens = [
    ("a", "2026-04-04 12:59:59"),
    ("b", "2026-04-04 13:00:00"),
    ("b", "2026-04-05 13:15:00"),
    ("a", "2026-04-05 12:59:59"),
    ("b", "2026-04-05 13:30:00"),
    ("a", "2026-04-05 13:30:00"),
]
LORD_HOWE_SPRING: Opens = [
    ("a", "2026-10-03 13:29:59"),
    ("b", "2026-10-03 13:30:00"),
    ("a", "2026-10-04 12:59:59"),
    ("b", "2026-10-04 13:00:00"),
    ("b", "2026-10-05 13:00:00"),
]
CASABLANCA_RAMADAN: Opens = [
    ("a", "2026-02-14 22:59:59"),
    ("b", "2026-02-14 23:00:00"),
    ("a", "2026-02-15 23:30:00"),
    ("b", "2026-02-15 23:59:59"),
    ("b", "2026-02-16 00:00:00"),
    ("a", "2026-02-16 00:00:00"),
]
CASABLANCA_AFTER: Opens = [
    ("a", "2026-03-21 23:59:59"),
    ("b", "2026-03-22 00:00:00"),
    ("a", "2026-03-22 22:59:59"),
    ("b", "2026-03-22 23:00:00"),
    ("a", "2026-03-23 22:59:59"),
]

CALENDAR: list[tuple[str, Opens, str, Cells]] = [
    (
        "Asia/Kolkata",
        KOLKATA,
        "2026-03-13 18:30:00",
        [("2026-03-10", 1, [1, 1, 1]), ("2026-03-11", 1, [1, 1, 0])],
    ),
    (
        "Asia/Kolkata",
        KOLKATA,
        "2026-03-13 18:29:59",
        [("2026-03-10", 1, [1, 1, 1]), ("2026-03-11", 1, [1, 1, None])],
    ),
    (
        "America/New_York",
        NEW_YORK_SPRING,
        "2026-03-11 04:00:00",
        [("2026-03-07", 1, [1, 1, 1]), ("2026-03-08", 1, [1, 1, 1])],
    ),
    (
        "America/New_York",
        NEW_YORK_SPRING,
        "2026-03-10 03:59:59",
        [("2026-03-07", 1, [1, 1, None]), ("2026-03-08", 1, [1, None, None])],
    ),
    (
        "America/New_York",
        NEW_YORK_AUTUMN,
        "2026-11-04 05:00:00",
        [("2026-10-31", 1, [1, 1, 1]), ("2026-11-01", 1, [1, 1, 0])],
    ),
    (
        "America/New_York",
        NEW_YORK_AUTUMN,
        "2026-11-02 04:59:59",
        [("2026-10-31", 1, [1, None, None]), ("2026-11-01", 1, [None, None, None])],
    ),
    (
        "Australia/Lord_Howe",
        LORD_HOWE_AUTUMN,
        "2026-04-07 13:30:00",
        [("2026-04-04", 1, [1, 1, 1]), ("2026-04-05", 1, [1, 1, 0])],
    ),
    (
        "Australia/Lord_Howe",
        LORD_HOWE_AUTUMN,
        "2026-04-05 13:29:59",
        [("2026-04-04", 1, [1, None, None]), ("2026-04-05", 1, [None, None, None])],
    ),
    (
        "Australia/Lord_Howe",
        LORD_HOWE_SPRING,
        "2026-10-06 13:00:00",
        [("2026-10-03", 1, [1, 1, 0]), ("2026-10-04", 1, [1, 1, 1])],
    ),
    (
        "Africa/Casablanca",
        CASABLANCA_RAMADAN,
        "2026-02-18 00:00:00",
        [("2026-02-14", 1, [1, 1, 1]), ("2026-02-15", 1, [1, 1, 0])],
    ),
    (
        "Africa/Casablanca",
        CASABLANCA_AFTER,
        "2026-03-24 23:00:00",
        [("2026-03-21", 1, [1, 1, 1]), ("2026-03-22", 1, [1, 1, 0])],
    ),
]
ELAPSED: list[tuple[str, Opens, str, Cells]] = [
    (
        "Asia/Kolkata",
        KOLKATA,
        "2026-03-13 18:30:00",
        [("2026-03-10", 1, [1, 1, 1]), ("2026-03-11", 1, [1, 1, 0])],
    ),
    (
        "America/New_York",
        NEW_YORK_SPRING,
        "2026-03-11 05:00:00",
        [("2026-03-07", 1, [1, 1, 0]), ("2026-03-08", 1, [1, 1, 0])],
    ),
    (
        "America/New_York",
        NEW_YORK_AUTUMN,
        "2026-11-04 05:00:00",
        [("2026-10-31", 1, [1, 1, 0]), ("2026-11-01", 1, [1, 1, 0])],
    ),
    (
        "Australia/Lord_Howe",
        LORD_HOWE_AUTUMN,
        "2026-04-07 13:30:00",
        [("2026-04-04", 1, [1, 1, 0]), ("2026-04-05", 1, [1, 1, 0])],
    ),
    (
        "Africa/Casablanca",
        CASABLANCA_RAMADAN,
        "2026-02-18 00:00:00",
        [("2026-02-14", 1, [1, 1, 0]), ("2026-02-15", 1, [1, 1, 0])],
    ),
]


def _read(zone: str, opens: Opens, watermark: str, mode: Mode) -> Cells:
    rows = [opened_app(viewer, utc(at)) for viewer, at in opens]
    with lake(rows, watermark=utc(watermark), zone=ZoneInfo(zone)) as source:
        report = retention.matrix(source=source, by=Period.DAY, mode=mode, horizon=2)
    return [
        (cohort.starts_on.isoformat(), cohort.viewers, list(cohort.active))
        for cohort in report.cohorts
    ]


@pytest.mark.parametrize(("zone", "opens", "watermark", "cells"), CALENDAR)
def test_days_of_the_calendar_are_those_of_the_book(
    zone: str, opens: Opens, watermark: str, cells: Cells
) -> None:
    assert _read(zone, opens, watermark, Mode.CALENDAR) == cells


@pytest.mark.parametrize(("zone", "opens", "watermark", "cells"), ELAPSED)
def test_windows_of_24_hours_are_those_of_the_book(
    zone: str, opens: Opens, watermark: str, cells: Cells
) -> None:
    assert _read(zone, opens, watermark, Mode.ELAPSED) == cells


#: Zone, when something was earned, and what each local day comes to.
DAYS: list[tuple[str, list[tuple[str, int]], dict[str, int]]] = [
    (
        "Asia/Kolkata",
        [("2026-03-10 18:29:59", 1), ("2026-03-10 18:30:00", 2), ("2026-03-11 18:30:00", 4)],
        {"2026-03-10": 1, "2026-03-11": 2, "2026-03-12": 4},
    ),
    (
        "America/New_York",
        [
            ("2026-03-08 04:59:59", 1),
            ("2026-03-08 05:00:00", 2),
            ("2026-03-09 03:59:59", 4),
            ("2026-03-09 04:00:00", 8),
        ],
        {"2026-03-07": 1, "2026-03-08": 6, "2026-03-09": 8},
    ),
    (
        "America/New_York",
        [("2026-11-01 04:00:00", 1), ("2026-11-02 04:59:59", 2), ("2026-11-02 05:00:00", 4)],
        {"2026-11-01": 3, "2026-11-02": 4},
    ),
    (
        "Australia/Lord_Howe",
        [("2026-04-04 13:00:00", 1), ("2026-04-05 13:29:59", 2), ("2026-04-05 13:30:00", 4)],
        {"2026-04-05": 3, "2026-04-06": 4},
    ),
    (
        "Australia/Lord_Howe",
        [("2026-10-03 13:30:00", 1), ("2026-10-04 12:59:59", 2), ("2026-10-04 13:00:00", 4)],
        {"2026-10-04": 3, "2026-10-05": 4},
    ),
    (
        "Africa/Casablanca",
        [("2026-02-14 23:00:00", 1), ("2026-02-15 23:59:59", 2), ("2026-02-16 00:00:00", 4)],
        {"2026-02-15": 3, "2026-02-16": 4},
    ),
    (
        "Africa/Casablanca",
        [("2026-03-22 00:00:00", 1), ("2026-03-22 22:59:59", 2), ("2026-03-22 23:00:00", 4)],
        {"2026-03-22": 3, "2026-03-23": 4},
    ),
]


def _unlock(number: int, at: str, micros: int) -> Row:
    return {
        "unlock_id": str(number),
        "means": "coins",
        "viewer_id": "a",
        "series_id": "00000000-0000-0000-0000-000000000001",
        "coins": 1,
        "value_micros": micros,
        "created_at": utc(at),
    }


@pytest.mark.parametrize(("zone", "earned", "days"), DAYS)
def test_revenue_is_on_the_days_of_the_book(
    zone: str, earned: list[tuple[str, int]], days: dict[str, int]
) -> None:
    tables = {
        "unlocks": [_unlock(number, *each) for number, each in enumerate(earned)],
        "earnings": [
            {"source": "coins", "earned_micros": micros, "created_at": utc(at)}
            for at, micros in earned
        ],
    }
    since, until = (date.fromisoformat(day) for day in (min(days), max(days)))
    with lake([], watermark=utc("2027-01-01 00:00"), zone=ZoneInfo(zone), tables=tables) as source:
        by_title = revenue.by_title(source=source, currency="USD", since=since, until=until)
        by_day = money.by_day(source=source, currency="USD", since=since, until=until)

    assert {row.day.isoformat(): row.total_micros for row in by_title.days} == days
    assert {
        row.day.isoformat(): row.recognised_micros
        for row in by_day.rows
        if row.source is Origin.COINS and row.recognised_micros
    } == days


@pytest.mark.parametrize(
    ("zone", "opened", "paid", "value"),
    [
        ("Asia/Kolkata", "2026-03-10 18:29:59", "2026-03-10 18:30:00", [0, 9]),
        ("Asia/Kolkata", "2026-03-10 18:30:00", "2026-03-11 18:29:59", [9, 9]),
        ("America/New_York", "2026-03-08 05:00:00", "2026-03-09 04:00:00", [0, 9]),
        ("America/New_York", "2026-11-01 04:00:00", "2026-11-02 04:59:59", [9, 9]),
        ("Australia/Lord_Howe", "2026-04-04 13:00:00", "2026-04-05 13:29:59", [9, 9]),
        ("Australia/Lord_Howe", "2026-10-03 13:30:00", "2026-10-04 13:00:00", [0, 9]),
        ("Africa/Casablanca", "2026-02-14 23:00:00", "2026-02-15 23:59:59", [9, 9]),
        ("Africa/Casablanca", "2026-03-22 00:00:00", "2026-03-22 23:00:00", [0, 9]),
    ],
)
def test_ltv_is_of_the_viewers_days_in_the_book(
    zone: str, opened: str, paid: str, value: list[int]
) -> None:
    bill = {
        "source": "coins",
        "viewer_id": "a",
        "paid_micros": 9,
        "net_micros": 9,
        "created_at": utc(paid),
    }
    rows = [opened_app("a", utc(opened))]
    with lake(
        rows,
        watermark=utc("2027-01-01 00:00"),
        zone=ZoneInfo(zone),
        tables={"billings": [bill]},
    ) as source:
        (cohort,) = ltv.table(source=source, by=Period.DAY, currency="USD", horizons=(0, 1)).cohorts
    assert [each.ltv_micros for each in cohort.values] == value
