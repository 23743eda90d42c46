"""An analyst reads what ads earned, and how many of those asked for came to anything."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import ceil
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
COUNTS = ("requests", "filled", "shown", "confirmed", "awaited", "rewards", "revenue_micros")
BEYOND = (
    "impressions",
    "estimated_micros",
    "remainder_micros",
    "compared_micros",
    "reported_micros",
)
RATIOS = ("fill_rate", "show_rate", "reward_rate", "ecpm_micros")


def _session(
    name: str,
    *,
    rewarded_at: datetime | None = None,
    settled_at: datetime = START + HOUR,
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
        "settled_at": rewarded_at or settled_at,
        "revenue_micros": micros,
    }


def _told(kind: str, session: str, at: datetime, **members: object) -> Row:
    ids = {"ad_session_id": session, "placement": "unlock"}
    return event(kind, "a", at, **(ids | members))


def _earning(at: datetime, micros: int, **more: object) -> Row:
    """What became known of a view, when it was viewed if nothing else is said."""
    return {
        "network": "admob",
        "placement": "unlock",
        "micros": micros,
        "estimated_micros": micros,
        "impressions": 0,
        "of_view": True,
        "viewed_at": at,
        "booked_at": at,
    } | more


def _of_rewards(sessions: Sequence[Row]) -> Sequence[Row]:
    """What rewards keep of their placements' estimates."""
    return [
        _earning(
            row["rewarded_at"],
            row["revenue_micros"],
            network=row["network"],
            placement=row["placement"],
        )
        for row in sessions
        if row["rewarded_at"] is not None
    ]


def _true_up(day: date, cell: str, number: int, estimated: int, reported: int, at: datetime) -> Row:
    return {
        "cell": cell,
        "number": number,
        "day": (day - date(1970, 1, 1)).days,
        "network": "admob",
        "placement": "unlock",
        "estimated_micros": estimated,
        "reported_micros": reported,
        "created_at": at,
    }


def _read(
    rows: Sequence[Row],
    sessions: Sequence[Row],
    *,
    earnings: Sequence[Row] = (),
    true_ups: Sequence[Row] = (),
    watermark: datetime = START + 30 * DAY,
    zone: ZoneInfo = ZONES[0],
    since: date | None = None,
    until: date | None = None,
) -> AdReport:
    tables = {
        "ad_sessions": sessions,
        "ad_earnings": [*_of_rewards(sessions), *earnings],
        "ad_true_ups": true_ups,
    }
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

    assert [getattr(row, name) for name in COUNTS] == [3, 2, 2, 1, 0, 1, 14_000]
    assert [row.fill_rate, row.show_rate, row.reward_rate] == pytest.approx([2 / 3, 1, 0.5])
    assert row.ecpm_micros == 7_000_000
    assert row.reward_lag_p95_ms == 3_599_000


def test_a_day_has_no_rates_while_it_lasts() -> None:
    rows = [_told("ad_requested", "one", START, reason="filled"), _told("ad_shown", "one", START)]
    sessions = [_session("one", rewarded_at=START + SECOND, micros=5)]
    midnight = utc("2026-03-02 00:00")

    lasting = _read(rows, sessions, watermark=midnight - SECOND)
    over = _read(rows, sessions, watermark=midnight)

    for figures in (*lasting.rows, lasting.total):
        assert (figures.filled, figures.shown, figures.confirmed) == (1, 1, 1)
        assert [getattr(figures, name) for name in RATIOS] == [None] * 4
    assert lasting.rows[0].reward_lag_p95_ms is None
    for figures in (*over.rows, over.total):
        assert [getattr(figures, name) for name in RATIOS] == [1, 1, 1, 5000]
    assert over.rows[0].reward_lag_p95_ms == 1000


def test_an_ad_whose_word_is_on_its_way_is_not_unconfirmed() -> None:
    """Shown in the day's last minute; its session has an hour, in which the network may call."""
    shown, midnight = utc("2026-03-01 23:59"), utc("2026-03-02 00:00")
    rows = [_told("ad_shown", name, shown) for name in ("one", "two")]
    sessions = [
        _session("one", rewarded_at=shown + SECOND, micros=5),
        _session("two", settled_at=shown + HOUR),
    ]

    before = _read(rows, sessions, watermark=midnight)
    after = _read(rows, sessions, watermark=shown + HOUR + SECOND)

    for figures in (*before.rows, before.total):
        assert (figures.shown, figures.confirmed, figures.awaited) == (2, 1, 1)
        assert figures.reward_rate is None
    assert before.rows[0].reward_lag_p95_ms is None
    for figures in (*after.rows, after.total):
        assert (figures.awaited, figures.reward_rate) == (0, 0.5)
    assert after.rows[0].reward_lag_p95_ms == 1000


def test_the_total_has_rates_of_the_days_that_have_them() -> None:
    rows = [_told("ad_shown", "one", START), _told("ad_shown", "two", START + DAY)]
    sessions = [
        _session("one", rewarded_at=START, micros=8),
        _session("two", rewarded_at=START + DAY, micros=2),
    ]

    report = _read(rows, sessions, watermark=START + DAY + HOUR)

    assert (report.total.shown, report.total.revenue_micros) == (2, 10)
    assert (report.total.reward_rate, report.total.ecpm_micros) == (1, 8000)


def test_the_lag_is_that_of_19_of_20_confirmations() -> None:
    rows = [_told("ad_shown", str(n), START) for n in range(40)]
    sessions = [_session(str(n), rewarded_at=START + n * SECOND, micros=1) for n in range(40)]

    (row,) = _read(rows, sessions).rows

    assert row.reward_lag_p95_ms == 37_000


def test_a_clock_that_is_ahead_makes_no_lag() -> None:
    sessions = [_session("one", rewarded_at=START - SECOND, micros=1)]

    (row,) = _read([_told("ad_shown", "one", START)], sessions).rows

    assert row.reward_lag_p95_ms == 0


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


def test_what_became_known_later_counts_on_the_day_of_the_view_from_then_on() -> None:
    rows = [_told("ad_shown", "one", START)]
    sessions = [_session("one", rewarded_at=START, micros=100)]
    later = START + 2 * DAY
    earnings = [
        _earning(START, 50, booked_at=later - DAY),
        _earning(START, -30, estimated_micros=0, booked_at=later),
        _earning(START, 400, impressions=1, placement=""),
        _earning(START, 7, estimated_micros=0, of_view=False, placement="", booked_at=later),
    ]
    true_ups = [_true_up(START.date(), "unit US", 1, 150, 120, later)]

    def read(watermark: datetime) -> Mapping[str, Sequence[object]]:
        report = _read(rows, sessions, earnings=earnings, true_ups=true_ups, watermark=watermark)
        shown = [*report.rows, report.total]
        names = ("revenue_micros", *BEYOND, "estimate_factor", "ecpm_micros")
        return {
            getattr(row, "placement", "all"): [getattr(row, name) for name in names]
            for row in shown
        }

    assert read(later) == {
        "": [400, 1, 400, 0, None, None, None, 400_000],
        "unlock": [150, 0, 150, 0, None, None, None, 150_000],
        "all": [550, 1, 550, 0, None, None, None, 275_000],
    }
    assert read(later + SECOND) == {
        "": [407, 1, 400, 7, None, None, None, 400_000],
        "unlock": [120, 0, 150, 0, 150, 120, 0.8, 120_000],
        "all": [527, 1, 550, 7, 150, 120, 0.8, 260_000],
    }


def test_what_ads_of_the_flagged_earned_is_in_the_revenue_alone() -> None:
    """Networks report it with the rest; events and sessions of the flagged are in no count."""
    rows = [_told("ad_shown", "one", START)]
    sessions = [_session("one", rewarded_at=START, micros=100)]
    earnings = [
        _earning(START, 50, is_left_out=True),
        _earning(START, 400, impressions=1, is_left_out=True),
        _earning(START, 7, estimated_micros=0, of_view=False),
    ]

    (row,) = _read(rows, sessions, earnings=earnings).rows

    assert (row.revenue_micros, row.left_out_micros, row.remainder_micros) == (557, 450, 7)
    assert (row.impressions, row.ecpm_micros) == (0, 100_000)


def test_the_factor_is_of_the_latest_versions_and_of_days_that_are_reported() -> None:
    at, day = START + 2 * DAY, START.date()
    true_ups = [
        _true_up(day, "unit US", 1, 10, 99, at),
        _true_up(day, "unit US", 2, 100, 80, at),
        _true_up(day, "unit DE", 1, 100, 40, at),
        _true_up(day, "unit BR", 1, 0, 6, at),
        _true_up(day + DAY, "unit US, the next day", 1, 0, 5, at),
    ]
    sessions = [_session("one", rewarded_at=START + 5 * DAY, micros=8)]

    report = _read([], sessions, true_ups=true_ups)

    assert [(row.day.day, row.estimate_factor) for row in report.rows] == [
        (1, 0.63),
        (2, None),
        (6, None),
    ]
    assert (report.total.compared_micros, report.total.reported_micros) == (200, 131)
    assert report.total.estimate_factor == 0.655


def _first_words(
    told: Sequence[tuple[int, str, int]], *, sessions: int, before: int
) -> Mapping[tuple[int, str], int]:
    """The first hour of each kind of word about each session that is known."""
    first: dict[tuple[int, str], int] = {}
    for n, what, hour in told:
        if hour < before and n < sessions:
            first[n, what] = min(hour, first.get((n, what), hour))
    return first


def _rates_follow_from(
    report: AdReport,
    counts: Mapping[tuple[date, str, str], Sequence[int]],
    lags: Mapping[tuple[date, str, str], Sequence[int]],
    *,
    zone: ZoneInfo,
) -> None:
    """Of a day that is over, or of which no ad is awaited either, and of all those together."""
    places = {"fill_rate": (1, 0, False), "show_rate": (2, 1, False), "reward_rate": (3, 2, True)}
    wholes, parts = dict.fromkeys(places, 0), dict.fromkeys(places, 0)
    for row in report.rows:
        key = (row.day, row.network, row.placement)
        midnight = datetime.combine(row.day + DAY, datetime.min.time(), tzinfo=zone)
        is_over = midnight <= report.watermark
        is_settled = is_over and not counts[key][4]
        for name, (part, whole, needs_all) in places.items():
            is_rated = is_settled if needs_all else is_over
            numbers = (counts[key][part], counts[key][whole])
            parts[name] += is_rated * numbers[0]
            wholes[name] += is_rated * numbers[1]
            expected = numbers[0] / numbers[1] if is_rated and numbers[1] else None
            assert getattr(row, name) == expected, name
        assert (row.ecpm_micros is None) == (not is_over or not counts[key][2])
        own = sorted(lags.get(key, [])) if is_settled else []
        assert row.reward_lag_p95_ms == (own[ceil(len(own) * 0.95) - 1] if own else None)
    for name in places:
        expected = parts[name] / wholes[name] if wholes[name] else None
        assert getattr(report.total, name) == expected, name


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    hours = st.integers(0, 5 * 24)

    @settings(
        max_examples=proof.rounds(full=1200),
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
                hours,
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
        opened: list[tuple[str, str, int | None, int, int]],
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
                settled_at=start + expiry * HOUR,
                micros=None if hour is None else micros,
            )
            for n, (network, placement, hour, micros, expiry) in enumerate(opened)
        ]
        expected: dict[tuple[date, str, str], list[int]] = {}
        lags: dict[tuple[date, str, str], list[int]] = {}

        def add(hour: int, session: int, *counts: int) -> tuple[date, str, str]:
            day = (start + timedelta(hours=hour)).astimezone(zone).date()
            key = (day, *opened[session][:2])
            row = expected.setdefault(key, [0] * 7)
            for place, count in enumerate(counts):
                row[place] += count
            return key

        for (n, what), hour in _first_words(told, sessions=len(opened), before=wait).items():
            if what != "shown":
                add(hour, n, 1, what == "filled")
                continue
            reward, expiry = opened[n][2], opened[n][4]
            is_paid = reward is not None and reward < wait
            is_awaited = (expiry if reward is None else reward) >= wait
            key = add(hour, n, 0, 0, 1, is_paid, is_awaited)
            if reward is not None and is_paid:
                lags.setdefault(key, []).append(max(reward - hour, 0) * 3_600_000)
        for n, (_, _, reward, micros, _) in enumerate(opened):
            if reward is not None and reward < wait:
                add(reward, n, 0, 0, 0, 0, 0, 1, micros)

        report = _read(rows, sessions, watermark=watermark, zone=zone)

        found = {
            (row.day, row.network, row.placement): [getattr(row, name) for name in COUNTS]
            for row in report.rows
        }
        assert found == expected
        _rates_follow_from(report, expected, lags, zone=zone)

    explore()
    proof.record("A1", "ad revenue equals its definitions in plain Python", violations=0)
