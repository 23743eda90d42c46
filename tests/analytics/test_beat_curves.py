"""An analyst reads which beat loses viewers, and which unlocks are booked on it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import beats, cuts
from analytics.reports.beats import BeatReport, BeatRow
from analytics.reports.cuts import Cut
from catalog.models import Beat
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, played, utc
from tests.proof import Proof

SERIES, EPISODE, OTHER_EPISODE = (str(UUID(int=number)) for number in (1, 2, 3))
VERSION = str(UUID(int=4))
BEAT_MS = 10_000
BEATS = 4
START = utc("2026-03-01 10:00")
LATER = START + 10 * DAY
HALF_HOUR = timedelta(minutes=30)


def _cut(beat_count: int = BEATS) -> Cut:
    return Cut(
        series_id=UUID(SERIES),
        version_id=UUID(VERSION),
        external_id="v1",
        episode_id=UUID(EPISODE),
        number=1,
        duration_ms=beat_count * BEAT_MS,
        beats=[
            Beat(position=n, start_ms=n * BEAT_MS, end_ms=(n + 1) * BEAT_MS, kind="hook")
            for n in range(beat_count)
        ],
    )


def _of(kind: str, viewer: str, at: datetime, **members: object) -> Row:
    ids = {
        "series_id": SERIES,
        "episode_id": EPISODE,
        "version_id": VERSION,
        "playback_session_id": f"{viewer}/{VERSION}",
    }
    return event(kind, viewer, at, **(ids | members))


def _play(viewer: str, at: datetime, from_s: float, to_s: float, **members: object) -> Row:
    return played(
        viewer,
        at,
        from_ms=int(from_s * 1000),
        to_ms=int(to_s * 1000),
        **({"series": SERIES, "episode": EPISODE, "version": VERSION} | members),
    )


def _read(
    rows: Sequence[Row],
    unlocks: Sequence[Row] = (),
    *,
    flagged: Sequence[Row] = (),
    watermark: datetime = LATER,
) -> BeatReport:
    tables = {"unlocks": unlocks, "unlocks_left_out": flagged}
    with lake(rows, watermark=watermark, tables=tables) as source:
        return beats.curves(source=source, of=[_cut()], currency="USD")


def _beats(rows: Sequence[Row], *, watermark: datetime = LATER) -> Sequence[BeatRow]:
    return _read(rows, watermark=watermark).versions[0].beats


def _outcomes(rows: Sequence[Row], *, watermark: datetime = LATER) -> list[str]:
    """Of a single viewer: how each beat was left, or a dash where they were not at risk."""
    doors = ("passed", "skipped", "next", "exits", "censored")
    return [
        next((door for door in doors if getattr(row, door)), "-")
        for row in _beats(rows, watermark=watermark)
    ]


def test_who_stops_for_half_an_hour_exits_in_the_beat_they_stopped_in() -> None:
    assert _outcomes([_play("a", START, 0, 15)]) == ["passed", "exits", "-", "-"]


def test_who_reaches_the_end_passes_every_beat() -> None:
    whole = [_play("a", START, 0, 40)]
    said_so = [_play("a", START, 0, 39), _of("playback_end", "a", START, reason="completed")]

    assert _outcomes(whole) == ["passed"] * 4
    assert _outcomes(said_so) == ["passed"] * 4


@pytest.mark.parametrize(("ms", "at_risk"), [(499, 0), (500, 1)])
def test_half_a_second_puts_a_viewer_at_risk(ms: int, at_risk: int) -> None:
    assert _beats([_play("a", START, 10 - ms / 1000, 15)])[0].at_risk == at_risk


def test_who_jumps_in_is_at_risk_only_from_there() -> None:
    rows = [_play("a", START, 25, 28), _play("a", START + 9 * SECOND, 0, 5)]

    assert _outcomes(rows) == ["-", "-", "exits", "-"]


def test_going_back_is_a_replay_and_no_outcome() -> None:
    rows = [
        _play("a", START, 0, 25),
        _of("playback_seek", "a", START, from_ms=25_000, to_ms=3_000),
        _play("a", START + 20 * SECOND, 3, 15),
    ]

    assert _outcomes(rows) == ["passed", "passed", "exits", "-"]
    assert [row.replays for row in _beats(rows)] == [1, 0, 0, 0]


def test_a_forward_seek_out_of_the_beat_skips_it_unless_a_later_one_is_played() -> None:
    seek = _of("playback_seek", "a", START, from_ms=15_000, to_ms=31_000)
    stops = [_play("a", START, 0, 15), seek]

    assert _outcomes(stops) == ["passed", "skipped", "-", "-"]
    landed = _beats([*stops, _play("a", START + 9 * SECOND, 31, 35)])
    assert [(row.passed, row.skipped, row.seeks_forward) for row in landed[:2]] == [
        (1, 0, 0),
        (1, 0, 1),
    ]
    within = _of("playback_seek", "a", START, from_ms=15_000, to_ms=19_999)
    assert _outcomes([_play("a", START, 0, 15), within]) == ["passed", "exits", "-", "-"]


@pytest.mark.parametrize(("after", "outcome"), [(HALF_HOUR - SECOND, "next"), (HALF_HOUR, "exits")])
def test_another_episode_within_half_an_hour_is_next(after: timedelta, outcome: str) -> None:
    other = _of(
        "playback_start",
        "a",
        START + after,
        episode_id=OTHER_EPISODE,
        version_id=str(uuid4()),
        playback_session_id="other",
    )

    assert _outcomes([_play("a", START, 0, 15), other])[1] == outcome


def test_the_players_word_that_another_comes_next_is_taken() -> None:
    rows = [_play("a", START, 0, 15), _of("playback_end", "a", START, reason="next")]

    assert _outcomes(rows)[1] == "next"


@pytest.mark.parametrize(("after", "outcome"), [(5 * SECOND, "censored"), (6 * SECOND, "exits")])
def test_an_error_in_the_last_seconds_censors(after: timedelta, outcome: str) -> None:
    rows = [_play("a", START, 0, 15), _of("playback_end", "a", START + after, reason="error")]

    assert _outcomes(rows)[1] == outcome


@pytest.mark.parametrize(
    ("watermark", "outcome"),
    [(START + HALF_HOUR - SECOND, "censored"), (START + HALF_HOUR, "exits")],
)
def test_half_an_hour_that_is_not_over_censors(watermark: datetime, outcome: str) -> None:
    assert _outcomes([_play("a", START, 0, 15)], watermark=watermark)[1] == outcome


def test_who_comes_back_within_a_day_goes_on_with_the_first_pass() -> None:
    begun = START - 15 * SECOND
    rows = [_play("a", START, 0, 15), _play("a", begun + DAY - SECOND, 15, 25)]
    late = [_play("a", START, 0, 15), _play("a", begun + DAY, 15, 25)]

    assert _outcomes(rows) == ["passed", "passed", "exits", "-"]
    assert _outcomes(late) == ["passed", "exits", "-", "-"]


def test_who_is_still_playing_when_the_first_pass_ends_is_censored() -> None:
    begun = START - 15 * SECOND
    rows = [
        _play("a", START, 0, 15),
        _play("a", begun + DAY - SECOND, 15, 16),
        _play("a", begun + DAY + SECOND, 16, 18),
    ]

    assert _outcomes(rows)[1] == "censored"


def test_what_follows_the_end_is_no_part_of_the_first_pass() -> None:
    rows = [_play("a", START, 0, 5), _play("a", START + HOUR, 30, 40)]

    assert _outcomes([*rows, _play("a", START + 2 * HOUR, 12, 18)]) == [
        "passed",
        "-",
        "-",
        "passed",
    ]


def test_the_sandbox_is_left_out() -> None:
    assert _beats([_play("a", START, 0, 15, environment="sandbox")])[0].at_risk == 0


def test_hazards_count_those_who_left_by_another_door_for_half() -> None:
    rows = [_play(f"exit{n}", START, 0, 5) for n in range(2)]
    rows += [_play(f"stay{n}", START, 0, 40) for n in range(6)]
    rows += [
        row
        for n in range(4)
        for row in (
            _play(f"next{n}", START, 0, 5),
            _of("playback_end", f"next{n}", START, reason="next"),
        )
    ]

    first = _beats(rows)[0]

    assert (first.at_risk, first.exits, first.next, first.passed) == (12, 2, 4, 6)
    assert first.exit_hazard == pytest.approx(2 / (12 - 4 / 2))
    assert first.next_hazard == pytest.approx(4 / (12 - 2 / 2))
    assert first.survival == pytest.approx(0.8)


def _unlock(
    viewer: str, position_ms: int | None, *, session: str | None = "", **members: object
) -> Row:
    return {
        "unlock_id": str(uuid4()),
        "means": "coins",
        "viewer_id": viewer,
        "series_id": SERIES,
        "episode_id": OTHER_EPISODE,
        "coins": 60,
        "value_micros": 7,
        "playback_session_id": f"{viewer}/{VERSION}" if session == "" else session,
        "position_ms": position_ms,
        "created_at": START,
    } | members


def test_an_unlock_is_booked_on_the_beat_that_it_came_from() -> None:
    rows = [_play("a", START, 0, 40)]
    unlocks = [_unlock("a", position) for position in (0, 9_999, 10_000, 39_999, 40_000)]

    report = _read(rows, unlocks)

    assert [row.booked.unlocks for row in report.versions[0].beats] == [2, 1, 0, 2]
    assert report.unbooked == []
    assert (report.total.unlocks, report.total.coins, report.total.value_micros) == (5, 300, 35)
    assert report.total.payers == 1


def test_an_unlock_on_no_beat_says_why() -> None:
    long_ago = START - HOUR
    rows = [
        _play("a", START - HOUR, 0, 40),
        _play("a", long_ago, 0, 5, version=str(uuid4()), session="v2"),
        _play("late", long_ago, 0, 5),
    ]
    unlocks = [
        _unlock("nobody", 5_000, session=None),
        _unlock("nobody", 5_000, session=f"a/{VERSION}"),
        _unlock("late", 5_000, session=None),
        _unlock("late", 5_000, session="never seen"),
        _unlock("late", None),
        _unlock("a", 5_000, session="v2"),
        _unlock("a", 41_000),
    ]

    found = {row.reason: row.unlocks for row in _read(rows, unlocks).unbooked}

    assert found == {"none": 2, "window": 3, "other_version": 1, "no_beat": 1}


@pytest.mark.parametrize(
    ("before", "beat"), [(0 * SECOND, 1), (HALF_HOUR - SECOND, 1), (HALF_HOUR, None)]
)
def test_an_unlock_that_names_no_playback_is_on_the_beat_of_the_last_half_hour(
    before: timedelta, beat: int | None
) -> None:
    rows = [
        _play("a", START - before - SECOND, 0, 35),
        _play("a", START - before, 10, 15),
        _play("a", START + SECOND, 30, 38),
    ]

    booked = _read(rows, [_unlock("a", None, session=None)]).versions[0].beats

    assert [row.position for row in booked if row.booked.unlocks] == (
        [] if beat is None else [beat]
    )


def test_what_is_received_two_days_after_an_unlock_moves_it_no_more() -> None:
    late = START + 2 * DAY
    known = _play("a", START - SECOND, 0, 15, received_at=late - SECOND)
    too_late = _play("a", START - SECOND, 0, 15, received_at=late)

    for session in (None, ""):
        unlock = _unlock("a", 15_000, session=session)
        assert _read([known], [unlock]).unbooked == []
        assert [row.reason for row in _read([too_late], [unlock]).unbooked] == ["none"]


def test_what_was_decided_together_is_counted_as_such_and_taken_back_with_it() -> None:
    ways = ["single", "bundle", "bundle", "auto", "rental"]
    unlocks = [_unlock("a", 5_000, way=way) for way in ways]
    undone = unlocks[1] | {"unlocks": -1, "unlocked_at": START, "created_at": START + HOUR}

    first = _read([_play("a", START, 0, 40)], [*unlocks, undone]).versions[0].beats[0].booked

    assert (first.unlocks, first.together) == (4, 2)


def test_what_the_flagged_unlocked_is_on_no_beat_and_in_the_total() -> None:
    rows = [_play("a", START, 0, 40)]
    flagged = [_unlock("a", 5_000, way="bundle"), _unlock("a", 0, means="ad")]

    report = _read(rows, [_unlock("a", 5_000)], flagged=flagged)

    assert [row.booked.unlocks for row in report.versions[0].beats] == [1, 0, 0, 0]
    assert [(row.reason, row.coins, row.together) for row in report.unbooked] == [
        ("flagged", 60, 1)
    ]
    assert (report.total.unlocks, report.total.value_micros, report.total.payers) == (2, 14, 1)


def test_ads_and_other_series_are_not_booked() -> None:
    unlocks = [_unlock("a", 0, means="ad"), _unlock("a", 0, series_id=str(uuid4()))]

    assert _read([_play("a", START, 0, 5)], unlocks).total.unlocks == 0


def _booked_by_hand(rows: Sequence[Row], unlocks: Sequence[Row]) -> list[int | str]:
    """Where each unlock is booked, a beat's position or a reason, in plain Python from the definition."""
    found: list[int | str] = []
    for unlock in unlocks:
        own = [
            row
            for row in rows
            if row["viewer_id"] == unlock["viewer_id"]
            and row["received_at"] < unlock["created_at"] + 2 * DAY
        ]
        session = unlock["playback_session_id"]
        named = [row for row in own if session and row["playback_session_id"] == session]
        before = [row for row in own if row["occurred_at"] <= unlock["created_at"]]
        if named and unlock["position_ms"] is not None:
            version, position = named[0]["version_id"], unlock["position_ms"]
        elif not before:
            found.append("none")
            continue
        else:
            last = max(before, key=lambda row: (row["occurred_at"], row["event_id"]))
            if last["occurred_at"] <= unlock["created_at"] - HALF_HOUR:
                found.append("window")
                continue
            version, position = last["version_id"], last["to_ms"]
        if version != VERSION:
            found.append("other_version")
        elif position <= BEATS * BEAT_MS:
            found.append(min(position // BEAT_MS, BEATS - 1))
        else:
            found.append("no_beat")
    return found


def test_beats_and_no_beat_together_are_the_ledgers(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        plays=st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.integers(-3600, 3600),
                st.integers(1, 40),
                st.sampled_from([VERSION, OTHER_EPISODE]),
                st.sampled_from([0, 49 * 3600]),
            ),
            max_size=6,
        ),
        spends=st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.none() | st.integers(0, 60_000),
                st.sampled_from([VERSION, OTHER_EPISODE, "never seen", None]),
                st.integers(0, 10**9),
                st.booleans(),
            ),
            max_size=8,
        ),
    )
    def explore(
        plays: list[tuple[str, int, int, str, int]],
        spends: list[tuple[str, int | None, str | None, int, bool]],
    ) -> None:
        rows = [
            _play(
                viewer,
                START + after * SECOND,
                0,
                to_s,
                version=version,
                session=f"{viewer}/{version}",
                received_at=START + (after + late) * SECOND,
            )
            for viewer, after, to_s, version, late in plays
        ]
        every = [
            _unlock(
                viewer,
                position,
                session=named and f"{viewer}/{named}",
                value_micros=micros,
            )
            for viewer, position, named, micros, _ in spends
        ]
        is_flagged = [each[-1] for each in spends]
        unlocks = [row for row, left_out in zip(every, is_flagged, strict=True) if not left_out]
        flagged = [row for row, left_out in zip(every, is_flagged, strict=True) if left_out]

        report = _read(rows, unlocks, flagged=flagged)

        beats_of = {row.position: row.booked for row in report.versions[0].beats}
        reasons = {row.reason: row for row in report.unbooked}
        placed = [*beats_of.values(), *reasons.values()]
        for figure, booked in (
            ("unlocks", len(every)),
            ("coins", sum(row["coins"] for row in every)),
            ("value_micros", sum(row["value_micros"] for row in every)),
        ):
            assert sum(getattr(row, figure) for row in placed) == booked
            assert getattr(report.total, figure) == booked
        expected: dict[int | str, int] = {}
        if flagged:
            expected["flagged"] = sum(row["value_micros"] for row in flagged)
        for where, unlock in zip(_booked_by_hand(rows, unlocks), unlocks, strict=True):
            expected[where] = expected.get(where, 0) + unlock["value_micros"]
        found = {
            where: row.value_micros
            for where, row in [*beats_of.items(), *reasons.items()]
            if row.unlocks
        }
        assert found == expected

    explore()
    proof.record(
        "A1", "unlocks booked on beats equal their definition and the ledger", violations=0
    )


def test_a_version_without_beats_of_its_own_has_a_grid_of_half_minutes() -> None:
    (cut,) = cuts.gridded([replace(_cut(), duration_ms=70_000)])

    assert [(beat.start_ms, beat.end_ms) for beat in cut.beats] == [
        (0, 30_000),
        (30_000, 60_000),
        (60_000, 70_000),
    ]
    assert {beat.kind for beat in cut.beats} == {"grid"}


class Oracle:
    """The outcomes of one viewer in plain Python, from the definition."""

    def __init__(self, rows: Sequence[Row], watermark: datetime) -> None:
        self.watermark = watermark
        self.rows = [row for row in rows if row["occurred_at"] < watermark]
        self.own = [row for row in self.rows if row["version_id"] == VERSION]
        plays = [row for row in self.own if row["type"] == "playback_progress"]
        self.began = min((self._began(row) for row in plays), default=None)

    @staticmethod
    def _began(row: Row) -> datetime:
        at: datetime = row["occurred_at"]
        return at - timedelta(milliseconds=row["actual_ms"] or 0)

    def outcomes(self) -> list[str]:
        if self.began is None:
            return ["-"] * BEATS
        within = [r for r in self.own if self.began <= r["occurred_at"] < self.began + DAY]
        ends = [
            row["occurred_at"]
            for row in within
            if row["reason"] == "completed"
            or (row["type"] == "playback_progress" and row["to_ms"] >= BEATS * BEAT_MS)
        ]
        self.first_pass = [row for row in within if not ends or row["occurred_at"] <= min(ends)]
        self.plays = [row for row in self.first_pass if row["type"] == "playback_progress"]
        touched: dict[int, int] = {}
        first: dict[int, datetime] = {}
        for row in self.plays:
            for n in range(BEATS):
                low = max(row["from_ms"], n * BEAT_MS)
                inside = min(row["to_ms"], (n + 1) * BEAT_MS) - low
                if inside > 0:
                    touched[n] = touched.get(n, 0) + inside
                    first[n] = min(row["occurred_at"], first.get(n, row["occurred_at"]))
        entry = min(touched, key=lambda n: (first[n], n)) if touched else 0
        return [
            self._outcome(n, touched, is_finished=bool(ends))
            if touched.get(n, 0) >= 500 and n >= entry
            else "-"
            for n in range(BEATS)
        ]

    def _outcome(self, n: int, touched: dict[int, int], *, is_finished: bool) -> str:
        if n < max(touched) or is_finished:
            return "passed"
        for row in self.first_pass:
            is_seek = row["type"] == "playback_seek"
            if is_seek and row["from_ms"] // BEAT_MS == n and row["to_ms"] >= (n + 1) * BEAT_MS:
                return "skipped"
        last = max(row["occurred_at"] for row in self.plays)
        soon = [row for row in self.rows if self._began(row) < last + HALF_HOUR]
        for row in soon:
            is_play = row["type"] in ("playback_start", "playback_progress")
            is_other = row["episode_id"] != EPISODE and is_play
            is_said = row["version_id"] == VERSION and row["reason"] == "next"
            if (is_other or is_said) and row["occurred_at"] >= last:
                return "next"
        for row in soon:
            is_own = row["version_id"] == VERSION
            near = last - 5 * SECOND <= row["occurred_at"] <= last + 5 * SECOND
            if is_own and row["reason"] == "error" and near:
                return "censored"
            if is_own and row["type"] == "playback_progress" and row["occurred_at"] > last:
                return "censored"
        return "censored" if last + HALF_HOUR > self.watermark else "exits"


_steps = st.tuples(
    st.sampled_from(["play", "play", "play", "seek", "end", "other"]),
    st.sampled_from([1, 2, 6, 60, 29 * 60, 31 * 60, 12 * 3600, 24 * 3600]),
    st.integers(0, 44),
    st.integers(1, 12),
    st.sampled_from(["completed", "next", "exit", "error"]),
)


def test_outcomes_equal_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1500),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=st.lists(_steps, max_size=7), wait=st.sampled_from([1, 1200, 1900, 10**6]))
    def explore(steps: list[tuple[str, int, int, int, str]], wait: int) -> None:
        rows, at = _story(steps)
        watermark = at + wait * SECOND

        assert _outcomes(rows, watermark=watermark) == Oracle(rows, watermark).outcomes()

    explore()
    proof.record("A1", "outcomes of beats equal their definition in plain Python", violations=0)


def _story(steps: Sequence[tuple[str, int, int, int, str]]) -> tuple[list[Row], datetime]:
    rows, at = [], START
    for kind, pause, place, length, reason in steps:
        at += pause * SECOND
        end = min(place + length, 40)
        if kind == "play" and place < 40:
            rows.append(_play("a", at, place, end))
        elif kind == "seek":
            rows.append(_of("playback_seek", "a", at, from_ms=place * 1000, to_ms=length * 3000))
        elif kind == "end":
            rows.append(_of("playback_end", "a", at, reason=reason))
        elif kind == "other":
            rows.append(_play("a", at, 0, length, episode=OTHER_EPISODE, version="w", session="w"))
    return rows, at
