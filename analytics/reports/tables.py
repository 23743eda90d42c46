"""Reports as tables of rows and columns, for files and terminals: the same figures as the JSON."""

from collections.abc import Sequence
from functools import singledispatch

from analytics.reports.beats import BeatReport, BeatRow, Booked, VersionBeats
from analytics.reports.funnels import FunnelReport, FunnelRow
from analytics.reports.report import Report
from analytics.reports.retention import RetentionReport
from analytics.reports.revenue import Revenue, RevenueReport
from config.csv_files import Cell, Table


@singledispatch
def of(report: Report) -> Table:
    """The report as one table. Raises TypeError for a kind of report that has none."""
    raise TypeError(f"{type(report).__name__} has no table")


@of.register
def _retention(report: RetentionReport) -> Table:
    """Active viewers by cohort and offset; below, the sums over the cohorts that are mature there."""
    totals: Sequence[tuple[str, Sequence[Cell]]] = [
        ("total_active", [total.active for total in report.totals]),
        ("total_viewers", [total.viewers for total in report.totals]),
        ("total_share", [total.share for total in report.totals]),
    ]
    return Table(
        notes=_notes(report),
        columns=["starts_on", "viewers", *(f"active_{total.offset}" for total in report.totals)],
        rows=[
            *([cohort.starts_on, cohort.viewers, *cohort.active] for cohort in report.cohorts),
            *([name, None, *values] for name, values in totals),
        ],
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
    "watched",
    "topped_up",
    "reach",
    "conversion",
    "watched_share",
)


@of.register
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


@of.register
def _revenue(report: RevenueReport) -> Table:
    """Days × titles; the last row is their sum."""

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
_BOOKED = ("unlocks", "coins", "value_micros")


@of.register
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
        rows=[
            *(row(version, beat) for version in report.versions for beat in version.beats),
            *(apart(unbooked.reason, unbooked) for unbooked in report.unbooked),
            apart("total", report.total),
        ],
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
    return value if value is None or isinstance(value, int | float | str) else str(value)
