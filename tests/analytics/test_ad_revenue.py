"""An analyst reads what ads earned, and how many of those asked for came to anything."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import ads
from analytics.reports.ads import AdReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, local, utc
from tests.proof import Proof

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
START = utc("2026-03-01 10:00")
COUNTS = ("requests", "filled", "shown", "confirmed", "rewards", "revenue_micros")


def _session(
    name: str,
    *,
    rewarded_at: datetime | None = None,
    micros: int | None = None,
    network: str = "admob",
    placement: str = "unlock",
) -> Row:
    return {
        "ad_session_id": name,
        "viewer_id": "a",
        "network": network,
        "placement": placement,
        "opened_at": START,
        "rewarded_at": rewarded_at,
        "revenue_micros": micros,
    }


def _told(kind: str, session: str, at: datetime, **members: object) -> Row:
    ids = {"ad_session_id": session, "placement": "unlock"}
    return event(kind, "a", at, **(ids | members))


def _read(
    rows: Sequence[Row],
    sessions: Sequence[Row],
    *,
    watermark: datetime = START + 30 * DAY,
    zone: ZoneInfo = ZONES[0],
    since: date | None = None,
    until: date | None = None,
) -> AdReport:
    tables = {"ad_sessions": sessions}
    with lake(rows, watermark=watermark, zone=zone, tables=tables) as source:
        return ads.table(source=source, currency="USD", since=since, until=until)


def test_follows_ads_from_the_request_to_the_revenue() -> None:
    rows = [
        _told("ad_requested", "one", START, reason="filled"),
        _told("ad_requested", "two", START, reason="no_fill"),
        _told("ad_requested", "two", START + SECOND, reason="filled"),
        _told("ad_shown", "one", START + SECOND),
        _told("ad_shown", "two", START + 2 * SECOND),
        _told("ad_shown", "two", START + 3 * SECOND),
    ]
    sessions = [_session("one", rewarded_at=START + HOUR, micros=14_000), _session("two")]

    (row,) = _read(rows, sessions).rows

    assert [getattr(row, name) for name in COUNTS] == [3, 2, 2, 1, 1, 14_000]
    assert [row.fill_rate, row.show_rate, row.reward_rate] == pytest.approx([2 / 3, 1, 0.5])
    assert row.ecpm_micros == 7_000_000


def test_a_confirmation_counts_for_the_ad_shown_and_earns_on_its_own_day() -> None:
    rows = [_told("ad_shown", "one", START)]

    first, second = _read(rows, [_session("one", rewarded_at=START + DAY, micros=5)]).rows

    assert (first.shown, first.confirmed, first.revenue_micros, first.ecpm_micros) == (1, 1, 0, 0)
    assert (second.shown, second.rewards, second.revenue_micros) == (0, 1, 5)
    assert second.ecpm_micros is None


@pytest.mark.parametrize(("before", "known"), [(0 * SECOND, 0), (SECOND, 1)])
def test_a_confirmation_is_known_from_the_watermark_after_it(before: timedelta, known: int) -> None:
    watermark = START + HOUR
    sessions = [_session("one", rewarded_at=watermark - before, micros=5)]

    (row,) = _read([_told("ad_shown", "one", START)], sessions, watermark=watermark).rows

    assert (row.shown, row.confirmed, row.rewards, row.revenue_micros) == (
        1,
        known,
        known,
        5 * known,
    )


def test_networks_and_placements_stand_apart_and_add_up() -> None:
    sessions = [
        _session("one", rewarded_at=START, micros=1),
        _session("two", rewarded_at=START, micros=2, network="fake"),
        _session("three", rewarded_at=START, micros=4, placement="tasks"),
    ]

    report = _read([], sessions)

    assert [(row.network, row.placement, row.revenue_micros) for row in report.rows] == [
        ("admob", "tasks", 4),
        ("admob", "unlock", 1),
        ("fake", "unlock", 2),
    ]
    assert (report.total.rewards, report.total.revenue_micros) == (3, 7)


def test_what_is_told_of_an_unknown_session_or_by_another_viewer_does_not_count() -> None:
    rows = [
        _told("ad_shown", "never opened", START),
        event("ad_shown", "b", START, ad_session_id="one", placement="unlock"),
        _told("ad_shown", "one", START, environment="sandbox"),
    ]

    assert _read(rows, [_session("one")]).rows == []


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_is_one_of_the_reporting_zone(zone: ZoneInfo, day: str) -> None:
    begins = local(f"{day} 00:00", zone)
    ends = local(f"{date.fromisoformat(day) + DAY} 00:00", zone)
    moments = [begins - SECOND, begins, ends - SECOND, ends]
    sessions = [_session(str(n), rewarded_at=at, micros=10**n) for n, at in enumerate(moments)]
    asked = {"since": date.fromisoformat(day), "until": date.fromisoformat(day)}

    (row,) = _read([], sessions, zone=zone, watermark=ends + SECOND, **asked).rows

    assert (row.revenue_micros, row.is_complete) == (110, True)


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    hours = st.integers(0, 5 * 24)

    @settings(
        max_examples=proof.rounds(full=2400),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        opened=st.lists(
            st.tuples(
                st.sampled_from(["admob", "fake"]),
                st.sampled_from(["unlock", "tasks"]),
                st.none() | hours,
                st.integers(0, 10**6),
            ),
            max_size=4,
        ),
        told=st.lists(
            st.tuples(
                st.integers(0, 4), st.sampled_from(["filled", "no_fill", "error", "shown"]), hours
            ),
            max_size=10,
        ),
        zone=st.sampled_from(ZONES),
        wait=st.integers(0, 7 * 24),
        start=st.sampled_from([utc("2026-03-06 00:30"), utc("2026-10-30 00:30")]),
    )
    def explore(
        opened: list[tuple[str, str, int | None, int]],
        told: list[tuple[int, str, int]],
        zone: ZoneInfo,
        wait: int,
        start: datetime,
    ) -> None:
        watermark = start + wait * HOUR
        rows = [
            _told("ad_shown", str(n), start + hour * HOUR)
            if what == "shown"
            else _told("ad_requested", str(n), start + hour * HOUR, reason=what)
            for n, what, hour in told
        ]
        sessions = [
            _session(
                str(n),
                network=network,
                placement=placement,
                rewarded_at=None if hour is None else start + hour * HOUR,
                micros=None if hour is None else micros,
            )
            for n, (network, placement, hour, micros) in enumerate(opened)
        ]
        expected: dict[tuple[date, str, str], list[int]] = {}

        def add(hour: int, session: int, *counts: int) -> None:
            day = (start + timedelta(hours=hour)).astimezone(zone).date()
            row = expected.setdefault((day, *opened[session][:2]), [0] * 6)
            for place, count in enumerate(counts):
                row[place] += count

        first: dict[tuple[int, str], int] = {}
        for n, what, hour in told:
            if hour < wait and n < len(opened):
                first[n, what] = min(hour, first.get((n, what), hour))
        for (n, what), hour in first.items():
            reward = opened[n][2]
            is_paid = reward is not None and reward < wait
            is_shown = what == "shown"
            add(hour, n, not is_shown, what == "filled", is_shown, is_shown and is_paid, 0, 0)
        for n, (_, _, reward, micros) in enumerate(opened):
            if reward is not None and reward < wait:
                add(reward, n, 0, 0, 0, 0, 1, micros)

        report = _read(rows, sessions, watermark=watermark, zone=zone)

        found = {
            (row.day, row.network, row.placement): [getattr(row, name) for name in COUNTS]
            for row in report.rows
        }
        assert found == expected

    explore()
    proof.record("A1", "ad revenue equals its definitions in plain Python", violations=0)
