"""An analyst reads which titles lead, and how much of the chart AI had a part in."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import charts
from analytics.reports.charts import ChartReport, Measure
from analytics.reports.refusals import ReportImpossible
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, played, utc
from tests.proof import Proof

KINDS = ("human", "ai_assisted", "ai_native")
SERIES = [str(UUID(int=number)) for number in range(1, 5)]
PROVENANCE = dict(zip(SERIES, ("human", "ai_native", "ai_native", "ai_assisted"), strict=True))
ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
DAY_1 = date(2026, 3, 1)
START = utc("2026-03-01 10:00")
LATER = START + 30 * DAY


def _titles() -> list[Row]:
    return [
        {
            "series_id": series,
            "external_id": f"title {series[-1]}",
            "genre": "",
            "locale": "en",
            "provenance": PROVENANCE[series],
            "is_published": True,
        }
        for series in SERIES
    ]


def _play(viewer: str, at: datetime, series: str, ms: int = 1000) -> Row:
    return played(viewer, at, series=series, session=f"{viewer}/{series}/{at}", to_ms=ms)


def _unlock(at: datetime, series: str | None, micros: int) -> Row:
    return {
        "unlock_id": "u",
        "means": "coins",
        "viewer_id": "a",
        "series_id": series,
        "value_micros": micros,
        "created_at": at,
    }


def _read(
    rows: Sequence[Row] = (),
    unlocks: Sequence[Row] = (),
    *,
    by: Measure = Measure.REVENUE,
    watermark: datetime = LATER,
    zone: ZoneInfo = ZONES[0],
    since: date = DAY_1,
    until: date = DAY_1,
    length: int = 50,
) -> ChartReport:
    tables = {"unlocks": unlocks, "titles": _titles()}
    with lake(rows, watermark=watermark, zone=zone, tables=tables) as source:
        return charts.top(
            source=source, currency="USD", by=by, since=since, until=until, length=length
        )


def test_each_measure_has_an_order_of_its_own() -> None:
    rows = [
        *(_play(viewer, START, SERIES[0]) for viewer in "abc"),
        _play("a", START, SERIES[1], 90_000),
        _play("b", START - 3 * DAY, SERIES[2]),
        *(_play(viewer, START, SERIES[2], 1500) for viewer in "abcd"),
    ]
    unlocks = [_unlock(START, SERIES[1], 5), _unlock(START, SERIES[2], 9)]

    found = {
        by: [row.external_id[-1] for row in _read(rows, unlocks, by=by).rows] for by in Measure
    }

    assert found == {
        Measure.STARTS: ["1", "3", "2"],
        Measure.VIEWERS: ["3", "1", "2"],
        Measure.WATCHED: ["2", "3", "1"],
        Measure.REVENUE: ["3", "2"],
    }


def test_equal_ones_are_in_the_order_of_their_names_and_places_count_from_one() -> None:
    unlocks = [_unlock(START, series, 5) for series in reversed(SERIES)]

    report = _read(unlocks=unlocks, length=3)

    assert [(row.place, row.external_id) for row in report.rows] == [
        (1, "title 1"),
        (2, "title 2"),
        (3, "title 3"),
    ]


def test_shares_are_of_titles_and_of_revenue() -> None:
    unlocks = [
        _unlock(START, series, micros)
        for series, micros in zip(SERIES, (10, 20, 30, 40), strict=True)
    ]

    shares = {one.provenance: one for one in _read(unlocks=unlocks).shares}

    assert {kind: shares[kind].titles for kind in KINDS} == {
        "human": 1,
        "ai_assisted": 1,
        "ai_native": 2,
    }
    assert shares["ai_native"].share == pytest.approx(0.5)
    assert shares["ai_native"].revenue_share == pytest.approx(0.5)
    assert shares["ai_assisted"].revenue_share == pytest.approx(0.4)


def test_an_empty_chart_has_no_shares() -> None:
    report = _read()

    assert report.rows == []
    assert (
        {one.share for one in report.shares}
        == {one.revenue_share for one in report.shares}
        == {None}
    )


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-06-01"])
@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_is_one_of_the_reporting_zone(zone: ZoneInfo, day: str) -> None:
    begins = local(f"{day} 00:00", zone)
    ends = local(f"{date.fromisoformat(day) + DAY} 00:00", zone)
    moments = [begins - SECOND, begins, ends - SECOND, ends]
    unlocks = [_unlock(at, SERIES[0], 10**n) for n, at in enumerate(moments)]
    asked = {"since": date.fromisoformat(day), "until": date.fromisoformat(day)}

    (row,) = _read(unlocks=unlocks, zone=zone, watermark=ends, **asked).rows

    assert row.revenue_micros == 110


def test_a_day_that_is_not_over_has_no_chart() -> None:
    with pytest.raises(ReportImpossible, match="over"):
        _read(watermark=utc("2026-03-02 00:00") - SECOND)
    with pytest.raises(ReportImpossible, match="before"):
        _read(since=DAY_1 + DAY)


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    hours = st.integers(0, 9 * 24)

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        plays=st.lists(
            st.tuples(
                st.sampled_from("abc"),
                hours,
                st.sampled_from(SERIES),
                st.sampled_from([999, 1000, 7000]),
            ),
            max_size=12,
        ),
        spends=st.lists(
            st.tuples(hours, st.sampled_from([*SERIES, None]), st.integers(-50, 300)), max_size=8
        ),
        by=st.sampled_from(Measure),
        zone=st.sampled_from(ZONES),
        first=st.integers(0, 5),
        days=st.integers(1, 4),
        length=st.integers(1, 4),
        start=st.sampled_from([utc("2026-03-05 00:30"), utc("2026-10-30 00:30")]),
    )
    def explore(
        plays: list[tuple[str, int, str, int]],
        spends: list[tuple[int, str | None, int]],
        by: Measure,
        zone: ZoneInfo,
        first: int,
        days: int,
        length: int,
        start: datetime,
    ) -> None:
        since = start.date() + timedelta(days=first)
        until = since + timedelta(days=days - 1)
        rows = [_play(who, start + hour * HOUR, series, ms) for who, hour, series, ms in plays]
        unlocks = [_unlock(start + hour * HOUR, series, micros) for hour, series, micros in spends]

        def counts(moment: datetime) -> bool:
            return since <= moment.astimezone(zone).date() <= until

        figures: dict[str, list[int]] = {}
        for series in SERIES:
            own = [row for row in rows if row["series_id"] == series]
            begun: dict[str, datetime] = {}
            # Each hour's session is one of its own; those of one hour are the same.
            sessions: dict[str, list[Row]] = {}
            for row in own:
                sessions.setdefault(row["playback_session_id"], []).append(row)
            for stretch in sessions.values():
                if sum(row["actual_ms"] for row in stretch) >= 1000:
                    began = min(
                        row["occurred_at"] - timedelta(milliseconds=row["actual_ms"])
                        for row in stretch
                    )
                    who = stretch[0]["viewer_id"]
                    begun[who] = min(began, begun.get(who, began))
            within = [row for row in own if counts(row["occurred_at"])]
            figures[series] = [
                sum(1 for moment in begun.values() if counts(moment)),
                len({row["viewer_id"] for row in within if row["actual_ms"] >= 1000}),
                sum(row["actual_ms"] for row in within),
                sum(
                    row["value_micros"]
                    for row in unlocks
                    if row["series_id"] == series and counts(row["created_at"])
                ),
            ]
        place = list(Measure).index(by)
        order = sorted(SERIES, key=lambda series: (-figures[series][place], series))
        expected = [series for series in order if figures[series][place] > 0][:length]

        report = _read(
            rows,
            unlocks,
            by=by,
            watermark=start + 20 * DAY,
            zone=zone,
            since=since,
            until=until,
            length=length,
        )

        assert [str(row.series_id) for row in report.rows] == expected
        for row in report.rows:
            found = [row.starts, row.viewers, row.watched_ms, row.revenue_micros]
            assert found == figures[str(row.series_id)]
        for share in report.shares:
            own_titles = [series for series in expected if PROVENANCE[series] == share.provenance]
            assert share.titles == len(own_titles)
            assert share.revenue_micros == sum(figures[series][3] for series in own_titles)

    explore()
    proof.record("A1", "top charts equal their definitions in plain Python", violations=0)
