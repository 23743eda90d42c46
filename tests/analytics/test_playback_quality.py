"""An engineer reads how long viewers wait, how often playing stands still, and how often it never begins."""

from collections.abc import Sequence
from datetime import date, datetime
from math import ceil
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import quality
from analytics.reports.quality import QualityReport, QualitySplit
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, local, played, utc
from tests.proof import Proof

ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin")]
START = utc("2026-03-01 10:00")


def _start(at: datetime, first_frame_ms: int | None = 300, **members: object) -> Row:
    return event("playback_start", "a", at, first_frame_ms=first_frame_ms, **members)


def _failed(at: datetime, reason: str = "network", **members: object) -> Row:
    return event("playback_failed", "a", at, reason=reason, **members)


def _stall(at: datetime, ms: int, **members: object) -> Row:
    return event("playback_stall", "a", at, actual_ms=ms, position_ms=0, **members)


def _read(
    rows: Sequence[Row],
    *,
    watermark: datetime = START + 30 * DAY,
    zone: ZoneInfo = ZONES[0],
    split: QualitySplit | None = None,
    since: date | None = None,
    until: date | None = None,
) -> QualityReport:
    with lake(rows, watermark=watermark, zone=zone) as source:
        return quality.table(source=source, split=split, since=since, until=until)


def test_says_how_long_the_first_frame_takes() -> None:
    rows = [_start(START, ms) for ms in range(1, 101)] + [_start(START, None)]

    (row,) = _read(rows).rows

    assert (row.starts, row.timed_starts) == (101, 100)
    assert (row.first_frame_p50_ms, row.first_frame_p95_ms) == (50, 95)


def test_of_two_starts_the_quicker_is_the_median() -> None:
    (row,) = _read([_start(START, 100), _start(START, 900)]).rows

    assert (row.first_frame_p50_ms, row.first_frame_p95_ms) == (100, 900)


def test_failures_and_exits_are_shares_of_all_attempts() -> None:
    rows = [_start(START) for _ in range(6)]
    rows += [_failed(START), _failed(START, "media"), _failed(START, "abandoned")]

    (row,) = _read(rows).rows

    assert (row.starts, row.failed, row.abandoned) == (6, 2, 1)
    assert row.start_failure == pytest.approx(2 / 9)
    assert row.exit_before_start == pytest.approx(1 / 9)


def test_rebuffering_is_the_time_stood_still_by_the_time_played() -> None:
    rows = [played("a", START, to_ms=10_000), _stall(START, 400), _stall(START, 100)]

    (row,) = _read(rows).rows

    assert (row.stalls, row.stalled_ms, row.played_ms) == (2, 500, 10_000)
    assert row.rebuffer_ratio == pytest.approx(0.05)
    assert row.start_failure is None


def test_days_can_be_divided() -> None:
    rows = [
        _start(START, 1, app_version="1.0"),
        _start(START, 3, app_version="1.1"),
        _failed(START, app_version=None),
    ]

    report = _read(rows, split=QualitySplit.APP_VERSION)

    assert [
        (row.stratum, row.starts, row.failed, row.first_frame_p50_ms) for row in report.rows
    ] == [
        ("", 0, 1, None),
        ("1.0", 1, 0, 1),
        ("1.1", 1, 0, 3),
    ]


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_is_one_of_the_reporting_zone(zone: ZoneInfo, day: str) -> None:
    begins = local(f"{day} 00:00", zone)
    ends = local(f"{date.fromisoformat(day) + DAY} 00:00", zone)
    rows = [_start(at) for at in (begins - SECOND, begins, ends - SECOND, ends)]
    asked = {"since": date.fromisoformat(day), "until": date.fromisoformat(day)}

    (row,) = _read(rows, zone=zone, watermark=ends, **asked).rows
    (lasting,) = _read(rows, zone=zone, watermark=ends - SECOND, **asked).rows

    assert (row.starts, row.is_complete) == (2, True)
    assert (lasting.starts, lasting.is_complete) == (1, False)


def test_a_day_has_no_rates_and_waits_while_it_lasts() -> None:
    rows = [_start(START), played("a", START), _stall(START, 400), _failed(START)]
    midnight = utc("2026-03-02 00:00")

    (lasting,) = _read(rows, watermark=midnight - SECOND).rows
    (over,) = _read(rows, watermark=midnight).rows

    counts = ("starts", "failed", "timed_starts", "stalls", "stalled_ms", "played_ms")
    assert [getattr(lasting, name) for name in counts] == [getattr(over, name) for name in counts]
    figures = (
        *("first_frame_p50_ms", "first_frame_p95_ms"),
        *("rebuffer_ratio", "start_failure", "exit_before_start"),
    )
    assert [getattr(lasting, name) for name in figures] == [None] * 5
    assert [getattr(over, name) for name in figures] == [300, 300, 0.04, 0.5, 0]


def test_the_sandbox_is_left_out() -> None:
    assert _read([_start(START, environment="sandbox")]).rows == []


def _percentile(values: Sequence[int], percent: int) -> int | None:
    """The smallest that so many percent do not exceed."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1] if values else None


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        facts=st.lists(
            st.tuples(
                st.sampled_from(
                    ["start", "start", "start", "untimed", "stall", "play", "network", "abandoned"]
                ),
                st.integers(0, 3 * 24),
                st.integers(0, 9000),
                st.sampled_from(["ios", "web"]),
            ),
            max_size=30,
        ),
        zone=st.sampled_from(ZONES),
        split=st.sampled_from([None, QualitySplit.PLATFORM]),
        wait=st.integers(0, 4 * 24),
        start=st.sampled_from([utc("2026-03-07 00:30"), utc("2026-10-31 00:30")]),
    )
    def explore(
        facts: list[tuple[str, int, int, str]],
        zone: ZoneInfo,
        split: QualitySplit | None,
        wait: int,
        start: datetime,
    ) -> None:
        rows: list[Row] = []
        groups: dict[tuple[date, str | None], list[tuple[str, int]]] = {}
        for what, hour, ms, platform in facts:
            at = start + hour * HOUR
            if what in ("start", "untimed"):
                row = _start(at, ms if what == "start" else None, platform=platform)
            elif what == "stall":
                row = _stall(at, ms, platform=platform)
            elif what == "play":
                row = played("a", at, to_ms=ms, platform=platform)
            else:
                row = _failed(at, what, platform=platform)
            rows.append(row)
            if hour < wait:
                key = (at.astimezone(zone).date(), None if split is None else platform)
                groups.setdefault(key, []).append((what, ms))
        expected = {}
        for key, own in groups.items():

            def ms_of(kind: str, own: Sequence[tuple[str, int]] = own) -> list[int]:
                return [ms for what, ms in own if what == kind]

            timed = ms_of("start")
            midnight = datetime.combine(key[0] + DAY, datetime.min.time(), tzinfo=zone)
            is_over = midnight <= start + wait * HOUR
            expected[key] = [
                len(timed) + len(ms_of("untimed")),
                len(ms_of("network")),
                len(ms_of("abandoned")),
                len(timed),
                _percentile(timed, 50) if is_over else None,
                _percentile(timed, 95) if is_over else None,
                len(ms_of("stall")),
                sum(ms_of("stall")),
                sum(ms_of("play")),
            ]

        report = _read(rows, zone=zone, split=split, watermark=start + wait * HOUR)

        found = {
            (row.day, row.stratum): [getattr(row, name) for name in quality._FIGURES]
            for row in report.rows
        }
        assert found == expected

    explore()
    proof.record("A1", "playback quality equals its definitions in plain Python", violations=0)
