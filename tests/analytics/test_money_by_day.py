"""An accountant reads what was billed, recognised and is still owed, day by day and by what brought it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import money
from analytics.reports.money import MoneyReport, MoneyRow, Origin
from analytics.reports.refusals import ReportImpossible
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, utc
from tests.proof import Proof
from viewers.flags import Flagged

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
NEW_YORK = ZONES[2]
FIRST = date(2026, 3, 1)
START = utc("2026-03-01 00:00")
LONG_AGO = utc("1990-01-01 00:00")


def _sale(source: str, at: datetime, gross: int, *, tax: int = 0, fee: int = 0) -> Row:
    return {
        "source": source,
        "viewer_id": "a",
        "paid_micros": gross,
        "gross_micros": gross,
        "tax_micros": tax,
        "fee_micros": fee,
        "refunds_micros": 0,
        "net_micros": gross - tax - fee,
        "created_at": at,
    }


def _refund(source: str, at: datetime, net: int) -> Row:
    return {
        "source": source,
        "viewer_id": "a",
        "paid_micros": -net,
        "gross_micros": 0,
        "tax_micros": 0,
        "fee_micros": 0,
        "refunds_micros": net,
        "net_micros": -net,
        "created_at": at,
    }


def _fee(source: str, at: datetime, beyond: int) -> Row:
    """A store's fee came to so much more than was estimated, or less."""
    return _refund(source, at, 0) | {"fee_micros": beyond, "net_micros": -beyond}


def _earned(source: str, at: datetime, micros: int) -> Row:
    return {"source": source, "earned_micros": micros, "created_at": at}


def _pass(
    name: str, at: datetime, net: int, length: timedelta, *, wait: timedelta = timedelta()
) -> Row:
    return {
        "purchase_id": name,
        "net_micros": net,
        "starts_at": at + wait,
        "ends_at": at + wait + length,
        "created_at": at,
    }


def _read(
    *,
    watermark: datetime = START + 30 * DAY,
    zone: ZoneInfo = ZONES[0],
    since: date = FIRST,
    days: int = 3,
    **tables: Sequence[Row],
) -> MoneyReport:
    with lake([], watermark=watermark, zone=zone, tables=tables) as source:
        return money.by_day(
            source=source, currency="USD", since=since, until=since + timedelta(days=days - 1)
        )


def _of(report: MoneyReport, origin: Origin) -> Sequence[MoneyRow]:
    return [row for row in report.rows if row.source is origin]


def test_what_is_billed_is_deferred_until_it_is_spent() -> None:
    first, second, third = _of(
        _read(
            billings=[
                _sale("coins", START, 1000, tax=100, fee=150),
                _refund("coins", START + 2 * DAY, 50),
            ],
            earnings=[_earned("coins", START + DAY, 300)],
        ),
        Origin.COINS,
    )

    assert (first.gross_micros, first.tax_micros, first.fee_micros) == (1000, 100, 150)
    assert (first.net_micros, first.recognised_micros, first.deferred_micros) == (750, 0, 750)
    assert (second.net_micros, second.recognised_micros, second.deferred_micros) == (0, 300, 450)
    assert (third.refunds_micros, third.net_micros, third.deferred_micros) == (50, -50, 400)


def test_nobody_is_left_out_of_the_books() -> None:
    bot = Flagged(viewers=frozenset([UUID(int=1)]))
    with lake([], watermark=START + DAY, flagged=bot) as source:
        report = money.by_day(source=source, currency="USD", since=FIRST, until=FIRST)

    assert Flagged().sentence() in report.population
    assert bot.sentence() not in report.population


def test_what_was_before_the_first_day_is_deferred_on_it() -> None:
    rows = _of(_read(billings=[_sale("coins", START - 9 * DAY, 70)]), Origin.COINS)

    assert [(row.gross_micros, row.deferred_micros) for row in rows] == [(0, 70)] * 3


def test_ads_are_earned_as_they_are_watched_and_never_owed() -> None:
    report = _read(earnings=[_earned("ads", START + HOUR, 9)])

    assert [(row.recognised_micros, row.deferred_micros) for row in _of(report, Origin.ADS)] == [
        (9, 0),
        (0, 0),
        (0, 0),
    ]
    assert report.totals[-1].recognised_micros == 9


def test_a_pass_is_earned_evenly_over_its_time_to_the_last_micro() -> None:
    bought = START + 12 * HOUR
    report = _read(
        days=4,
        billings=[_sale("passes", bought, 1001)],
        passes=[_pass("p", bought, 1001, 2 * DAY)],
    )

    rows = _of(report, Origin.PASSES)
    assert [row.recognised_micros for row in rows] == [250, 500, 251, 0]
    assert [row.deferred_micros for row in rows] == [751, 251, 0, 0]


def test_what_goes_back_of_a_pass_is_earned_no_more() -> None:
    report = _read(
        days=4,
        billings=[_sale("passes", START, 1000), _refund("passes", START + 2 * DAY, 1000)],
        passes=[_pass("p", START, 1000, 4 * DAY)],
        pass_refunds=[{"purchase_id": "p", "net_micros": 1000, "created_at": START + 2 * DAY}],
    )

    rows = _of(report, Origin.PASSES)
    assert [row.recognised_micros for row in rows] == [250, 250, -500, 0]
    assert [row.deferred_micros for row in rows] == [750, 500, 0, 0]


def test_large_sums_and_long_times_are_exact() -> None:
    net, length = 9_999_999_999_999, timedelta(days=366, microseconds=1)

    rows = _of(_read(passes=[_pass("p", START, net, length)]), Origin.PASSES)

    parts = [net * (n * DAY // SECOND * 10**6) // (366 * 86400 * 10**6 + 1) for n in range(4)]
    assert [row.recognised_micros for row in rows] == [
        later - earlier for earlier, later in pairwise(parts)
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_the_day_of_a_clock_change_earns_23_or_25_hours_of_a_pass(day: str, hours: int) -> None:
    midnight = local(f"{day} 00:00", NEW_YORK)
    report = _read(
        watermark=midnight + 9 * DAY,
        zone=NEW_YORK,
        since=date.fromisoformat(day),
        days=2,
        passes=[_pass("p", midnight, 100, 100 * HOUR)],
        earnings=[
            _earned("coins", midnight + hours * HOUR - SECOND, 1),
            _earned("coins", midnight + hours * HOUR, 2),
        ],
    )

    assert [row.recognised_micros for row in _of(report, Origin.PASSES)] == [hours, 24]
    assert [row.recognised_micros for row in _of(report, Origin.COINS)] == [1, 2]


def test_a_day_that_lasts_ends_at_the_watermark() -> None:
    now = START + DAY + 6 * HOUR
    report = _read(watermark=now, days=2, passes=[_pass("p", START, 1000, 10 * DAY)])

    rows = _of(report, Origin.PASSES)
    assert [(row.is_complete, row.recognised_micros) for row in rows] == [(True, 100), (False, 25)]


@pytest.mark.parametrize(
    ("since", "days"), [(FIRST, 0), (FIRST, 401), (date(1969, 1, 1), 9), (date(9999, 1, 1), 9)]
)
def test_a_range_that_is_none_is_refused(since: date, days: int) -> None:
    with pytest.raises(ReportImpossible):
        _read(since=since, days=days)


def _worth(bought: Row, refunds: Sequence[Row], moment: datetime) -> int:
    gone: int = sum(
        refund["net_micros"]
        for refund in refunds
        if refund["purchase_id"] == bought["purchase_id"] and refund["created_at"] < moment
    )
    net: int = bought["net_micros"] if bought["created_at"] < moment else 0
    return net - gone


def _accrued(passes: Sequence[Row], refunds: Sequence[Row], moment: datetime) -> int:
    """What all passes have earned up to a moment, from the definition."""
    microsecond, total = timedelta(microseconds=1), 0
    for bought in passes:
        elapsed = min(max(moment, bought["starts_at"]), bought["ends_at"]) - bought["starts_at"]
        length = bought["ends_at"] - bought["starts_at"]
        part = abs(_worth(bought, refunds, moment)) * (elapsed // microsecond)
        sign = 1 if _worth(bought, refunds, moment) >= 0 else -1
        total += sign * (part // (length // microsecond))
    return total


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    minutes = st.integers(-5 * 24 * 60, 9 * 24 * 60)
    micros = st.integers(0, 10**9)

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        sales=st.lists(st.tuples(minutes, micros, micros, micros), max_size=4),
        back=st.lists(st.tuples(minutes, micros), max_size=3),
        earned=st.lists(
            st.tuples(minutes, st.integers(-(10**9), 10**9), st.sampled_from(["coins", "ads"])),
            max_size=5,
        ),
        bought=st.lists(
            st.tuples(minutes, micros, st.integers(1, 9 * 24 * 60), st.integers(0, 2000)),
            max_size=3,
        ),
        returned=st.lists(st.tuples(st.integers(0, 2), minutes, micros), max_size=3),
        fees=st.lists(
            st.tuples(minutes, st.integers(-(10**9), 10**9), st.sampled_from(["coins", "passes"])),
            max_size=3,
        ),
        zone=st.sampled_from(ZONES),
        hours=st.integers(24, 9 * 24),
        start=st.sampled_from([utc("2026-03-06 00:00"), utc("2026-10-30 00:00")]),
    )
    def explore(
        sales: list[tuple[int, int, int, int]],
        back: list[tuple[int, int]],
        earned: list[tuple[int, int, str]],
        bought: list[tuple[int, int, int, int]],
        returned: list[tuple[int, int, int]],
        fees: list[tuple[int, int, str]],
        zone: ZoneInfo,
        hours: int,
        start: datetime,
    ) -> None:
        def at(minute: int) -> datetime:
            return start + timedelta(minutes=minute)

        watermark, since = start + hours * HOUR, start.date() + DAY
        passes = [
            _pass(str(n), at(minute), net, timedelta(minutes=length), wait=timedelta(minutes=wait))
            for n, (minute, net, length, wait) in enumerate(bought)
        ]
        refunds = [
            {"purchase_id": str(n), "net_micros": net, "created_at": at(minute)}
            for n, minute, net in returned
            if n < len(passes)
        ]
        billings = [
            *(
                _sale("coins", at(minute), gross, tax=tax, fee=fee)
                for minute, gross, tax, fee in sales
            ),
            *(_refund("coins", at(minute), net) for minute, net in back),
            *(_sale("passes", row["created_at"], row["net_micros"]) for row in passes),
            *(_refund("passes", row["created_at"], row["net_micros"]) for row in refunds),
            *(_fee(source, at(minute), beyond) for minute, beyond, source in fees),
        ]
        earnings = [_earned(source, at(minute), value) for minute, value, source in earned]
        earnings += [_earned(source, at(minute), -beyond) for minute, beyond, source in fees]

        report = _read(
            watermark=watermark,
            zone=zone,
            since=since,
            billings=billings,
            earnings=earnings,
            passes=passes,
            pass_refunds=refunds,
        )

        def ends_at(day: date) -> datetime:
            return min(datetime.combine(day + DAY, datetime.min.time(), tzinfo=zone), watermark)

        for row in report.rows:
            begins, ends = ends_at(row.day - DAY), ends_at(row.day)

            def total(
                rows: Sequence[Row],
                name: str,
                *,
                until: datetime = ends,
                since: datetime = LONG_AGO,
                source: str = row.source,
            ) -> int:
                return sum(
                    each[name]
                    for each in rows
                    if each["source"] == source and since <= each["created_at"] < until
                )

            for name in (
                "gross_micros",
                "tax_micros",
                "fee_micros",
                "refunds_micros",
                "net_micros",
            ):
                assert getattr(row, name) == total(billings, name, since=begins), name
            before, by_then = (
                total(earnings, "earned_micros", until=moment)
                + (_accrued(passes, refunds, moment) if row.source is Origin.PASSES else 0)
                for moment in (begins, ends)
            )
            assert row.recognised_micros == by_then - before
            owed = 0 if row.source is Origin.ADS else total(billings, "net_micros") - by_then
            assert row.deferred_micros == owed

    explore()
    proof.record("A1", "money by day equals its definitions in plain Python", violations=0)
