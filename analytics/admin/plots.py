"""Reports as the admin's first page draws them: bars of revenue, steps of the funnel, a heat map."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from analytics.reports.funnels import FunnelReport
from analytics.reports.retention import RetentionReport
from analytics.reports.revenue import RevenueReport
from payments.admin import formats
from payments.money import PARTS_PER_MILLION

BEST_TITLES = 5

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


def revenue_bars(report: RevenueReport, *, first: date, last: date) -> Bars:
    """Revenue of each local day from `first` to `last`, coins and ads apart, in whole currency."""
    coins: Mapping[date, int] = _by_day(report, "coin_value_micros")
    ads: Mapping[date, int] = _by_day(report, "ad_revenue_micros")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return Bars(
        data=_json(
            {
                "labels": [f"{day:%b %-d}" for day in days],
                "datasets": [
                    _dataset("Coins spent", coins, days, colour="var(--color-primary-600)"),
                    _dataset("Ads", ads, days, colour="#f59e0b"),
                ],
            }
        ),
        options=_json(_STACKED_BARS),
    )


def best_titles(report: RevenueReport) -> Sequence[EarningTitle]:
    """The titles that earned most."""
    best = sorted(report.titles, key=lambda title: -title.total_micros)[:BEST_TITLES]
    return [
        EarningTitle(
            series_id=title.series_id,
            external_id=title.external_id,
            coin_unlocks=f"{title.coin_unlocks:,}",
            ad_unlocks=f"{title.ad_unlocks:,}",
            from_coins=formats.cents(title.coin_value_micros),
            from_ads=formats.cents(title.ad_revenue_micros),
        )
        for title in best
    ]


def funnel_steps(report: FunnelReport) -> Sequence[FunnelStep]:
    """The steps in order, each against the first and the one before."""
    total = report.total
    by_means = f"{total.unlocked_by_coins:,} by coins, {total.unlocked_by_ad:,} by ad"
    counts = (
        ("Started a title", total.starters, ""),
        ("Reached the paywall", total.reached, "within 7 days"),
        ("Unlocked", total.unlocked, f"within 24 hours: {by_means}"),
        ("Watched what they unlocked", total.watched, "within 24 hours"),
    )
    steps: list[FunnelStep] = []
    for title, viewers, detail in counts:
        previous = steps[-1].viewers if steps else None
        steps.append(
            FunnelStep(
                title=title,
                viewers=viewers,
                percent_of_first=_percent(viewers, total.starters) or 0,
                percent_of_previous=None if previous is None else _percent(viewers, previous),
                detail=detail,
            )
        )
    return steps


def retention_rows(report: RetentionReport, *, newest: int) -> Sequence[HeatRow]:
    """The totals, then the `newest` cohorts, latest first."""
    everybody = sum(cohort.viewers for cohort in report.cohorts)
    totals = HeatRow(
        title="All",
        viewers=f"{everybody:,}",
        cells=[_heat(total.share) for total in report.totals],
    )
    return [
        totals,
        *(
            HeatRow(
                title=f"{cohort.starts_on:%b %-d}",
                viewers=f"{cohort.viewers:,}",
                cells=[_heat(share) for share in cohort.share],
            )
            for cohort in reversed(report.cohorts[-newest:])
        ),
    ]


def _by_day(report: RevenueReport, member: str) -> dict[date, int]:
    summed: defaultdict[date, int] = defaultdict(int)
    for row in report.days:
        summed[row.day] += getattr(row, member)
    return summed


def _dataset(
    label: str, micros: Mapping[date, int], days: Sequence[date], *, colour: str
) -> dict[str, Any]:
    # A chart is drawn in pixels: here, and only here, money becomes a fraction.
    values = [round(micros.get(day, 0) / PARTS_PER_MILLION, 2) for day in days]
    return {"label": label, "data": values, "backgroundColor": colour}


def _heat(share: float | None) -> HeatCell:
    if share is None:
        return HeatCell("", None)
    return HeatCell(f"{share:.0%}", round(share * 100))


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
