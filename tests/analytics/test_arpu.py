"""An analyst reads what an active viewer brings, and what a payer does, by day, week and month."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import arpu
from analytics.reports.arpu import ArpuReport, Bucket
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, opened_app, played, utc
from tests.proof import Proof

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
START = utc("2026-03-10 10:00")


def _bill(viewer: str, at: datetime, net: int) -> Row:
    return {
        "source": "coins",
        "viewer_id": viewer,
        "paid_micros": net,
        "net_micros": net,
        "created_at": at,
    }


def _ad(viewer: str, at: datetime, micros: int) -> Row:
    return {
        "unlock_id": "u",
        "means": "ad",
        "viewer_id": viewer,
        "coins": 0,
        "value_micros": micros,
        "created_at": at,
    }


def _read(
    rows: Sequence[Row],
    bills: Sequence[Row] = (),
    ads: Sequence[Row] = (),
    *,
    watermark: datetime,
    zone: ZoneInfo = ZONES[0],
    by: Bucket = Bucket.DAY,
    since: date | None = None,
    until: date | None = None,
) -> ArpuReport:
    tables = {"billings": bills, "unlocks": ads}
    with lake(rows, watermark=watermark, zone=zone, tables=tables) as source:
        return arpu.table(source=source, by=by, currency="USD", since=since, until=until)


def test_divides_by_the_active_and_by_the_payers() -> None:
    rows = [opened_app(viewer, START) for viewer in "abc"] + [played("d", START, to_ms=1000)]
    rows += [played("e", START, to_ms=999), opened_app("a", START + HOUR)]

    (row,) = _read(
        rows,
        [_bill("a", START, 30), _bill("b", START, 10)],
        [_ad("c", START, 4)],
        watermark=START + DAY,
    ).rows

    assert (row.active_viewers, row.payers, row.net_micros, row.ad_micros) == (4, 2, 40, 4)
    assert (row.arpu_micros, row.arppu_micros) == (11, 20)


@pytest.mark.parametrize(
    ("by", "starts_on", "over"),
    [
        (Bucket.DAY, "2026-03-10", "2026-03-11"),
        (Bucket.WEEK, "2026-03-09", "2026-03-16"),
        (Bucket.MONTH, "2026-03-01", "2026-04-01"),
    ],
)
def test_ratios_are_empty_until_the_period_is_over(by: Bucket, starts_on: str, over: str) -> None:
    rows, over_at = [opened_app("a", START)], utc(f"{over} 00:00")

    (short,) = _read(rows, watermark=over_at - SECOND, by=by).rows
    (filled,) = _read(rows, watermark=over_at, by=by).rows

    assert short.starts_on.isoformat() == filled.starts_on.isoformat() == starts_on
    assert (short.is_complete, short.active_viewers, short.arpu_micros) == (False, 1, None)
    assert (filled.is_complete, filled.arpu_micros, filled.arppu_micros) == (True, 0, None)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_month_begins_at_the_zones_own_midnight(zone: ZoneInfo) -> None:
    midnight = local("2026-04-01 00:00", zone)
    rows = [opened_app("a", midnight - SECOND), opened_app("a", midnight)]

    report = _read(rows, watermark=midnight + 40 * DAY, zone=zone, by=Bucket.MONTH)

    assert [(row.starts_on.month, row.active_viewers) for row in report.rows] == [(3, 1), (4, 1)]


def test_a_refund_counts_on_its_own_day_and_makes_no_payer_of_that_day() -> None:
    bills = [_bill("a", START, 100), _bill("a", START + DAY, -100)]

    first, second = _read([], bills, watermark=START + 9 * DAY).rows

    assert (first.payers, first.net_micros, first.arppu_micros) == (1, 100, 100)
    assert (second.payers, second.net_micros, second.arppu_micros) == (0, -100, None)


def test_a_range_takes_both_its_days() -> None:
    rows = [opened_app("a", START + n * DAY) for n in range(5)]

    report = _read(
        rows, watermark=START + 9 * DAY, since=date(2026, 3, 11), until=date(2026, 3, 13)
    )

    assert [row.starts_on.day for row in report.rows] == [11, 12, 13]
    assert report.filters == {"since": "2026-03-11", "until": "2026-03-13"}


def _first_day(moment: datetime, zone: ZoneInfo, by: Bucket) -> date:
    day = moment.astimezone(zone).date()
    return {
        Bucket.DAY: day,
        Bucket.WEEK: day - timedelta(days=day.weekday()),
        Bucket.MONTH: day.replace(day=1),
    }[by]


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    moments = st.integers(0, 40 * 24 * 60)

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        visits=st.lists(
            st.tuples(st.sampled_from("abc"), moments, st.sampled_from([None, 999, 1000])),
            max_size=8,
        ),
        bills=st.lists(
            st.tuples(st.sampled_from("abc"), moments, st.integers(-100, 300)), max_size=8
        ),
        ads=st.lists(st.tuples(st.sampled_from("abc"), moments, st.integers(0, 50)), max_size=4),
        zone=st.sampled_from(ZONES),
        by=st.sampled_from(Bucket),
        start=st.sampled_from([utc("2026-03-01 00:00"), utc("2026-10-20 00:00")]),
    )
    def explore(
        visits: list[tuple[str, int, int | None]],
        bills: list[tuple[str, int, int]],
        ads: list[tuple[str, int, int]],
        zone: ZoneInfo,
        by: Bucket,
        start: datetime,
    ) -> None:
        def at(minute: int) -> datetime:
            return start + timedelta(minutes=minute)

        rows = [
            opened_app(viewer, at(minute)) if ms is None else played(viewer, at(minute), to_ms=ms)
            for viewer, minute, ms in visits
        ]
        billed = [_bill(viewer, at(minute), micros) for viewer, minute, micros in bills]
        earned = [_ad(viewer, at(minute), micros) for viewer, minute, micros in ads]
        active: dict[date, set[str]] = {}
        for row in rows:
            if row["type"] == "app_open" or row["actual_ms"] >= 1000:
                period = _first_day(row["occurred_at"], zone, by)
                active.setdefault(period, set()).add(row["viewer_id"])
        paid: dict[date, dict[str, int]] = {}
        for row in billed:
            of_period = paid.setdefault(_first_day(row["created_at"], zone, by), {})
            of_period[row["viewer_id"]] = of_period.get(row["viewer_id"], 0) + row["net_micros"]
        shown: dict[date, int] = {}
        for row in earned:
            period = _first_day(row["created_at"], zone, by)
            shown[period] = shown.get(period, 0) + row["value_micros"]

        report = _read(rows, billed, earned, watermark=start + 90 * DAY, zone=zone, by=by)

        assert [row.starts_on for row in report.rows] == sorted({*active, *paid, *shown})
        for row in report.rows:
            viewers = len(active.get(row.starts_on, ()))
            of_period = paid.get(row.starts_on, {})
            net, ad = sum(of_period.values()), shown.get(row.starts_on, 0)
            payers = sum(1 for micros in of_period.values() if micros > 0)
            assert (row.active_viewers, row.payers, row.net_micros, row.ad_micros) == (
                viewers,
                payers,
                net,
                ad,
            )
            assert row.arpu_micros == (round(Fraction(net + ad, viewers)) if viewers else None)
            assert row.arppu_micros == (round(Fraction(net, payers)) if payers else None)

    explore()
    proof.record("A1", "ARPU and ARPPU equal their definitions in plain Python", violations=0)
