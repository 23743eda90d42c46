"""Rollups as the admin's pages draw them: bars by day, steps of the funnel, a heat map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from analytics.rollups.retained import Retained
from payments.admin import formats

#: Chart.js: one bar a day, stacked, with a legend and few labels below.
_STACKED_BARS = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "plugins": {"legend": {"align": "end", "labels": {"boxHeight": 8, "boxWidth": 8}}},
    "scales": {
        "x": {"stacked": True, "grid": {"display": False}, "ticks": {"maxTicksLimit": 10}},
        "y": {"stacked": True, "beginAtZero": True, "ticks": {"maxTicksLimit": 6}},
    },
}


@dataclass(frozen=True)
class Bars:
    """A bar chart as Chart.js takes it, both parts JSON."""

    data: str
    options: str


@dataclass(frozen=True)
class EarningTitle:
    """A title and what it earned, as text."""

    series_id: UUID
    external_id: str
    coin_unlocks: str
    ad_unlocks: str
    from_coins: str
    from_ads: str


@dataclass(frozen=True)
class FunnelStep:
    """How many came to a step, and which share of the step before that is."""

    title: str
    viewers: int
    percent_of_first: float
    percent_of_previous: float | None
    detail: str = ""


@dataclass(frozen=True)
class HeatCell:
    """A share as the heat map writes it, and its strength from 0 to 100; None is not mature yet."""

    text: str
    strength: int | None


@dataclass(frozen=True)
class HeatRow:
    """One cohort of the heat map, or all of them together."""

    title: str
    viewers: str
    cells: Sequence[HeatCell]


def bars(
    stacks: Sequence[tuple[str, Mapping[date, int], str]], *, days: Sequence[date], unit: int = 1
) -> Bars:
    """A bar a day: title, counts by day and colour of each stack, in units of so many."""
    return Bars(
        data=_json(
            {
                "labels": [f"{day:%b %-d}" for day in days],
                "datasets": [
                    _dataset(title, counts, days, unit, colour=colour)
                    for title, counts, colour in stacks
                ],
            }
        ),
        options=_json(_STACKED_BARS),
    )


def earning_title(series_id: UUID, external_id: str, earned: Mapping[str, int]) -> EarningTitle:
    """What a title's metrics of money came to."""
    return EarningTitle(
        series_id=series_id,
        external_id=external_id,
        coin_unlocks=f"{earned.get('coin_unlocks', 0):,}",
        ad_unlocks=f"{earned.get('ad_unlocks', 0):,}",
        from_coins=formats.cents(earned.get("coin_revenue", 0)),
        from_ads=formats.cents(earned.get("ad_revenue", 0)),
    )


def funnel_steps(counted: Mapping[str, int]) -> Sequence[FunnelStep]:
    """The steps in order, each against the first and the one before, from the funnel's metrics."""
    starters = counted.get("funnel_starters", 0)
    by_coins = counted.get("funnel_unlocked_by_coins", 0)
    by_ad = counted.get("funnel_unlocked_by_ad", 0)
    unlocked = by_coins + by_ad + counted.get("funnel_unlocked_by_subscription", 0)
    by_means = f"{by_coins:,} by coins, {by_ad:,} by ad"
    counts = (
        ("Started a title", starters, ""),
        ("Reached the paywall", counted.get("funnel_reached", 0), "within 7 days"),
        ("Unlocked", unlocked, f"within 24 hours: {by_means}"),
        ("Watched what they unlocked", counted.get("funnel_watched", 0), "within 24 hours"),
    )
    steps: list[FunnelStep] = []
    for title, viewers, detail in counts:
        previous = steps[-1].viewers if steps else None
        steps.append(
            FunnelStep(
                title=title,
                viewers=viewers,
                percent_of_first=_percent(viewers, starters) or 0,
                percent_of_previous=None if previous is None else _percent(viewers, previous),
                detail=detail,
            )
        )
    return steps


def retention_rows(found: Retained, *, newest: int) -> Sequence[HeatRow]:
    """The totals, then the `newest` cohorts, latest first."""
    everybody = sum(cohort.viewers for cohort in found.cohorts)
    totals = HeatRow(
        title="All",
        viewers=f"{everybody:,}",
        cells=[_heat(total.share) for total in found.totals],
    )
    return [
        totals,
        *(
            HeatRow(
                title=f"{cohort.starts_on:%b %-d}",
                viewers=f"{cohort.viewers:,}",
                cells=[_heat(share) for share in cohort.share],
            )
            for cohort in reversed(found.cohorts[-newest:])
        ),
    ]


def _dataset(
    label: str, counts: Mapping[date, int], days: Sequence[date], unit: int, *, colour: str
) -> dict[str, Any]:
    # A chart is drawn in pixels: here, and only here, money becomes a fraction.
    values = [round(counts.get(day, 0) / unit, 2) for day in days]
    return {"label": label, "data": values, "backgroundColor": colour}


def _heat(share: float | None) -> HeatCell:
    if share is None:
        return HeatCell("", None)
    return HeatCell(f"{share:.0%}", round(share * 100))


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
