"""An analyst sees which seconds of a version are watched, by how many, and how often again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import heat
from analytics.reports.cuts import Cut
from analytics.reports.heat import HeatReport, Stretch
from tests.analytics.lakes import DAY, SECOND, Row, lake, played, utc
from tests.proof import Proof

SERIES, EPISODE, VERSION = (str(UUID(int=number)) for number in (1, 2, 3))
START = utc("2026-03-01 10:00")
LATER = START + 10 * DAY


def _cut(duration_ms: int) -> Cut:
    return Cut(
        series_id=UUID(SERIES),
        version_id=UUID(VERSION),
        external_id="v1",
        episode_id=UUID(EPISODE),
        number=1,
        duration_ms=duration_ms,
        beats=[],
    )


def _play(viewer: str, from_ms: int, to_ms: int, *, at: datetime = START, **members: object) -> Row:
    return played(
        viewer,
        at,
        from_ms=from_ms,
        to_ms=to_ms,
        **({"series": SERIES, "episode": EPISODE, "version": VERSION} | members),
    )


def _read(
    rows: Sequence[Row],
    *,
    duration_ms: int = 5000,
    stretch_ms: int = 1000,
    watermark: datetime = LATER,
) -> HeatReport:
    with lake(rows, watermark=watermark) as source:
        return heat.maps(source=source, of=[_cut(duration_ms)], stretch_ms=stretch_ms)


def _stretches(rows: Sequence[Row], **asked: int) -> Sequence[Stretch]:
    return _read(rows, **asked).versions[0].stretches


def test_every_second_says_how_many_watched_it() -> None:
    rows = [_play("a", 0, 5000), _play("b", 0, 2000), _play("c", 4500, 5000)]

    report = _read(rows)

    (version,) = report.versions
    assert version.viewers == 3
    assert [one.viewers for one in version.stretches] == [2, 2, 1, 1, 2]
    assert [one.share for one in version.stretches] == pytest.approx(
        [2 / 3, 2 / 3, 1 / 3, 1 / 3, 2 / 3]
    )
    assert version.stretches[4].heat == pytest.approx(1500 / 3000)


def test_playing_a_second_again_is_a_replay_of_that_second_alone() -> None:
    rows = [_play("a", 0, 3000), _play("a", 1000, 2500, at=START + 9 * SECOND), _play("b", 0, 3000)]

    found = _stretches(rows)

    assert [one.replayed_ms for one in found] == [0, 1000, 500, 0, 0]
    assert [one.replayers for one in found] == [0, 1, 1, 0, 0]
    assert found[1].heat == pytest.approx(3000 / 2000)


def test_a_stretch_that_is_reported_in_two_pieces_is_no_replay() -> None:
    found = _stretches([_play("a", 0, 1500), _play("a", 1500, 3000, at=START + 2 * SECOND)])

    assert [one.replayed_ms for one in found] == [0] * 5
    assert [one.viewers for one in found] == [1, 1, 1, 0, 0]


def test_the_last_stretch_ends_with_the_version() -> None:
    found = _stretches([_play("a", 0, 9000)], duration_ms=2300)

    assert [(one.start_ms, one.end_ms) for one in found] == [(0, 1000), (1000, 2000), (2000, 2300)]
    assert [(one.played_ms, one.heat) for one in found] == [(1000, 1), (1000, 1), (300, 1)]


def test_other_versions_and_the_sandbox_are_left_out() -> None:
    rows = [_play("a", 0, 1000, version="other"), _play("b", 0, 1000, environment="sandbox")]

    report = _read(rows)

    assert report.versions[0].viewers == 0
    assert {one.heat for one in report.versions[0].stretches} == {None}


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        plays=st.lists(
            st.tuples(
                st.sampled_from("abc"), st.integers(0, 60), st.integers(0, 60), st.integers(0, 9)
            ),
            max_size=10,
        ),
        duration=st.integers(1, 50),
        length=st.sampled_from([1, 4, 7]),
    )
    def explore(plays: list[tuple[str, int, int, int]], duration: int, length: int) -> None:
        rows = [
            _play(viewer, 100 * first, 100 * (first + more), at=START + day * DAY)
            for viewer, first, more, day in plays
        ]
        # In tenths of a second: how often each viewer played each of them.
        often: dict[str, list[int]] = {}
        for viewer, first, more, day in plays:
            if START + day * DAY < LATER and more and first < duration:
                counts = often.setdefault(viewer, [0] * duration)
                for tenth in range(first, min(first + more, duration)):
                    counts[tenth] += 1

        (version,) = _read(rows, duration_ms=100 * duration, stretch_ms=100 * length).versions

        assert version.viewers == len(often)
        starts = range(0, duration, length)
        assert [one.start_ms for one in version.stretches] == [100 * start for start in starts]
        for start, one in zip(starts, version.stretches, strict=True):
            end = min(start + length, duration)
            sums = [sum(counts[start:end]) for counts in often.values()]
            assert one.viewers == sum(1 for total in sums if total)
            assert one.played_ms == 100 * sum(sums)
            assert one.replayed_ms == 100 * sum(max(total - (end - start), 0) for total in sums)
            assert one.replayers == sum(1 for total in sums if total > end - start)

    explore()
    proof.record("A1", "the watch heat map equals its definition in plain Python", violations=0)
