"""Reports as tables of rows and columns, for files and terminals: the same figures as the JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import singledispatch

import msgspec

from analytics.reports import kinds
from analytics.reports.ads import AdFigures, AdReport
from analytics.reports.arpu import ArpuReport, ArpuRow
from analytics.reports.beats import BeatReport, BeatRow, Booked, VersionBeats
from analytics.reports.charts import ChartReport, ChartRow
from analytics.reports.encounters import EncounterReport, EncounterRow
from analytics.reports.episodes import EpisodeReport, EpisodeRow
from analytics.reports.funnels import FunnelReport, FunnelRow
from analytics.reports.heat import HeatReport, Stretch
from analytics.reports.ltv import HorizonValue, LtvReport
from analytics.reports.money import MoneyReport, Rungs
from analytics.reports.offer_choice import (
    Cannibalisation,
    Interval,
    OfferArmRow,
    OfferChoiceReport,
    OffersBy,
)
from analytics.reports.quality import QualityReport, QualityRow
from analytics.reports.report import Report
from analytics.reports.repurchase import RepurchaseReport
from analytics.reports.retention import RetentionReport
from analytics.reports.revenue import By, Revenue, RevenueReport
from analytics.reports.rhythm import RhythmReport, RhythmRow
from analytics.reports.steps import StepReport, StepRow
from config.csv_files import Cell, Table


def of(report: Report) -> Table:
    """The report as one table. Raises TypeError for a kind of report that has none."""
    made = _table(report)
    return replace(made, kinds={**kinds.of(type(report)), **made.kinds}, about=about(report))


def about(report: Report) -> Mapping[str, str]:
    """The members of the report that say what it is, by the names they have in JSON: text as it is, what is
    no text as JSON.
    """
    told = [
        name for name in report.__struct_fields__ if _says_what_it_is(getattr(report, name), name)
    ]
    return {name: _as_text(getattr(report, name)) for name in told}


def _as_text(value: object) -> str:
    encoded = msgspec.json.encode(value).decode()
    return encoded.strip('"') if isinstance(value, str | datetime) else encoded


def _says_what_it_is(value: object, name: str) -> bool:
    return name in Report.__struct_fields__ or isinstance(value, str | int | float)


@singledispatch
def _table(report: Report) -> Table:
    raise TypeError(f"{type(report).__name__} has no table")


@_table.register
def _retention(report: RetentionReport) -> Table:
    """Active viewers by cohort and offset; below, the sums over the cohorts that are mature there."""
    totals: Sequence[tuple[str, Sequence[Cell]]] = [
        ("total_active", [total.active for total in report.totals]),
        ("total_viewers", [total.viewers for total in report.totals]),
        ("total_share", [total.share for total in report.totals]),
    ]
    strata = report.split is not None
    offsets = [f"active_{total.offset}" for total in report.totals]
    return Table(
        notes=_notes(report),
        columns=[
            "starts_on",
            *([str(report.split)] if strata else []),
            "viewers",
            *offsets,
        ],
        # Shares are below the counts.
        kinds=dict.fromkeys(offsets, float),
        rows=[
            *(
                [
                    cohort.starts_on,
                    *([cohort.stratum] if strata else []),
                    cohort.viewers,
                    *cohort.active,
                ]
                for cohort in report.cohorts
            ),
            *([name, None, *([None] if strata else []), *values] for name, values in totals),
        ],
    )


_VALUE = ("horizon_days", "payers", "net_micros", "ad_micros", "ltv_micros", "arppu_micros")


@_table.register
def _ltv(report: LtvReport) -> Table:
    """Cohorts × horizons; below, the sums over the cohorts that are mature there."""

    def row(label: Cell, stratum: str | None, viewers: int, value: HorizonValue) -> Sequence[Cell]:
        own = [] if report.split is None else [stratum]
        return [label, *own, viewers, *(getattr(value, name) for name in _VALUE)]

    strata = [] if report.split is None else [str(report.split)]
    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=["starts_on", *strata, "viewers", *_VALUE],
        rows=[
            *(
                row(cohort.starts_on, cohort.stratum, cohort.viewers, value)
                for cohort in report.cohorts
                for value in cohort.values
            ),
            *(row("total", None, total.viewers, total) for total in report.totals),
        ],
    )


@_table.register
def _arpu(report: ArpuReport) -> Table:
    """One row a period."""
    return _listed(
        [*_notes(report), f"currency: {report.currency}"], ArpuRow.__struct_fields__, report.rows
    )


@_table.register
def _repurchase(report: RepurchaseReport) -> Table:
    """Cohorts of payers, with who bought in each period; the last row is of those with a whole window."""
    own = ("starts_on", "payers", "repeated", "repurchase_rate")
    buyers = [f"buyers_{offset}" for offset in range(report.horizon + 1)]
    return Table(
        notes=[*_notes(report), f"window: {report.window_days} days"],
        columns=[*own, *buyers],
        kinds=dict.fromkeys(buyers, int),
        rows=[
            *(
                [*(getattr(cohort, name) for name in own), *cohort.buyers]
                for cohort in report.cohorts
            ),
            [
                *("total", report.total_payers, report.total_repeated, report.total_rate),
                *[None] * len(buyers),
            ],
        ],
    )


@_table.register
def _rhythm(report: RhythmReport) -> Table:
    """One row a rhythm."""
    notes = [
        *_notes(report),
        f"currency: {report.currency}",
        f"until: {report.until}",
        f"payers: {report.total_payers}",
    ]
    return _listed(notes, RhythmRow.__struct_fields__, report.rows)


@_table.register
def _steps(report: StepReport) -> Table:
    """One row a step."""
    notes = [*_notes(report), f"unit: {report.unit}", f"immature units: {report.immature}"]
    return _listed(notes, StepRow.__struct_fields__, report.steps)


@_table.register
def _encounters(report: EncounterReport) -> Table:
    """One row a number of encounters; the last is of all, and names none."""
    return _listed(_notes(report), EncounterRow.__struct_fields__, [*report.rows, report.total])


@_table.register
def _offer_choice(report: OfferChoiceReport) -> Table:
    """One row an arm, or a comparison; the last of those is of all rules."""
    is_of_arms = report.by is OffersBy.ARM
    kind, rows = (
        (OfferArmRow, report.arms) if is_of_arms else (Cannibalisation, report.cannibalisation)
    )
    intervals = ("paid_per_encounter", "ad_per_encounter") if is_of_arms else ("paid", "ad")
    plain = [name for name in kind.__struct_fields__ if name not in intervals]
    ends = Interval.__struct_fields__
    measured = [f"{name}_{end}" for name in intervals for end in ends]
    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=[*plain, *measured],
        kinds=dict.fromkeys(measured, int),
        rows=[
            [
                *(_plain(getattr(row, name)) for name in plain),
                *(getattr(getattr(row, name), end, None) for name in intervals for end in ends),
            ]
            for row in rows
        ],
    )


@_table.register
def _episodes(report: EpisodeReport) -> Table:
    """One row an episode."""
    after = "nowhere" if report.paywall_after is None else f"after episode {report.paywall_after}"
    return _listed(
        [*_notes(report), f"paywall: {after}"], EpisodeRow.__struct_fields__, report.episodes
    )


_FUNNEL = (
    "series_id",
    "external_id",
    "starters",
    "immature",
    "reached",
    "unlocked",
    "unlocked_by_coins",
    "unlocked_by_ad",
    "unlocked_by_subscription",
    "watched",
    "topped_up",
    "reach",
    "conversion",
    "watched_share",
)


@_table.register
def _funnel(report: FunnelReport) -> Table:
    """One row a series; the last is of all, and names none."""

    def row(counted: FunnelRow) -> Sequence[Cell]:
        return [_plain(getattr(counted, name)) for name in _FUNNEL]

    return Table(
        notes=_notes(report),
        columns=_FUNNEL,
        rows=[*map(row, report.series), row(report.total)],
    )


_REVENUE = (
    "coin_unlocks",
    "ad_unlocks",
    "coins_spent",
    "coin_value_micros",
    "ad_revenue_micros",
    "total_micros",
)


@_table.register
def _revenue(report: RevenueReport) -> Table:
    """Days × titles, or locales; the last row is their sum."""
    if report.by is By.LOCALE:
        return _of_locales(report)

    def row(label: Cell, series: Sequence[Cell], earned: Revenue) -> Sequence[Cell]:
        return [label, *series, *(getattr(earned, name) for name in _REVENUE)]

    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=["day", "is_complete", "series_id", "external_id", *_REVENUE],
        rows=[
            *(
                row(day.day, [day.is_complete, _plain(day.series_id), day.external_id], day)
                for day in report.days
            ),
            row("total", [None, None, None], report.total),
        ],
    )


def _of_locales(report: RevenueReport) -> Table:
    rows = [
        *((locale.locale, locale) for locale in report.locales),
        ("unattributed", report.unattributed),
        ("total", report.total),
    ]
    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=["locale", *_REVENUE],
        rows=[[label, *(getattr(earned, name) for name in _REVENUE)] for label, earned in rows],
    )


_RUNGS = (*Rungs.__struct_fields__, "deferred_micros")


@_table.register
def _money(report: MoneyReport) -> Table:
    """Days × sources; the last rows are the sums of each source."""
    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=["day", "is_complete", "source", *_RUNGS],
        rows=[
            *(
                [row.day, row.is_complete, row.source, *(getattr(row, name) for name in _RUNGS)]
                for row in report.rows
            ),
            *(
                ["total", None, total.source, *(getattr(total, name) for name in _RUNGS)]
                for total in report.totals
            ),
        ],
    )


@_table.register
def _ads(report: AdReport) -> Table:
    """Days × networks × placements; the last row is of all."""
    figures = AdFigures.__struct_fields__
    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=["day", "is_complete", "network", "placement", *figures, "reward_lag_p95_ms"],
        rows=[
            *(
                [
                    *(row.day, row.is_complete, row.network, row.placement),
                    *(getattr(row, name) for name in figures),
                    row.reward_lag_p95_ms,
                ]
                for row in report.rows
            ),
            ["total", None, None, None, *(getattr(report.total, name) for name in figures), None],
        ],
    )


@_table.register
def _charts(report: ChartReport) -> Table:
    """One row a title, the best first; what share each kind of making has is said above."""
    shares = [
        f"{share.provenance}: {share.titles} titles, {share.revenue_micros} micros"
        for share in report.shares
    ]
    return _listed(
        [*_notes(report), f"currency: {report.currency}", f"by: {report.by}", *shares],
        ChartRow.__struct_fields__,
        report.rows,
    )


@_table.register
def _quality(report: QualityReport) -> Table:
    """One row a day, or a day and stratum."""
    columns = [
        name
        for name in QualityRow.__struct_fields__
        if name != "stratum" or report.split is not None
    ]
    return _listed(_notes(report), columns, report.rows)


@_table.register
def _heat(report: HeatReport) -> Table:
    """One row a stretch of a version."""
    place = ("version_id", "version_external_id", "episode_number")
    return Table(
        notes=_notes(report),
        columns=[*place, *Stretch.__struct_fields__],
        rows=[
            [
                *(_plain(getattr(version, name)) for name in place),
                *(getattr(stretch, name) for name in Stretch.__struct_fields__),
            ]
            for version in report.versions
            for stretch in version.stretches
        ],
    )


_BEAT = (
    "position",
    "start_ms",
    "end_ms",
    "kind",
    "emotion",
    "hook",
    "prompt_ref",
    "at_risk",
    "passed",
    "skipped",
    "next",
    "exits",
    "censored",
    "seeks_forward",
    "replays",
    "exit_hazard",
    "skip_hazard",
    "next_hazard",
    "survival",
    "survival_low",
    "survival_high",
)
_BOOKED = ("unlocks", "coins", "value_micros", "together")


@_table.register
def _beats(report: BeatReport) -> Table:
    """One row a beat; below, the unlocks on no beat by reason, and those of the series."""

    def booked(unlocks: Booked) -> Sequence[Cell]:
        return [getattr(unlocks, name) for name in _BOOKED]

    def row(version: VersionBeats, beat: BeatRow) -> Sequence[Cell]:
        place = [str(version.version_id), version.version_external_id, version.episode_number]
        return [*place, *(getattr(beat, name) for name in _BEAT), *booked(beat.booked), None]

    def apart(reason: str, unlocks: Booked) -> Sequence[Cell]:
        return [*[None] * (3 + len(_BEAT)), *booked(unlocks), reason]

    return Table(
        notes=[*_notes(report), f"currency: {report.currency}"],
        columns=[
            *("version_id", "version_external_id", "episode_number"),
            *_BEAT,
            *(f"booked_{name}" for name in _BOOKED),
            "no_beat_because",
        ],
        kinds=dict.fromkeys((f"booked_{name}" for name in _BOOKED), int),
        rows=[
            *(row(version, beat) for version in report.versions for beat in version.beats),
            *(apart(unbooked.reason, unbooked) for unbooked in report.unbooked),
            apart("total", report.total),
        ],
    )


def _listed(notes: Sequence[str], columns: Sequence[str], rows: Sequence[msgspec.Struct]) -> Table:
    """Rows whose columns are their members."""
    return Table(
        notes=notes,
        columns=columns,
        rows=[[_plain(getattr(row, name)) for name in columns] for row in rows],
    )


def _notes(report: Report) -> list[str]:
    filters = ", ".join(f"{name} {value}" for name, value in report.filters.items())
    return [
        *(definition.sentence() for definition in report.definition),
        f"reporting zone: {report.reporting_zone}",
        f"watermark: {report.watermark.isoformat()}",
        f"filters: {filters or 'none'}",
        f"population: {', '.join(report.population)}",
        f"engine: {report.engine}",
    ]


def _plain(value: object) -> Cell:
    return value if value is None or isinstance(value, int | float | str | date) else str(value)
