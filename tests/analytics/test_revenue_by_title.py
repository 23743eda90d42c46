"""An analyst reads what each title earned, and it is what the ledger says."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import revenue
from analytics.reports.revenue import RevenueReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, local, utc
from tests.proof import Proof

SERIES = [str(UUID(int=number)) for number in (1, 2)]
LOCALES = dict(zip(SERIES, ("en", "zh-Hans"), strict=True))
ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]


def _unlock(
    at: datetime,
    value_micros: int,
    *,
    series: str | None = SERIES[0],
    means: str = "coins",
    coins: int = 60,
) -> Row:
    return {
        "unlock_id": str(uuid4()),
        "means": means,
        "viewer_id": "a",
        "series_id": series,
        "episode_id": "e",
        "coins": coins if means == "coins" else 0,
        "value_micros": value_micros,
        "playback_session_id": None,
        "position_ms": None,
        "created_at": at,
    }


def _titles() -> list[Row]:
    return [
        {
            "series_id": series,
            "external_id": f"title {series[-1]}",
            "genre": "",
            "locale": LOCALES[series],
            "is_published": True,
        }
        for series in SERIES
    ]


def _read(
    *unlocks: Row,
    watermark: datetime,
    zone: ZoneInfo = ZONES[0],
    since: date | None = None,
    until: date | None = None,
    series_id: UUID | None = None,
) -> RevenueReport:
    tables = {"unlocks": unlocks, "titles": _titles()}
    with lake([], watermark=watermark, zone=zone, tables=tables) as source:
        return revenue.by_title(
            source=source, currency="USD", since=since, until=until, series_id=series_id
        )


def test_value_of_coins_and_revenue_of_ads_stand_apart_and_add_up() -> None:
    at = utc("2026-03-01 10:00")

    report = _read(
        _unlock(at, 485_228),
        _unlock(at, 1, coins=1),
        _unlock(at, 20_000, means="ad"),
        _unlock(at, 7, series=SERIES[1]),
        watermark=at + DAY,
    )

    first, second = report.titles
    assert (first.external_id, second.external_id) == ("title 1", "title 2")
    assert (first.coin_unlocks, first.ad_unlocks, first.coins_spent) == (2, 1, 61)
    assert (first.coin_value_micros, first.ad_revenue_micros) == (485_229, 20_000)
    assert (first.total_micros, second.total_micros, report.total.total_micros) == (
        505_229,
        7,
        505_236,
    )


def test_locales_are_those_of_their_titles() -> None:
    at = utc("2026-03-01 10:00")

    report = _read(
        _unlock(at, 5),
        _unlock(at + DAY, 6),
        _unlock(at, 7, series=SERIES[1], means="ad"),
        _unlock(at, 9, series=None, means="ad"),
        watermark=at + 9 * DAY,
    )

    assert [
        (one.locale, one.coin_value_micros, one.ad_revenue_micros) for one in report.locales
    ] == [
        ("en", 11, 0),
        ("zh-Hans", 0, 7),
    ]
    assert report.unattributed.total_micros == 9


def test_money_that_opened_no_title_is_unattributed() -> None:
    report = _read(
        _unlock(utc("2026-03-01 10:00"), 9, series=None, means="ad"),
        watermark=utc("2026-03-02 10:00"),
    )

    assert report.titles == []
    assert report.unattributed == report.total
    assert report.total.total_micros == 9


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_is_one_of_the_reporting_zone(zone: ZoneInfo) -> None:
    midnight = local("2026-03-08 00:00", zone)

    report = _read(
        _unlock(midnight - SECOND, 1),
        _unlock(midnight, 2),
        watermark=midnight + HOUR,
        zone=zone,
    )

    assert [(row.day.isoformat(), row.total_micros, row.is_complete) for row in report.days] == [
        ("2026-03-07", 1, True),
        ("2026-03-08", 2, False),
    ]


def test_a_range_takes_both_its_days() -> None:
    noon = utc("2026-03-01 12:00")
    unlocks = [_unlock(noon + n * DAY, 1) for n in range(5)]

    report = _read(
        *unlocks, watermark=noon + 9 * DAY, since=date(2026, 3, 2), until=date(2026, 3, 4)
    )

    assert [row.day.day for row in report.days] == [2, 3, 4]
    assert report.filters == {"since": "2026-03-02", "until": "2026-03-04"}


def test_one_title_can_be_asked_for() -> None:
    at = utc("2026-03-01 10:00")

    report = _read(
        _unlock(at, 1),
        _unlock(at, 2, series=SERIES[1]),
        watermark=at + DAY,
        series_id=UUID(SERIES[1]),
    )

    assert [row.total_micros for row in report.titles] == [2]
    assert report.total.total_micros == 2


def test_days_titles_and_locales_sum_to_the_ledger(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        spends=st.lists(
            st.tuples(
                st.integers(0, 20 * 24 * 60),
                st.sampled_from([*SERIES, None]),
                st.sampled_from(["coins", "ad"]),
                st.integers(0, 2**50),
            ),
            max_size=12,
        ),
        zone=st.sampled_from(ZONES),
        start=st.sampled_from([utc("2026-03-01 00:00"), utc("2026-10-20 00:00")]),
    )
    def explore(
        spends: list[tuple[int, str | None, str, int]], zone: ZoneInfo, start: datetime
    ) -> None:
        unlocks = [
            _unlock(start + timedelta(minutes=minute), value, series=series, means=means)
            for minute, series, means, value in spends
        ]

        report = _read(*unlocks, watermark=start + 30 * DAY, zone=zone)

        booked = sum(row["value_micros"] for row in unlocks)
        unattributed = report.unattributed.total_micros
        assert report.total.total_micros == booked
        for parts in (report.titles, report.locales):
            assert sum(row.total_micros for row in parts) + unattributed == booked
        assert sum(row.total_micros for row in report.days) == booked
        expected: dict[tuple[date, str | None], int] = {}
        for row in unlocks:
            key = row["created_at"].astimezone(zone).date(), row["series_id"]
            expected[key] = expected.get(key, 0) + row["value_micros"]
        assert {
            (row.day, str(row.series_id) if row.series_id else None): row.total_micros
            for row in report.days
        } == expected
        for locale in report.locales:
            assert locale.total_micros == sum(
                row["value_micros"]
                for row in unlocks
                if LOCALES.get(row["series_id"]) == locale.locale
            )

    explore()
    proof.record("A1", "revenue by title and locale equals the ledger", violations=0)
