"""From episode to episode: who goes on, who drops out, and how many of those stood at the paywall."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from analytics.reports import definitions, survival
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source
from analytics.reports.survival import Point, Step


class EpisodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One released episode and the step from it to the next.

    At risk = passed + dropped + censored. `met_paywall` are those at risk who met the next episode's
    paywall, `first_paywall` those of them whose first in the series it was. The interval is one of 95 %.
    """

    number: int
    at_risk: int
    passed: int
    dropped: int
    censored: int
    met_paywall: int
    first_paywall: int
    dropped_at_paywall: int
    hazard: float | None
    paywall_hazard: float | None
    survival: float | None
    survival_low: float | None
    survival_high: float | None


class EpisodeReport(Report, frozen=True, kw_only=True):
    """Episodes in order. `paywall_after` is the number of the one before most viewers' first paywall."""

    series_id: UUID
    paywall_after: int | None
    episodes: Sequence[EpisodeRow]


_COUNTS = (
    "number",
    "at_risk",
    "passed",
    "dropped",
    "censored",
    "met_paywall",
    "first_paywall",
    "dropped_at_paywall",
)


def curve(*, source: Source, series_id: UUID) -> EpisodeReport:
    """The survival of one series' viewers over its released episodes."""
    source.load("episodes", series_id=series_id)
    rows = source.rows("episode_survival", series_id=str(series_id), watermark=source.watermark)
    counts = [dict(zip(_COUNTS, row, strict=True)) for row in rows]
    points = survival.curve(
        Step(at_risk=count["at_risk"], exits=count["dropped"], censored=count["censored"])
        for count in counts
    )
    episodes = [_row(count, point) for count, point in zip(counts, points, strict=True)]
    walled = [episode for episode in episodes if episode.first_paywall]
    return EpisodeReport(
        **heading(
            source=source,
            definition=[definitions.EPISODE_SURVIVAL],
            filters={"series_id": str(series_id)},
            population=["environment production"],
        ),
        series_id=series_id,
        paywall_after=max(walled, key=lambda row: row.first_paywall).number if walled else None,
        episodes=episodes,
    )


def _row(count: dict[str, int], point: Point) -> EpisodeRow:
    return EpisodeRow(
        **count,
        hazard=point.hazard,
        paywall_hazard=share(count["dropped_at_paywall"], count["met_paywall"]),
        survival=point.survival,
        survival_low=point.low,
        survival_high=point.high,
    )
