"""Every report by its name: what may be asked of it, and how it is made."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings

from analytics.reports import (
    ads,
    arpu,
    beats,
    charts,
    cuts,
    encounters,
    episodes,
    funnels,
    heat,
    local_days,
    ltv,
    money,
    offer_choice,
    quality,
    questions,
    repurchase,
    retention,
    revenue,
    rhythm,
    sources,
    steps,
)
from analytics.reports.cuts import Cut
from analytics.reports.questions import ReportQuery
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report
from analytics.reports.sources import Announce, Source

#: How many local days are shown where nobody says which.
MONEY_DAYS = 30
CHART_DAYS = 7


@dataclass(frozen=True)
class Entry:
    """A report: what it shows, how it is asked, which queries it runs, and how it is made of a source."""

    title: str
    query: type[ReportQuery]
    queries: Sequence[str]
    make: Callable[[Source, Any], Report]
    opened: Callable[..., AbstractContextManager[Source]] = sources.opened


def read(
    name: str, query: ReportQuery, *, now: datetime, announce: Announce = sources.quiet
) -> Report:
    """The report of that name as it is at `now`; `announce` hears of each step on the way.

    Raises NotFound for a series or version that there is not, and ReportImpossible for what makes no report.
    """
    entry = REPORTS[name]
    with entry.opened(now=now, announce=announce) as source:
        return entry.make(source, query)


def _retention(source: Source, query: questions.RetentionQuery) -> Report:
    return retention.matrix(
        source=source,
        by=query.by,
        mode=query.mode,
        horizon=query.horizon,
        only=query.only(),
        split=query.split or None,
    )


def _ltv(source: Source, query: questions.LtvQuery) -> Report:
    return ltv.table(
        source=source,
        by=query.by,
        currency=settings.REPORTING_CURRENCY,
        only=query.only(),
        split=query.split or None,
    )


def _arpu(source: Source, query: questions.ArpuQuery) -> Report:
    return arpu.table(
        source=source,
        by=query.by,
        currency=settings.REPORTING_CURRENCY,
        since=query.since or None,
        until=query.until or None,
    )


def _repurchase(source: Source, query: questions.RepurchaseQuery) -> Report:
    return repurchase.table(source=source, by=query.by, horizon=query.horizon)


def _rhythm(source: Source, query: questions.RhythmQuery) -> Report:
    return rhythm.table(
        source=source,
        currency=settings.REPORTING_CURRENCY,
        since=query.since or None,
        until=query.until or None,
    )


def _funnel(source: Source, query: questions.FunnelQuery) -> Report:
    return funnels.paywall(source=source, series_id=query.series_id or None)


def _steps(source: Source, query: questions.StepsQuery) -> Report:
    kinds = [steps.StepKind(name) for name in query.steps.split(",")]
    windows = [timedelta(hours=int(hours)) for hours in query.within_hours.split(",")]
    return steps.funnel(
        source=source,
        kinds=kinds,
        within=windows * (len(kinds) - 1) if len(windows) == 1 else windows,
        unit=query.unit,
        series_id=query.series_id or None,
    )


def _encounters(source: Source, query: questions.FunnelQuery) -> Report:
    return encounters.table(source=source, series_id=query.series_id or None)


def _episodes(source: Source, query: questions.SurvivalQuery) -> Report:
    return episodes.curve(source=source, series_id=query.series_id)


def _beats(source: Source, query: questions.BeatsQuery) -> Report:
    shown = _cuts(query)
    if query.grid_seconds:
        shown = cuts.gridded(shown, beat_ms=query.grid_seconds * 1000)
    return beats.curves(source=source, of=shown, currency=settings.REPORTING_CURRENCY)


def _heat(source: Source, query: questions.HeatQuery) -> Report:
    return heat.maps(source=source, of=_cuts(query), stretch_ms=query.stretch_ms)


def _cuts(query: questions.BeatsQuery | questions.HeatQuery) -> Sequence[Cut]:
    if query.version_id:
        return cuts.of_version(query.version_id, series_id=query.series_id)
    return cuts.of_series(query.series_id)


def _revenue(source: Source, query: questions.RevenueQuery) -> Report:
    return revenue.by_title(
        source=source,
        currency=settings.REPORTING_CURRENCY,
        since=query.since or None,
        until=query.until or None,
        series_id=query.series_id or None,
        by=query.by,
    )


def _money(source: Source, query: questions.MoneyQuery) -> Report:
    today = local_days.local_date(source.watermark, zone=source.zone)
    until = query.until or today
    since = query.since or _days_before(until, MONEY_DAYS - 1)
    return money.by_day(
        source=source, currency=settings.REPORTING_CURRENCY, since=since, until=until
    )


def _charts(source: Source, query: questions.ChartQuery) -> Report:
    today = local_days.local_date(source.watermark, zone=source.zone)
    until = query.until or _days_before(today, 1)
    return charts.top(
        source=source,
        currency=settings.REPORTING_CURRENCY,
        by=query.by,
        since=query.since or _days_before(until, CHART_DAYS - 1),
        until=until,
        length=query.length,
    )


def _quality(source: Source, query: questions.QualityQuery) -> Report:
    return quality.table(
        source=source,
        split=query.split or None,
        since=query.since or None,
        until=query.until or None,
    )


def _offer_choice(source: Source, query: questions.OfferChoiceQuery) -> Report:
    return offer_choice.table(
        source=source,
        currency=settings.REPORTING_CURRENCY,
        policy_id=query.policy_id or None,
        by=query.by,
    )


def _ads(source: Source, query: questions.AdsQuery) -> Report:
    return ads.table(
        source=source,
        currency=settings.REPORTING_CURRENCY,
        since=query.since or None,
        until=query.until or None,
    )


def _days_before(day: date, days: int) -> date:
    try:
        return day - timedelta(days=days)
    except OverflowError as error:
        raise ReportImpossible("The calendar does not go back so far.") from error


_MEMBERS = ("cohort_members", "cohort_sizes", "starts", "first_titles", "met_arms", "left_out")

REPORTS: Mapping[str, Entry] = {
    "retention": Entry(
        "who came back", questions.RetentionQuery, [*_MEMBERS, "retention"], _retention
    ),
    "ltv": Entry("what cohorts brought", questions.LtvQuery, [*_MEMBERS, "cohort_money"], _ltv),
    "arpu": Entry(
        "revenue per active viewer and per payer",
        questions.ArpuQuery,
        ["arpu", "left_out"],
        _arpu,
    ),
    "repurchase": Entry(
        "who buys again",
        questions.RepurchaseQuery,
        ["purchases_made", "repurchase_rate", "repurchase_cohorts"],
        _repurchase,
    ),
    "rhythm": Entry(
        "how often and how lately payers bought",
        questions.RhythmQuery,
        ["purchases_made", "purchase_rhythm"],
        _rhythm,
    ),
    "steps": Entry(
        "an ordered funnel of any steps", questions.StepsQuery, ["starts", "funnel"], _steps
    ),
    "funnel": Entry(
        "from the start to the paywall and past it",
        questions.FunnelQuery,
        ["starts", "paywall_funnel"],
        _funnel,
    ),
    "encounters": Entry(
        "what becomes of each encounter with a paywall",
        questions.FunnelQuery,
        ["paywall_encounters"],
        _encounters,
    ),
    "offer_choice": Entry(
        "what policies of offers bring, and what the ad takes from what is paid",
        questions.OfferChoiceQuery,
        ["offer_outcomes", "offer_arms", "offer_cannibalisation"],
        _offer_choice,
        sources.ledger,
    ),
    "survival": Entry(
        "who goes on from episode to episode",
        questions.SurvivalQuery,
        ["episode_survival"],
        _episodes,
    ),
    "beats": Entry(
        "where viewers leave, and what is booked there",
        questions.BeatsQuery,
        ["beat_outcomes", "beat_bookings"],
        _beats,
    ),
    "heat": Entry("which seconds are watched, and again", questions.HeatQuery, ["heat_map"], _heat),
    "revenue": Entry(
        "what titles and locales earned",
        questions.RevenueQuery,
        ["title_revenue"],
        _revenue,
        sources.ledger,
    ),
    "money": Entry(
        "billed, recognised and deferred by day and source",
        questions.MoneyQuery,
        ["money_days"],
        _money,
        sources.ledger,
    ),
    "ads": Entry("what ads earned", questions.AdsQuery, ["ad_revenue"], _ads),
    "charts": Entry(
        "the best titles, and who made them", questions.ChartQuery, ["starts", "charts"], _charts
    ),
    "quality": Entry("how playback went", questions.QualityQuery, ["playback_quality"], _quality),
}
