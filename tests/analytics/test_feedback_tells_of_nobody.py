"""The pipeline learns how its beats did, and nothing that could be of a single viewer."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from analytics.ranking import feedback
from analytics.ranking.feedback import BeatFeedback
from analytics.ranking.ranking import Floors
from analytics.reports.beats import BeatReport, BeatRow, Booked, VersionBeats

FLOORS = Floors(viewers=50, payers=10)
COUNTED = ("at_risk", "exits", "skipped", "next", "replays", "exit_hazard")
SURVIVING = ("survival", "survival_low", "survival_high")
BOOKED = ("booked_unlocks", "booked_coins", "booked_value_micros")


def _beat(position: int, *, at_risk: int = 50, payers: int = 10) -> BeatRow:
    return BeatRow(
        position=position,
        start_ms=position * 1000,
        end_ms=position * 1000 + 1000,
        kind="cliffhanger",
        emotion="fear",
        hook="a train",
        prompt_ref="p-1",
        at_risk=at_risk,
        passed=at_risk - 1,
        skipped=0,
        next=0,
        exits=1,
        censored=0,
        seeks_forward=0,
        replays=2,
        exit_hazard=1 / at_risk,
        skip_hazard=0,
        next_hazard=0,
        survival=0.9,
        survival_low=0.8,
        survival_high=0.95,
        booked=Booked(unlocks=payers, coins=600, value_micros=7, payers=payers, together=0),
    )


def _told(*beats: BeatRow) -> list[BeatFeedback]:
    report = BeatReport(
        definition=[],
        reporting_zone="UTC",
        watermark=datetime(2026, 3, 14, tzinfo=UTC),
        filters={},
        population=[],
        engine="",
        series_id=UUID(int=1),
        currency="USD",
        versions=[
            VersionBeats(
                version_id=UUID(int=2),
                version_external_id="v1",
                episode_id=UUID(int=3),
                episode_number=1,
                beats=beats,
            )
        ],
        unbooked=[],
        total=Booked(unlocks=0, coins=0, value_micros=0, payers=0, together=0),
    )
    told = feedback.of_beats(report, external_id="helen", floors=FLOORS)
    return list(told.versions[0].beats)


def _is_told(beat: BeatFeedback, names: tuple[str, ...]) -> bool:
    known = {getattr(beat, name) is not None for name in names}
    assert len(known) == 1, "figures of one kind are told together"
    return known.pop()


@pytest.mark.parametrize(
    ("at_risk", "payers", "tells_counts", "tells_money"),
    [(50, 10, True, True), (49, 10, False, False), (50, 9, True, False)],
)
def test_figures_of_too_few_are_null(
    at_risk: int, payers: int, tells_counts: bool, tells_money: bool
) -> None:
    (beat,) = _told(_beat(0, at_risk=at_risk, payers=payers))

    assert _is_told(beat, COUNTED) is tells_counts
    assert _is_told(beat, SURVIVING) is tells_counts
    assert _is_told(beat, BOOKED) is tells_money
    assert beat.suppressed is not (tells_counts and tells_money)


def test_a_beat_keeps_what_was_pushed_of_it() -> None:
    (beat,) = _told(_beat(0, at_risk=1, payers=0))

    assert (beat.kind, beat.emotion, beat.hook, beat.prompt_ref) == (
        "cliffhanger",
        "fear",
        "a train",
        "p-1",
    )


def test_survival_is_untold_from_the_first_suppressed_beat_on() -> None:
    before, suppressed, after = _told(_beat(0), _beat(1, at_risk=49), _beat(2))

    assert [_is_told(beat, SURVIVING) for beat in (before, suppressed, after)] == [
        True,
        False,
        False,
    ]
    assert _is_told(after, COUNTED)
    assert after.suppressed
