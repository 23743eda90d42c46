"""An analyst reads who came back, by the clocks of the reporting zone."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.reports import retention
from analytics.reports.cohorts import CohortFilter
from analytics.reports.local_days import Period
from analytics.reports.retention import Mode, RetentionReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, opened_app, played, utc

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo("UTC"), SHANGHAI, NEW_YORK, BERLIN]


def _read(
    rows: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo = ZONES[0],
    by: Period = Period.DAY,
    mode: Mode = Mode.CALENDAR,
    horizon: int = 2,
    only: CohortFilter = CohortFilter(),  # noqa: B008
) -> RetentionReport:
    with lake(rows, watermark=watermark, zone=zone) as source:
        return retention.matrix(source=source, by=by, mode=mode, horizon=horizon, only=only)


def _cells(report: RetentionReport) -> dict[str, tuple[int, list[int | None]]]:
    return {
        cohort.starts_on.isoformat(): (cohort.viewers, list(cohort.active))
        for cohort in report.cohorts
    }


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_begins_at_the_zones_own_midnight(zone: ZoneInfo) -> None:
    midnight = local("2026-03-05 00:00", zone)
    rows = [
        opened_app("a", midnight - SECOND),
        opened_app("b", midnight),
        opened_app("a", midnight),
        opened_app("b", midnight + DAY - SECOND),
    ]

    found = _cells(_read(rows, watermark=midnight + 9 * DAY, zone=zone))

    assert found == {"2026-03-04": (1, [1, 1, 0]), "2026-03-05": (1, [1, 0, 0])}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
    ],
)
def test_the_day_of_a_clock_change_has_23_or_25_hours(zone: ZoneInfo, day: str, hours: int) -> None:
    midnight = local(f"{day} 00:00", zone)
    over = midnight + hours * HOUR
    rows = [opened_app("a", midnight), opened_app("a", over - SECOND), opened_app("b", over)]

    before = _cells(_read(rows, watermark=over - timedelta(microseconds=1), zone=zone))
    after = _cells(_read(rows, watermark=over + DAY, zone=zone))

    following = (date.fromisoformat(day) + DAY).isoformat()
    assert before == {day: (1, [None, None, None])}
    assert after == {day: (1, [1, 0, None]), following: (1, [1, None, None])}


def test_elapsed_windows_last_24_hours_whatever_the_clocks_do() -> None:
    first = local("2026-03-07 12:00", NEW_YORK)
    just_in = [opened_app("a", first), opened_app("a", first + DAY)]
    just_not = [opened_app("b", first), opened_app("b", first + DAY - SECOND)]

    found = _read(just_in + just_not, watermark=first + 9 * DAY, zone=NEW_YORK, mode=Mode.ELAPSED)

    assert _cells(found) == {"2026-03-07": (2, [2, 1, 0])}


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_week_begins_on_the_zones_monday(zone: ZoneInfo) -> None:
    monday = local("2026-03-09 00:00", zone)
    rows = [
        opened_app("a", monday - SECOND),
        opened_app("b", monday),
        opened_app("a", monday),
        opened_app("b", monday + 6 * DAY),
    ]

    found = _cells(_read(rows, watermark=monday + 15 * DAY, zone=zone, by=Period.WEEK, horizon=1))

    assert found == {"2026-03-02": (1, [1, 1]), "2026-03-09": (1, [1, 0])}


@pytest.mark.parametrize("mode", Mode)
def test_a_cohort_one_hour_short_of_its_window_is_empty_and_filled_one_hour_later(
    mode: Mode,
) -> None:
    rows = [
        opened_app("early", utc("2026-03-01 00:00")),
        opened_app("late", utc("2026-03-01 23:00")),
        opened_app("late", utc("2026-03-02 23:30")),
    ]
    mature_at = utc("2026-03-03 00:00") if mode is Mode.CALENDAR else utc("2026-03-03 23:00")

    short = _read(rows, watermark=mature_at - HOUR, mode=mode).cohorts[0]
    filled = _read(rows, watermark=mature_at, mode=mode).cohorts[0]

    assert (short.active[1], short.share[1]) == (None, None)
    assert (filled.active[1], filled.share[1]) == (1, 0.5)


def test_a_cohort_whose_day_is_not_over_is_empty_even_if_its_members_had_their_window() -> None:
    zone, midnight = NEW_YORK, local("2026-11-01 00:00", NEW_YORK)

    found = _read(
        [opened_app("a", midnight)],
        watermark=midnight + 24 * HOUR,
        zone=zone,
        mode=Mode.ELAPSED,
    )

    assert found.cohorts[0].active[0] is None


def test_totals_divide_sums_over_mature_cohorts_alone() -> None:
    rows = [
        *(opened_app(f"a{n}", utc("2026-03-01 10:00")) for n in range(9)),
        opened_app("a0", utc("2026-03-02 10:00")),
        opened_app("b", utc("2026-03-02 10:00")),
        opened_app("b", utc("2026-03-03 10:00")),
        opened_app("c", utc("2026-03-03 10:00")),
    ]

    totals = _read(rows, watermark=utc("2026-03-04 00:00")).totals

    assert [(total.viewers, total.active) for total in totals] == [(11, 11), (10, 2), (9, 0)]
    assert [total.share for total in totals] == [1.0, 0.2, 0.0]


def test_a_second_watched_counts_as_being_there_and_the_first_open_alone_makes_a_member() -> None:
    rows = [
        opened_app("a", utc("2026-03-01 10:00")),
        played("a", utc("2026-03-02 10:00"), to_ms=1000),
        played("a", utc("2026-03-03 10:00"), to_ms=999),
        played("never opened", utc("2026-03-01 10:00")),
    ]

    assert _cells(_read(rows, watermark=utc("2026-03-09 00:00"))) == {"2026-03-01": (1, [1, 1, 0])}


def test_filters_look_at_the_first_open() -> None:
    rows = [
        opened_app("a", utc("2026-03-01 10:00"), channel="tiktok", country="DE", platform="ios"),
        opened_app("a", utc("2026-03-02 10:00"), channel="organic", country="US"),
        opened_app("b", utc("2026-03-01 10:00"), channel="organic"),
        opened_app("c", utc("2026-03-01 10:00"), channel=None),
    ]
    only = CohortFilter(channel="tiktok", country="DE", platform="ios")

    report = _read(rows, watermark=utc("2026-03-09 00:00"), only=only)

    assert _cells(report) == {"2026-03-01": (1, [1, 1, 0])}
    assert report.filters == {"channel": "tiktok", "country": "DE", "platform": "ios"}


def test_sandbox_viewers_are_left_out_and_counted() -> None:
    rows = [
        opened_app("a", utc("2026-03-01 10:00")),
        opened_app("tester", utc("2026-03-01 10:00"), environment="sandbox"),
    ]

    report = _read(rows, watermark=utc("2026-03-09 00:00"))

    assert _cells(report) == {"2026-03-01": (1, [1, 0, 0])}
    assert "1 sandbox viewers left out" in report.population


def test_an_empty_lake_has_no_cohorts() -> None:
    report = _read([], watermark=utc("2026-03-09 00:00"))

    assert report.cohorts == []
    assert [total.share for total in report.totals] == [None, None, None]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time()).replace(tzinfo=zone)


def _window(
    start: date, first: datetime, offset: int, *, zone: ZoneInfo, by: Period, mode: Mode
) -> tuple[datetime, datetime]:
    length = timedelta(days=by.days)
    if mode is Mode.ELAPSED:
        return first + offset * length, first + (offset + 1) * length
    return _midnight(start + offset * length, zone), _midnight(start + (offset + 1) * length, zone)


def _by_hand(
    rows: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo,
    by: Period,
    mode: Mode,
    horizon: int,
) -> dict[str, tuple[int, list[int | None]]]:
    """The same in plain Python, from the definition."""
    seen = [row for row in rows if row["occurred_at"] < watermark]
    first: dict[str, datetime] = {}
    for row in sorted(seen, key=lambda row: row["occurred_at"]):
        if row["type"] == "app_open":
            first.setdefault(row["viewer_id"], row["occurred_at"])
    cohorts: dict[date, list[str]] = {}
    for viewer, moment in first.items():
        day = moment.astimezone(zone).date()
        start = day if by is Period.DAY else day - timedelta(days=day.weekday())
        cohorts.setdefault(start, []).append(viewer)
    found = {}
    for start, members in sorted(cohorts.items()):
        closed = _midnight(start + timedelta(days=by.days), zone)
        cells: list[int | None] = []
        for offset in range(horizon + 1):
            windows = {
                viewer: _window(start, first[viewer], offset, zone=zone, by=by, mode=mode)
                for viewer in members
            }
            present = {
                row["viewer_id"]
                for row in seen
                if row["viewer_id"] in windows
                and (row["type"] == "app_open" or row["actual_ms"] >= 1000)
                and row["occurred_at"] >= first[row["viewer_id"]]
                and windows[row["viewer_id"]][0]
                <= row["occurred_at"]
                < windows[row["viewer_id"]][1]
            }
            is_mature = max([closed, *(end for _, end in windows.values())]) <= watermark
            cells.append(len(present) if is_mature else None)
        found[start.isoformat()] = len(members), cells
    return found


@settings(max_examples=60, deadline=None)
@given(
    visits=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([None, 0, 999, 1000]),
            st.integers(0, 20 * 24 * 60),
        ),
        max_size=14,
    ),
    zone=st.sampled_from(ZONES),
    by=st.sampled_from(Period),
    mode=st.sampled_from(Mode),
    hours=st.integers(0, 30 * 24),
    start=st.sampled_from([utc("2026-03-01 00:00"), utc("2026-10-20 00:00")]),
)
def test_equals_the_definition_worked_out_by_hand(
    visits: list[tuple[str, int | None, int]],
    zone: ZoneInfo,
    by: Period,
    mode: Mode,
    hours: int,
    start: datetime,
) -> None:
    moments = [(viewer, ms, start + timedelta(minutes=minute)) for viewer, ms, minute in visits]
    rows = [
        opened_app(viewer, at) if ms is None else played(viewer, at, to_ms=ms)
        for viewer, ms, at in moments
    ]
    watermark = start + hours * HOUR

    found = _cells(_read(rows, watermark=watermark, zone=zone, by=by, mode=mode, horizon=3))

    assert found == _by_hand(rows, watermark=watermark, zone=zone, by=by, mode=mode, horizon=3)
