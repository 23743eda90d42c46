"""An analyst reads what each cohort has brought by each horizon, and nothing before it is over."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import ltv
from analytics.reports.cohorts import Split
from analytics.reports.local_days import Period
from analytics.reports.ltv import CohortValue, LtvReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, opened_app, utc
from tests.proof import Proof

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
NEW_YORK = ZONES[2]
OPENED = utc("2026-03-01 10:00")
LATER = OPENED + 100 * DAY


def _bill(viewer: str, at: datetime, net: int, *, paid: int | None = None) -> Row:
    """A payment, or a refund if `net` is less than nothing."""
    return {
        "source": "coins",
        "viewer_id": viewer,
        "paid_micros": net if paid is None else paid,
        "net_micros": net,
        "created_at": at,
    }


def _ad(viewer: str, at: datetime, micros: int) -> Row:
    return {
        "unlock_id": "u",
        "means": "ad",
        "viewer_id": viewer,
        "series_id": "s",
        "coins": 0,
        "value_micros": micros,
        "created_at": at,
    }


def _read(
    opens: Sequence[Row],
    bills: Sequence[Row] = (),
    ads: Sequence[Row] = (),
    *,
    watermark: datetime = LATER,
    zone: ZoneInfo = ZONES[0],
    by: Period = Period.DAY,
    horizons: Sequence[int] = (0, 1, 7),
    split: Split | None = None,
) -> LtvReport:
    tables = {"billings": bills, "unlocks": ads}
    with lake(opens, watermark=watermark, zone=zone, tables=tables) as source:
        return ltv.table(source=source, by=by, currency="USD", horizons=horizons, split=split)


def _ltvs(cohort: CohortValue) -> list[int | None]:
    return [value.ltv_micros for value in cohort.values]


def test_payments_and_ads_add_up_from_day_to_day() -> None:
    opens = [opened_app("a", OPENED), opened_app("b", OPENED)]
    bills = [_bill("a", OPENED + HOUR, 100), _bill("a", OPENED + DAY, 50)]
    ads = [_ad("b", OPENED + 7 * DAY, 6), _ad("b", OPENED + 8 * DAY, 1000)]

    (cohort,) = _read(opens, bills, ads).cohorts

    assert _ltvs(cohort) == [50, 75, 78]
    assert [value.net_micros for value in cohort.values] == [100, 150, 150]
    assert [value.ad_micros for value in cohort.values] == [0, 0, 6]
    assert [value.arppu_micros for value in cohort.values] == [100, 150, 150]


def test_whose_money_all_went_back_is_no_payer() -> None:
    opens = [opened_app("a", OPENED), opened_app("b", OPENED)]
    bills = [
        _bill("a", OPENED, 85, paid=100),
        _bill("a", OPENED + DAY, -85, paid=-100),
        _bill("b", OPENED, 85, paid=100),
        _bill("b", OPENED + DAY, -42, paid=-50),
    ]

    (cohort,) = _read(opens, bills).cohorts

    assert [value.payers for value in cohort.values] == [2, 1, 1]
    assert [value.arppu_micros for value in cohort.values] == [85, 43, 43]


@pytest.mark.parametrize(("by", "days"), [(Period.DAY, 2), (Period.WEEK, 2)])
def test_a_horizon_is_empty_until_the_last_members_day_is_over(by: Period, days: int) -> None:
    # 2026-03-01 is a Sunday: the week's last day is its own.
    over = utc("2026-03-01 00:00") + days * DAY

    (short,) = _read([opened_app("a", OPENED)], watermark=over - SECOND, by=by).cohorts
    (filled,) = _read([opened_app("a", OPENED)], watermark=over, by=by).cohorts

    assert _ltvs(short) == [0, None, None]
    assert _ltvs(filled) == [0, 0, None]
    assert short.values[1].payers is None


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_day_0_ends_at_the_zones_midnight_when_clocks_change(day: str, hours: int) -> None:
    midnight = local(f"{day} 00:00", NEW_YORK)
    over = midnight + hours * HOUR
    bills = [_bill("a", over - SECOND, 1), _bill("a", over, 10)]

    (cohort,) = _read(
        [opened_app("a", midnight)], bills, zone=NEW_YORK, watermark=over + 9 * DAY
    ).cohorts

    assert _ltvs(cohort) == [1, 11, 11]


def test_money_from_before_the_first_open_counts_on_the_day_of_it() -> None:
    (cohort,) = _read([opened_app("a", OPENED)], [_bill("a", OPENED - 3 * DAY, 5)]).cohorts

    assert _ltvs(cohort) == [5, 5, 5]


def test_totals_are_of_cohorts_that_are_mature_alone() -> None:
    opens = [opened_app("a", OPENED), opened_app("b", OPENED + DAY)]
    bills = [_bill("a", OPENED, 100), _bill("b", OPENED + DAY, 300)]

    totals = _read(opens, bills, watermark=OPENED + 2 * DAY).totals

    assert [(total.viewers, total.ltv_micros) for total in totals] == [
        (2, 200),
        (1, 100),
        (0, None),
    ]


def test_strata_of_a_day_stand_apart() -> None:
    opens = [opened_app("a", OPENED, country="DE"), opened_app("b", OPENED, country="US")]

    report = _read(opens, [_bill("a", OPENED, 9)], split=Split.COUNTRY)

    assert {cohort.stratum: _ltvs(cohort)[0] for cohort in report.cohorts} == {"DE": 9, "US": 0}


def test_viewers_who_never_opened_the_app_are_in_no_cohort() -> None:
    assert _read([], [_bill("a", OPENED, 9)]).cohorts == []


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _by_hand(
    opens: Sequence[Row],
    bills: Sequence[Row],
    ads: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo,
    by: Period,
    horizon: int,
) -> dict[date, list[int | None]]:
    """Viewers, payers, LTV and revenue per payer of each cohort in plain Python, from the definition."""
    first: dict[str, date] = {}
    for row in sorted(opens, key=lambda row: row["occurred_at"]):
        if row["occurred_at"] < watermark:
            first.setdefault(row["viewer_id"], _day(row["occurred_at"], zone))
    cohorts: dict[date, list[str]] = {}
    for viewer, day in first.items():
        start = day if by is Period.DAY else day - timedelta(days=day.weekday())
        cohorts.setdefault(start, []).append(viewer)
    found: dict[date, list[int | None]] = {}
    for start, members in cohorts.items():
        over = start + timedelta(days=by.days + horizon)
        if datetime.combine(over, datetime.min.time(), tzinfo=zone) > watermark:
            found[start] = [len(members), None, None, None]
            continue

        def within(row: Row, members: Sequence[str] = members) -> bool:
            viewer = row["viewer_id"]
            return (
                viewer in members
                and row["created_at"] < watermark
                and _day(row["created_at"], zone) <= first[viewer] + timedelta(days=horizon)
            )

        paid = dict.fromkeys(members, 0)
        net = ad = 0
        for row in filter(within, bills):
            paid[row["viewer_id"]] += row["paid_micros"]
            net += row["net_micros"]
        ad = sum(row["value_micros"] for row in filter(within, ads))
        payers = sum(1 for micros in paid.values() if micros > 0)
        found[start] = [
            len(members),
            payers,
            round(Fraction(net + ad, len(members))),
            round(Fraction(net, payers)) if payers else None,
        ]
    return found


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    moments = st.integers(0, 20 * 24 * 60)

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        opens=st.lists(st.tuples(st.sampled_from("abc"), moments), max_size=6),
        bills=st.lists(
            st.tuples(st.sampled_from("abc"), moments, st.integers(-100, 300)), max_size=8
        ),
        ads=st.lists(st.tuples(st.sampled_from("abc"), moments, st.integers(0, 50)), max_size=4),
        zone=st.sampled_from(ZONES),
        by=st.sampled_from(Period),
        horizon=st.integers(0, 9),
        hours=st.integers(0, 40 * 24),
        start=st.sampled_from([utc("2026-03-01 00:00"), utc("2026-10-20 00:00")]),
    )
    def explore(
        opens: list[tuple[str, int]],
        bills: list[tuple[str, int, int]],
        ads: list[tuple[str, int, int]],
        zone: ZoneInfo,
        by: Period,
        horizon: int,
        hours: int,
        start: datetime,
    ) -> None:
        def at(minute: int) -> datetime:
            return start + timedelta(minutes=minute)

        rows = [opened_app(viewer, at(minute)) for viewer, minute in opens]
        billed = [_bill(viewer, at(minute), micros) for viewer, minute, micros in bills]
        earned = [_ad(viewer, at(minute), micros) for viewer, minute, micros in ads]
        asked = {"watermark": start + hours * HOUR, "zone": zone, "by": by}

        report = _read(rows, billed, earned, horizons=[horizon], **asked)

        found = {
            cohort.starts_on: [
                cohort.viewers,
                cohort.values[0].payers,
                cohort.values[0].ltv_micros,
                cohort.values[0].arppu_micros,
            ]
            for cohort in report.cohorts
        }
        assert found == _by_hand(rows, billed, earned, horizon=horizon, **asked)

    explore()
    proof.record("A1", "LTV by cohort equals its definition in plain Python", violations=0)
