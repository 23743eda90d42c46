"""Beats: who is still there after each, and the unlocks that are booked on it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from analytics.reports import cuts, definitions, survival
from analytics.reports.cuts import Cut
from analytics.reports.report import Report, heading
from analytics.reports.sources import Source
from analytics.reports.survival import Point, Step
from catalog.models import Beat

_OUTCOMES = (
    "at_risk",
    "passed",
    "skipped",
    "next",
    "exits",
    "censored",
    "seeks_forward",
    "replays",
)
_DOORS = ("skipped", "next", "exits", "censored")
_BOOKED = ("unlocks", "coins", "value_micros", "payers", "together")

Place = tuple[str, int]


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """Unlocks with their coins and value, and how many viewers paid for those of any value.

    `together` are the unlocks of them that were one decision on several episodes, or made without a tap.
    """

    unlocks: int
    coins: int
    value_micros: int
    payers: int
    together: int


NOTHING = Booked(unlocks=0, coins=0, value_micros=0, payers=0, together=0)


class Unbooked(Booked, frozen=True, kw_only=True):
    """Unlocks on no beat that is shown, and why.

    `none`: it named no playback that the lake knows, and the viewer had played nothing of the series.
    `window`: what the viewer had played was more than half an hour ago. `other_version`: it was of a
    version that this report does not show. `no_beat`: no beat is there. `flagged`: the viewer or the
    playback is flagged, so no figure of a beat has it.
    """

    reason: str


class BeatRow(msgspec.Struct, frozen=True, kw_only=True):
    """One beat: its place in the story, how viewers left it, and what was booked on it.

    At risk = passed + skipped + next + exits + censored. `seeks_forward` are those who left it by a
    forward seek, whatever they did then; `replays` the seeks back into it. The interval of the
    survival is one of 95 %.
    """

    position: int
    start_ms: int
    end_ms: int
    kind: str
    emotion: str
    hook: str
    prompt_ref: str
    at_risk: int
    passed: int
    skipped: int
    next: int
    exits: int
    censored: int
    seeks_forward: int
    replays: int
    exit_hazard: float | None
    skip_hazard: float | None
    next_hazard: float | None
    survival: float | None
    survival_low: float | None
    survival_high: float | None
    booked: Booked


class VersionBeats(msgspec.Struct, frozen=True, kw_only=True):
    """A version and its beats in order."""

    version_id: UUID
    version_external_id: str
    episode_id: UUID
    episode_number: int
    beats: Sequence[BeatRow]


class BeatReport(Report, frozen=True, kw_only=True):
    """Versions by episode, the unlocks on no beat of theirs, and all unlocks of the series."""

    series_id: UUID
    currency: str
    versions: Sequence[VersionBeats]
    unbooked: Sequence[Unbooked]
    total: Booked


def curves(*, source: Source, of: Sequence[Cut], currency: str) -> BeatReport:
    """The beats of one or more versions of one series."""
    series_id = of[0].series_id
    source.load("unlocks", "unlocks_left_out", series_id=series_id)
    source.register("beats", cuts.table(of))
    asked = {"series_id": str(series_id), "watermark": source.watermark}
    outcomes: dict[Place, Sequence[int]] = {
        (version, position): counts
        for version, position, *counts in source.rows("beat_outcomes", **asked)
    }
    booked: dict[Place, Booked] = {}
    unbooked: list[Unbooked] = []
    total = NOTHING
    for is_total, version, position, reason, *counts in source.rows("beat_bookings", **asked):
        named = dict(zip(_BOOKED, counts, strict=True))
        if is_total:
            total = Booked(**named)
        elif reason is not None:
            unbooked.append(Unbooked(reason=reason, **named))
        else:
            booked[version, position] = Booked(**named)
    return BeatReport(
        **heading(
            source=source,
            definition=[definitions.BEAT_SURVIVAL, definitions.BEAT_BOOKED],
            filters={"series_id": str(series_id)},
            population=["environment production", "first passes"],
        ),
        series_id=series_id,
        currency=currency,
        versions=[_version(cut, outcomes, booked) for cut in of],
        unbooked=unbooked,
        total=total,
    )


def _version(
    cut: Cut, outcomes: Mapping[Place, Sequence[int]], booked: Mapping[Place, Booked]
) -> VersionBeats:
    places = [(str(cut.version_id), beat.position) for beat in cut.beats]
    counts = [outcomes.get(place, [0] * len(_OUTCOMES)) for place in places]
    left = [dict(zip(_OUTCOMES, count, strict=True)) for count in counts]
    points = survival.curve(_by_door(count, "exits") for count in left)
    return VersionBeats(
        version_id=cut.version_id,
        version_external_id=cut.external_id,
        episode_id=cut.episode_id,
        episode_number=cut.number,
        beats=[
            _row(beat, count, point, booked.get(place, NOTHING))
            for beat, count, point, place in zip(cut.beats, left, points, places, strict=True)
        ],
    )


def _by_door(counts: Mapping[str, int], door: str) -> Step:
    """Who left through one door; those who left through another are uncounted from there on."""
    others = sum(counts[other] for other in _DOORS if other != door)
    return Step(at_risk=counts["at_risk"], exits=counts[door], censored=others)


def _row(beat: Beat, counts: Mapping[str, int], point: Point, booked: Booked) -> BeatRow:
    return BeatRow(
        position=beat.position,
        start_ms=beat.start_ms,
        end_ms=beat.end_ms,
        kind=beat.kind,
        emotion=beat.emotion,
        hook=beat.hook,
        prompt_ref=beat.prompt_ref,
        **counts,
        exit_hazard=point.hazard,
        skip_hazard=survival.hazard(_by_door(counts, "skipped")),
        next_hazard=survival.hazard(_by_door(counts, "next")),
        survival=point.survival,
        survival_low=point.low,
        survival_high=point.high,
        booked=booked,
    )
