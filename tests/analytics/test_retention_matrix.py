"""An analyst reads who came back, by the clocks of the reporting zone."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import retention
from analytics.reports.cohorts import CohortFilter, Split
from analytics.reports.local_days import Period
from analytics.reports.refusals import ReportImpossible
from analytics.reports.retention import Mode, RetentionReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, opened_app, played, utc
from tests.proof import Proof

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LONG_AFTER = utc("2100-01-01 00:00")
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
    split: Split | None = None,
    exposures: Sequence[Row] = (),
) -> RetentionReport:
    tables = {"exposures": exposures}
    with lake(rows, watermark=watermark, zone=zone, tables=tables) as source:
        return retention.matrix(
            source=source, by=by, mode=mode, horizon=horizon, only=only, split=split
        )


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
    mature_at = utc("2026-03-03 23:00") if mode is Mode.ELAPSED else utc("2026-03-03 00:00")

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


def test_whoever_comes_later_still_counts_on_or_after_every_day_before() -> None:
    rows = [
        *(opened_app(viewer, utc("2026-03-01 10:00")) for viewer in "abc"),
        opened_app("a", utc("2026-03-05 10:00")),
        opened_app("b", utc("2026-03-02 10:00")),
    ]

    found = _read(rows, watermark=utc("2026-03-06 00:00"), mode=Mode.ON_OR_AFTER, horizon=5)

    assert _cells(found) == {"2026-03-01": (3, [3, 2, 1, 1, 1, None])}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (NEW_YORK, "2026-03-08"),
        (NEW_YORK, "2026-11-01"),
        (BERLIN, "2026-03-29"),
        (SHANGHAI, "2026-03-08"),
    ],
)
def test_both_ways_of_counting_are_right_around_a_midnight(zone: ZoneInfo, day: str) -> None:
    late = local(f"{day} 23:50", zone)
    rows = [
        opened_app("a", late),
        opened_app("a", late + timedelta(minutes=20)),
        opened_app("b", late),
        opened_app("b", late + DAY),
    ]

    calendar, elapsed = (
        _cells(_read(rows, watermark=late + 9 * DAY, zone=zone, mode=mode))[day]
        for mode in (Mode.CALENDAR, Mode.ELAPSED)
    )

    assert calendar == (2, [2, 2, 0])
    assert elapsed == (2, [2, 1, 0])


def _strata(report: RetentionReport) -> dict[str | None, list[int | None]]:
    return {cohort.stratum: [cohort.viewers, *cohort.active] for cohort in report.cohorts}


def test_viewers_of_a_day_are_divided_by_what_they_came_with() -> None:
    day, watermark = utc("2026-03-01 10:00"), utc("2026-03-09 00:00")
    rows = [
        opened_app("a", day, channel="tiktok", country="DE", platform="ios"),
        opened_app("b", day, channel="organic", country="US", platform="web"),
        opened_app("c", day, channel="organic", country=None, platform="web"),
        opened_app("a", day + DAY, channel="organic"),
    ]

    found = {
        split: _strata(_read(rows, watermark=watermark, split=split))
        for split in Split
        if split is not Split.ARM
    }

    assert found[Split.CHANNEL] == {"organic": [2, 2, 0, 0], "tiktok": [1, 1, 1, 0]}
    assert found[Split.COUNTRY] == {"": [1, 1, 0, 0], "DE": [1, 1, 1, 0], "US": [1, 1, 0, 0]}
    assert found[Split.PLATFORM] == {"ios": [1, 1, 1, 0], "web": [2, 2, 0, 0]}
    assert found[Split.FIRST_SERIES] == {"": [3, 3, 1, 0]}
    assert _strata(_read(rows, watermark=watermark)) == {None: [3, 3, 1, 0]}


def test_the_first_series_is_the_one_that_was_started_first() -> None:
    day, watermark = utc("2026-03-01 10:00"), utc("2026-03-09 00:00")
    rows = [
        opened_app("a", day),
        played("a", day + HOUR, series="late"),
        played("a", day + 60 * SECOND, series="early", version="v2"),
        played("a", day + SECOND, series="glanced at", version="v3", to_ms=999),
        opened_app("b", day),
    ]

    found = _strata(_read(rows, watermark=watermark, split=Split.FIRST_SERIES))
    kept = _read(rows, watermark=watermark, only=CohortFilter(first_series="early"))

    assert found == {"": [1, 1, 0, 0], "early": [1, 1, 0, 0]}
    assert [cohort.viewers for cohort in kept.cohorts] == [1]


def test_an_arm_is_that_of_the_experiment_which_is_asked_about() -> None:
    day, watermark = utc("2026-03-01 10:00"), utc("2026-03-09 00:00")
    rows = [opened_app(viewer, day) for viewer in "abcd"]
    met = [
        {"viewer_id": "a", "experiment": "free", "arm": "five", "exposed_at": day},
        {"viewer_id": "b", "experiment": "free", "arm": "ten", "exposed_at": day},
        {"viewer_id": "c", "experiment": "price", "arm": "five", "exposed_at": day},
        {"viewer_id": "d", "experiment": "free", "arm": "ten", "exposed_at": watermark},
    ]
    of_free = CohortFilter(experiment="free")

    found = _read(rows, watermark=watermark, split=Split.ARM, only=of_free, exposures=met)
    five = _read(
        rows, watermark=watermark, only=CohortFilter(experiment="free", arm="five"), exposures=met
    )

    assert {one.stratum: one.viewers for one in found.cohorts} == {"": 2, "five": 1, "ten": 1}
    assert [cohort.viewers for cohort in five.cohorts] == [1]
    assert five.filters == {"experiment": "free", "arm": "five"}


@pytest.mark.parametrize(
    ("only", "split"), [(CohortFilter(arm="five"), None), (CohortFilter(), Split.ARM)]
)
def test_arms_of_no_experiment_are_refused(only: CohortFilter, split: Split | None) -> None:
    with pytest.raises(ReportImpossible, match="experiment"):
        _read([], watermark=utc("2026-03-09 00:00"), only=only, split=split)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time()).replace(tzinfo=zone)


def _window(
    start: date, first: datetime, offset: int, *, zone: ZoneInfo, by: Period, mode: Mode
) -> tuple[datetime, datetime, datetime]:
    """From when, until when, and when it is over."""
    length = timedelta(days=by.days)
    if mode is Mode.ELAPSED:
        return first + offset * length, *[first + (offset + 1) * length] * 2
    begins = _midnight(start + offset * length, zone)
    ends = _midnight(start + (offset + 1) * length, zone)
    return begins, LONG_AFTER if mode is Mode.ON_OR_AFTER else ends, ends


def _by_hand(
    rows: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo,
    by: Period,
    mode: Mode,
    horizon: int,
    split: Split | None,
) -> dict[tuple[str, str | None], tuple[int, list[int | None]]]:
    """The same in plain Python, from the definition."""
    seen = [row for row in rows if row["occurred_at"] < watermark]
    first: dict[str, Row] = {}
    for row in sorted(seen, key=lambda row: (row["occurred_at"], row["event_id"])):
        if row["type"] == "app_open":
            first.setdefault(row["viewer_id"], row)
    cohorts: dict[tuple[date, str | None], list[str]] = {}
    for viewer, row in first.items():
        day = row["occurred_at"].astimezone(zone).date()
        start = day if by is Period.DAY else day - timedelta(days=day.weekday())
        stratum = None if split is None else _stratum(row, split, seen)
        cohorts.setdefault((start, stratum), []).append(viewer)
    found = {}
    for (start, stratum), members in cohorts.items():
        closed = _midnight(start + timedelta(days=by.days), zone)
        cells: list[int | None] = []
        for offset in range(horizon + 1):
            windows = {
                viewer: _window(
                    start, first[viewer]["occurred_at"], offset, zone=zone, by=by, mode=mode
                )
                for viewer in members
            }
            present = {
                row["viewer_id"]
                for row in seen
                if row["viewer_id"] in windows
                and (row["type"] == "app_open" or row["actual_ms"] >= 1000)
                and row["occurred_at"] >= first[row["viewer_id"]]["occurred_at"]
                and windows[row["viewer_id"]][0]
                <= row["occurred_at"]
                < windows[row["viewer_id"]][1]
            }
            is_mature = max([closed, *(over for _, _, over in windows.values())]) <= watermark
            cells.append(len(present) if is_mature else None)
        found[start.isoformat(), stratum] = len(members), cells
    return found


def _stratum(opened: Row, split: Split, seen: Sequence[Row]) -> str:
    if split is not Split.FIRST_SERIES:
        return opened[split] or ""
    sessions: dict[tuple[str, str], list[Row]] = {}
    for row in seen:
        if row["type"] == "playback_progress" and row["viewer_id"] == opened["viewer_id"]:
            sessions.setdefault((row["series_id"], row["playback_session_id"]), []).append(row)
    starts = [
        (
            min(row["occurred_at"] - timedelta(milliseconds=row["actual_ms"]) for row in stretch),
            series,
        )
        for (series, _), stretch in sessions.items()
        if sum(row["actual_ms"] for row in stretch) >= 1000
    ]
    return min(starts)[1] if starts else ""


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        visits=st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sampled_from([None, None, 0, 999, 1000]),
                st.integers(0, 20 * 24 * 60),
                st.sampled_from("xy"),
            ),
            max_size=14,
        ),
        zone=st.sampled_from(ZONES),
        by=st.sampled_from(Period),
        mode=st.sampled_from(Mode),
        split=st.sampled_from([None, Split.CHANNEL, Split.FIRST_SERIES]),
        hours=st.integers(0, 30 * 24),
        start=st.sampled_from([utc("2026-03-01 00:00"), utc("2026-10-20 00:00")]),
    )
    def explore(
        visits: list[tuple[str, int | None, int, str]],
        zone: ZoneInfo,
        by: Period,
        mode: Mode,
        split: Split | None,
        hours: int,
        start: datetime,
    ) -> None:
        rows = [
            opened_app(viewer, at, channel=what)
            if ms is None
            else played(viewer, at, to_ms=ms, series=what, session=what)
            for viewer, ms, at, what in (
                (viewer, ms, start + timedelta(minutes=minute), what)
                for viewer, ms, minute, what in visits
            )
        ]
        asked = {"watermark": start + hours * HOUR, "zone": zone, "by": by, "mode": mode}

        report = _read(rows, horizon=3, split=split, **asked)

        found = {
            (one.starts_on.isoformat(), one.stratum): (one.viewers, list(one.active))
            for one in report.cohorts
        }
        assert found == _by_hand(rows, horizon=3, split=split, **asked)

    explore()
    proof.record("A1", "retention equals its definition in plain Python", violations=0)
