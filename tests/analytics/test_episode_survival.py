"""An analyst reads who goes on from episode to episode, and who is lost at the paywall."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import episodes
from analytics.reports.episodes import EpisodeReport
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, played, utc
from tests.proof import Proof

SERIES = UUID(int=1)
START = utc("2026-03-01 10:00")
LATER = START + 60 * DAY
WEEK = 7 * DAY
OUTCOMES = ("at_risk", "passed", "dropped", "censored")


def _play(viewer: str, at: datetime, number: int, *, ms: int = 3000, session: str = "") -> Row:
    return played(
        viewer,
        at,
        series=str(SERIES),
        episode=f"e{number}",
        version=f"v{number}",
        session=session or f"{viewer}/{number}/{at}",
        to_ms=ms,
    )


def _wall(viewer: str, at: datetime, number: int) -> Row:
    return event("paywall_shown", viewer, at, series_id=str(SERIES), episode_id=f"e{number}")


def _released(count: int) -> list[Row]:
    return [
        {"series_id": str(SERIES), "episode_id": f"e{n}", "number": n, "is_published": True}
        for n in range(1, count + 1)
    ]


def _read(
    rows: Sequence[Row],
    *,
    released: Sequence[Row] | None = None,
    watermark: datetime = LATER,
) -> EpisodeReport:
    tables = {"episodes": _released(4) if released is None else released}
    with lake(rows, watermark=watermark, tables=tables) as source:
        return episodes.curve(source=source, series_id=SERIES)


def _counts(report: EpisodeReport) -> list[tuple[int, ...]]:
    return [tuple(getattr(row, name) for name in OUTCOMES) for row in report.episodes]


def test_follows_viewers_from_episode_to_episode() -> None:
    rows = [_play("a", START + n * HOUR, n) for n in (1, 2, 3, 4)]
    rows += [_play("b", START + n * HOUR, n) for n in (1, 2)]

    report = _read(rows)

    assert _counts(report) == [(2, 2, 0, 0), (2, 1, 1, 0), (1, 1, 0, 0), (1, 0, 0, 1)]
    assert [row.survival for row in report.episodes] == pytest.approx([1, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(("ms", "passed"), [(2999, 0), (3000, 1)])
def test_an_episode_is_played_in_a_session_of_three_seconds(ms: int, passed: int) -> None:
    rows = [_play("a", START, 1), _play("a", START + HOUR, 2, ms=ms)]

    assert _read(rows).episodes[0].passed == passed


@pytest.mark.parametrize(("after", "passed"), [(WEEK - SECOND, 1), (WEEK, 0)])
def test_the_next_episode_begins_within_a_week_of_the_last_time(
    after: timedelta, passed: int
) -> None:
    again = START + 20 * DAY
    rows = [
        _play("a", START, 1),
        _play("a", again, 1),
        _play("a", again + after + 3 * SECOND, 2),
    ]

    assert _read(rows).episodes[0].passed == passed


@pytest.mark.parametrize(
    ("watermark", "outcome"),
    [(START + WEEK - SECOND, "censored"), (START + WEEK, "dropped")],
)
def test_a_week_that_is_not_over_censors(watermark: datetime, outcome: str) -> None:
    (first, *_) = _read([_play("a", START, 1)], watermark=watermark).episodes

    assert getattr(first, outcome) == first.at_risk == 1


def test_who_begins_in_the_middle_is_at_risk_from_there() -> None:
    rows = [_play("a", START, 3), _play("a", START + HOUR, 1), _play("a", START + 2 * HOUR, 2)]

    assert _counts(_read(rows)) == [(0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 1, 0), (0, 0, 0, 0)]


def test_who_leaves_out_an_episode_has_dropped_out_before_it() -> None:
    rows = [_play("a", START, 1), _play("a", START + HOUR, 3)]

    assert _counts(_read(rows))[:3] == [(1, 0, 1, 0), (0, 0, 0, 0), (0, 0, 0, 0)]


def test_episodes_that_are_not_out_are_stepped_over() -> None:
    released = _released(3)
    released[1]["is_published"] = False
    rows = [_play("a", START, 1), _play("a", START + HOUR, 3)]

    report = _read(rows, released=released)

    assert [row.number for row in report.episodes] == [1, 3]
    assert _counts(report) == [(1, 1, 0, 0), (1, 0, 0, 1)]


def test_the_drop_at_the_paywall_is_of_those_who_met_it() -> None:
    rows = [_play(viewer, START, 1) for viewer in "abc"]
    rows += [_play(viewer, START + HOUR, 2) for viewer in "abc"]
    rows += [_wall(viewer, START + 2 * HOUR, 3) for viewer in "ab"]
    rows += [_play("a", START + 3 * HOUR, 3), _wall("a", START + 4 * HOUR, 4)]

    report = _read(rows)

    second, third = report.episodes[1:3]
    assert (second.at_risk, second.dropped, second.met_paywall) == (3, 2, 2)
    assert (second.dropped_at_paywall, second.paywall_hazard) == (1, 0.5)
    assert (third.met_paywall, third.first_paywall, third.dropped_at_paywall) == (1, 0, 1)
    assert report.paywall_after == 2


def test_a_series_that_nobody_played_has_its_episodes_and_nothing_in_them() -> None:
    report = _read([])

    assert _counts(report) == [(0, 0, 0, 0)] * 4
    assert {row.survival for row in report.episodes} == {None}
    assert report.paywall_after is None


def _by_hand(
    sessions: Sequence[tuple[str, int, datetime, int]],
    walls: Sequence[tuple[str, int, datetime]],
    *,
    last: int,
    watermark: datetime,
) -> dict[int, list[int]]:
    """At risk, passed, dropped, censored, met the paywall, dropped there: of each episode."""
    found = {number: [0] * 6 for number in range(1, last + 1)}
    for viewer in "ab":
        own = [
            (number, at - timedelta(milliseconds=ms), at)
            for who, number, at, ms in sessions
            if who == viewer and ms >= 3000 and at < watermark
        ]
        if not own:
            continue
        number = min(own, key=lambda one: (min(o[1] for o in own if o[0] == one[0]), one[0]))[0]
        while True:
            first = min(began for n, began, _ in own if n == number)
            until = max(ended for n, _, ended in own if n == number) + WEEK
            onward = any(n == number + 1 and first <= began < until for n, began, _ in own)
            met = any(
                (who, n) == (viewer, number + 1) and first <= at < until and at < watermark
                for who, n, at in walls
            )
            dropped = not onward and number < last and until <= watermark
            row = found[number]
            counted = [1, onward, dropped, not onward and not dropped, met, met and dropped]
            found[number] = [old + int(new) for old, new in zip(row, counted, strict=True)]
            if not onward:
                break
            number += 1
    return found


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    moments = st.integers(0, 16 * 24).map(lambda hours: START + hours * HOUR)

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        sessions=st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.integers(1, 4),
                moments,
                st.sampled_from([2999, 3000, 3000]),
            ),
            max_size=10,
        ),
        walls=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4), moments), max_size=4),
        hours=st.integers(0, 30 * 24),
    )
    def explore(
        sessions: list[tuple[str, int, datetime, int]],
        walls: list[tuple[str, int, datetime]],
        hours: int,
    ) -> None:
        rows = [
            _play(viewer, at, number, ms=ms, session=f"{place}")
            for place, (viewer, number, at, ms) in enumerate(sessions)
        ]
        rows += [_wall(viewer, at, number) for viewer, number, at in walls]
        watermark = START + hours * HOUR

        report = _read(rows, watermark=watermark)

        names = (*OUTCOMES, "met_paywall", "dropped_at_paywall")
        found = {row.number: [getattr(row, name) for name in names] for row in report.episodes}
        assert found == _by_hand(sessions, walls, last=4, watermark=watermark)

    explore()
    proof.record("A1", "episode survival equals its definition in plain Python", violations=0)
