"""What the generation pipeline is told of each beat: nothing that could be of a single viewer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from analytics.ranking.ranking import Floors
from analytics.reports.beats import BeatReport, BeatRow, VersionBeats
from analytics.reports.definitions import Definition


class BeatFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """One beat as it was pushed, and what viewers made of it.

    Figures of fewer people than the floor are null, and `suppressed` says so. Survival is null from
    the first suppressed beat on, whose hazard it would tell.
    """

    position: int
    start_ms: int
    end_ms: int
    kind: str
    emotion: str
    hook: str
    prompt_ref: str
    suppressed: bool
    at_risk: int | None
    exits: int | None
    skipped: int | None
    next: int | None
    replays: int | None
    exit_hazard: float | None
    survival: float | None
    survival_low: float | None
    survival_high: float | None
    booked_unlocks: int | None
    booked_coins: int | None
    booked_value_micros: int | None


class VersionFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """A version and its beats in order."""

    version_id: UUID
    version_external_id: str
    episode_id: UUID
    episode_number: int
    beats: Sequence[BeatFeedback]


class BeatsFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """The current version of every episode of a series."""

    definition: Sequence[Definition]
    reporting_zone: str
    watermark: datetime
    population: Sequence[str]
    series_id: UUID
    external_id: str
    currency: str
    versions: Sequence[VersionFeedback]


_AS_PUSHED = ("position", "start_ms", "end_ms", "kind", "emotion", "hook", "prompt_ref")
_COUNTS = ("at_risk", "exits", "skipped", "next", "replays", "exit_hazard")
_SURVIVAL = ("survival", "survival_low", "survival_high")


def of_beats(report: BeatReport, *, external_id: str, floors: Floors) -> BeatsFeedback:
    """The report without what is of too few people. It has no totals, which could tell it."""
    return BeatsFeedback(
        definition=report.definition,
        reporting_zone=report.reporting_zone,
        watermark=report.watermark,
        population=[
            *report.population,
            f"rows of at least {floors.viewers} viewers",
            f"revenue of at least {floors.payers} payers",
        ],
        series_id=report.series_id,
        external_id=external_id,
        currency=report.currency,
        versions=[_version(version, floors) for version in report.versions],
    )


def _version(version: VersionBeats, floors: Floors) -> VersionFeedback:
    rows, is_whole = [], True
    for beat in version.beats:
        is_told = beat.at_risk >= floors.viewers
        is_whole = is_whole and is_told
        rows.append(_beat(beat, floors, is_told=is_told, tells_survival=is_whole))
    return VersionFeedback(
        version_id=version.version_id,
        version_external_id=version.version_external_id,
        episode_id=version.episode_id,
        episode_number=version.episode_number,
        beats=rows,
    )


def _beat(beat: BeatRow, floors: Floors, *, is_told: bool, tells_survival: bool) -> BeatFeedback:
    booked = beat.booked if is_told and beat.booked.payers >= floors.payers else None
    return BeatFeedback(
        **_taken(beat, _AS_PUSHED, is_told=True),
        suppressed=booked is None or not tells_survival,
        **_taken(beat, _COUNTS, is_told=is_told),
        **_taken(beat, _SURVIVAL, is_told=tells_survival),
        booked_unlocks=booked.unlocks if booked else None,
        booked_coins=booked.coins if booked else None,
        booked_value_micros=booked.value_micros if booked else None,
    )


def _taken(beat: BeatRow, names: Sequence[str], *, is_told: bool) -> dict[str, Any]:
    return {name: getattr(beat, name) if is_told else None for name in names}
