"""An analyst reads who buys again, and when; what went back was never bought."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import repurchase, rhythm
from analytics.reports.arpu import Bucket
from analytics.reports.refusals import ReportImpossible
from analytics.reports.repurchase import RepurchaseReport
from tests.analytics.lakes import DAY, HOUR, Row, lake, local, utc
from tests.proof import Proof

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
START = utc("2026-03-01 10:00")


def _sale(viewer: str, at: datetime, paid: int = 100, *, name: str = "") -> Row:
    return {
        "purchase_id": name or f"{viewer}/{at}/{paid}",
        "source": "coins",
        "viewer_id": viewer,
        "paid_micros": paid,
        "gross_micros": paid,
        "sold_at": at,
        "created_at": at,
    }


def _refund(sale: Row, at: datetime, micros: int) -> Row:
    return sale | {"paid_micros": -micros, "gross_micros": -micros, "created_at": at}


def _read(
    sales: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo = ZONES[0],
    by: Bucket = Bucket.MONTH,
    horizon: int = 2,
) -> RepurchaseReport:
    with lake([], watermark=watermark, zone=zone, tables={"sales": sales}) as source:
        return repurchase.table(source=source, by=by, horizon=horizon)


def test_a_second_purchase_within_thirty_days_is_a_repeat_and_a_later_one_is_none() -> None:
    sales = [
        *(_sale("a", START), _sale("a", START + 30 * DAY - HOUR)),
        *(_sale("b", START), _sale("b", START + 30 * DAY)),
        _sale("c", START),
    ]

    (cohort,) = _read(sales, watermark=utc("2026-06-15 00:00")).cohorts

    assert (cohort.starts_on, cohort.payers, cohort.repeated) == (date(2026, 3, 1), 3, 1)
    assert cohort.buyers == [3, 0, 0]
    assert cohort.repurchase_rate == 1 / 3


def test_what_went_back_in_full_was_never_bought_and_what_went_back_later_still_was() -> None:
    whole, partly, later = (_sale(name, START) for name in "abc")
    sales = [
        *(whole, _refund(whole, START + DAY, 100), _sale("a", START + 40 * DAY)),
        *(partly, _refund(partly, START + DAY, 99)),
        *(later, _refund(later, utc("2026-06-15 00:00"), 100)),
        _sale("d", START, 0),
    ]

    march, april = _read(sales, watermark=utc("2026-06-15 00:00")).cohorts

    assert (march.payers, april.payers) == (2, 1)


def test_a_cell_is_empty_until_it_is_over() -> None:
    report = _read([_sale("a", START)], watermark=utc("2026-04-30 23:59"))

    (cohort,) = report.cohorts
    assert (cohort.repeated, cohort.repurchase_rate) == (None, None)
    assert cohort.buyers == [1, None, None]
    assert (report.total_payers, report.total_repeated, report.total_rate) == (0, None, None)


def test_a_rhythm_is_counted_in_local_days_and_ends_with_a_whole_one() -> None:
    zone = ZONES[1]
    sales = [
        _sale("a", local("2026-03-01 23:30", zone)),
        _sale("a", local("2026-03-02 00:30", zone), 7),
        _sale("a", local("2026-03-09 00:30", zone), 9),
        _sale("b", local("2026-03-01 12:00", zone)),
        _sale("c", local("2026-03-11 00:00", zone)),
    ]
    watermark = local("2026-03-11 12:00", zone)

    with lake([], watermark=watermark, zone=zone, tables={"sales": sales}) as source:
        report = rhythm.table(source=source, currency="USD")
        later = rhythm.table(source=source, currency="USD", since=date(2026, 3, 2))
        with pytest.raises(ReportImpossible):
            rhythm.table(source=source, currency="USD", until=date(2026, 3, 11))

    assert report.until == date(2026, 3, 10)
    assert [tuple(_values(row)) for row in report.rows] == [(0, 0, 9, 1, 0), (2, 8, 9, 1, 16)]
    assert later.rows == []


def _values(row: Any) -> Sequence[int]:
    return [getattr(row, name) for name in row.__struct_fields__]


MOMENTS = st.integers(0, 120 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
SALES = st.lists(st.tuples(st.sampled_from("abcd"), MOMENTS, st.integers(0, 2)), max_size=14)


def test_any_sales_are_counted_as_plain_python_counts_them(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1000),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(SALES, st.sampled_from(ZONES), st.sampled_from(Bucket))
    def agree(told: Sequence[tuple[str, datetime, int]], zone: ZoneInfo, by: Bucket) -> None:
        watermark = START + 100 * DAY
        sales = [_sale(*sale, name=str(number)) for number, sale in enumerate(told)]
        report = _read(sales, watermark=watermark, zone=zone, by=by, horizon=3)
        assert _plain(report) == _expected(told, watermark, zone, by)

    agree()
    proof.record("A1", "repurchase cohorts equal their definitions in plain Python", violations=0)


def _plain(report: RepurchaseReport) -> Mapping[date, tuple[object, ...]]:
    return {each.starts_on: (each.payers, each.repeated, *each.buyers) for each in report.cohorts}


def _expected(
    told: Sequence[tuple[str, datetime, int]], watermark: datetime, zone: ZoneInfo, by: Bucket
) -> Mapping[date, tuple[object, ...]]:
    bought = defaultdict[str, list[datetime]](list)
    for viewer, at, paid in told:
        if paid and at < watermark:
            bought[viewer].append(at)
    members = defaultdict[date, list[list[datetime]]](list)
    for moments in map(sorted, bought.values()):
        members[by.first_day(moments[0].astimezone(zone).date())].append(moments)
    return {
        period: (
            len(cohort),
            _again(cohort) if _ends(period, zone, by) + 30 * DAY <= watermark else None,
            *_buyers(cohort, period, watermark, zone, by),
        )
        for period, cohort in members.items()
    }


def _again(cohort: Sequence[Sequence[datetime]]) -> int:
    return sum(len(of) > 1 and of[1] - of[0] < 30 * DAY for of in cohort)


def _buyers(
    cohort: Sequence[Sequence[datetime]],
    period: date,
    watermark: datetime,
    zone: ZoneInfo,
    by: Bucket,
) -> list[int | None]:
    found: list[int | None] = []
    for _ in range(4):
        days = [{by.first_day(at.astimezone(zone).date()) for at in of} for of in cohort]
        is_over = _ends(period, zone, by) <= watermark
        found.append(sum(period in of for of in days) if is_over else None)
        period = by.following(period)
    return found


def _ends(period: date, zone: ZoneInfo, by: Bucket) -> datetime:
    return local(by.following(period).isoformat(), zone)
