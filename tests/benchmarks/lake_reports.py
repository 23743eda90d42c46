"""One report over the seeded lake, by us or by its peer, in a process of its own.

`python -m tests.benchmarks.lake_reports ours|polars REPORT` prints the time of the fastest of a few
runs, what memory the process came to, and the figures, as JSON: what is compared is also the same.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.reports.sources import Source
    from tests.benchmarks.polars_reports import Lake

RUNS = 3
HORIZON_WEEKS = 12
HORIZONS_DAYS = (0, 7, 30, 60)
WINDOWS = (timedelta(hours=24), timedelta(hours=24), timedelta(hours=1))
CHART_DAYS = 7
Figures = Mapping[str, Any]


def _ours(name: str) -> Callable[["Source"], Figures]:
    """Our report, and its figures by names that the peer gives them, too."""
    from analytics.reports import beats, charts, ltv, retention, steps
    from analytics.reports.charts import Measure
    from analytics.reports.local_days import Period
    from analytics.reports.retention import Mode
    from analytics.reports.steps import StepKind, Unit
    from tests.benchmarks import seeded_lake

    def of_retention(source: "Source") -> Figures:
        found = retention.matrix(
            source=source, by=Period.WEEK, mode=Mode.CALENDAR, horizon=HORIZON_WEEKS
        )
        return {
            f"{_week(cohort.starts_on)}/{offset}": active
            for cohort in found.cohorts
            for offset, active in enumerate(cohort.active)
            if active is not None
        }

    def of_ltv(source: "Source") -> Figures:
        found = ltv.table(source=source, by=Period.WEEK, currency="USD", horizons=HORIZONS_DAYS)
        return {
            f"{_week(cohort.starts_on)}/{value.horizon_days}": [value.net_micros, value.payers]
            for cohort in found.cohorts
            for value in cohort.values
            if value.payers is not None
        }

    def of_funnel(source: "Source") -> Figures:
        kinds = [StepKind.APP_OPEN, StepKind.START, StepKind.PAYWALL_SHOWN, StepKind.UNLOCK]
        found = steps.funnel(source=source, kinds=kinds, within=WINDOWS, unit=Unit.VIEWER)
        return {str(step.number): step.reached for step in found.steps}

    def of_charts(source: "Source") -> Figures:
        since, until = _chart_days()
        found = charts.top(
            source=source,
            currency="USD",
            by=Measure.STARTS,
            since=since,
            until=until,
            length=seeded_lake.SERIES,
        )
        return {
            str(row.series_id): [row.starts, row.viewers, row.watched_ms, row.revenue_micros]
            for row in found.rows
        }

    def of_beats(source: "Source") -> Figures:
        found = beats.curves(source=source, of=seeded_lake.most_watched(), currency="USD")
        return {
            f"{version.version_id}/{row.position}": [
                row.at_risk,
                row.passed,
                row.skipped,
                row.next,
                row.exits,
                row.censored,
                row.seeks_forward,
                row.replays,
            ]
            for version in found.versions
            for row in version.beats
            if row.at_risk
        }

    return {
        "retention": of_retention,
        "ltv": of_ltv,
        "funnel": of_funnel,
        "charts": of_charts,
        "beats": of_beats,
    }[name]


def _peers(name: str) -> Callable[["Lake"], Figures]:
    """The same by hand."""
    from analytics.reports import cuts, local_days
    from tests.benchmarks import polars_reports, seeded_lake

    def of_retention(lake: "Lake") -> Figures:
        return _by_name(polars_reports.retention(lake, horizon=HORIZON_WEEKS))

    def of_ltv(lake: "Lake") -> Figures:
        return _by_name(polars_reports.ltv(lake, horizons=HORIZONS_DAYS))

    def of_funnel(lake: "Lake") -> Figures:
        counts = polars_reports.funnel(lake, within=WINDOWS)
        return {str(number): count for number, count in enumerate(counts, 1)}

    def of_charts(lake: "Lake") -> Figures:
        since, until = map(local_days.day_number, _chart_days())
        return polars_reports.charts(lake, first_day=since, last_day=until)

    def of_beats(lake: "Lake") -> Figures:
        shown = seeded_lake.most_watched()
        grid, series_id = cuts.table(shown), str(shown[0].series_id)
        return _by_name(polars_reports.beats(lake, grid=grid, series_id=series_id))

    return {
        "retention": of_retention,
        "ltv": of_ltv,
        "funnel": of_funnel,
        "charts": of_charts,
        "beats": of_beats,
    }[name]


def _by_name(figures: Mapping[tuple[Any, Any], Any]) -> Figures:
    return {f"{first}/{second}": figure for (first, second), figure in figures.items()}


def _week(day: Any) -> int:
    from analytics.reports import local_days
    from analytics.reports.local_days import Period

    return (local_days.day_number(day) + Period.WEEK.lead_days) // 7


def _chart_days() -> Sequence[Any]:
    from tests.benchmarks import seeded_lake

    last = seeded_lake.WATERMARK.date() - timedelta(days=2)
    return last - timedelta(days=CHART_DAYS - 1), last


def _run(who: str, name: str) -> tuple[float, Figures]:
    from django.conf import settings

    from analytics.lake import reading
    from analytics.reports import queries, sources
    from tests.benchmarks import polars_reports, seeded_lake

    facts = partial(seeded_lake.read_facts, settings.DATA_DIR / seeded_lake.FACTS)
    began = time.perf_counter()
    if who == "ours":
        with reading.connection() as connection:
            source = sources.prepared(
                connection, watermark=seeded_lake.WATERMARK, zone=settings.REPORTING_ZONE
            )
            figures = _ours(name)(replace(source, read_facts=facts))
    else:
        lake = polars_reports.Lake(
            paths=seeded_lake.paths(),
            watermark=queries.naive(seeded_lake.WATERMARK),
            zone=str(settings.REPORTING_ZONE),
            facts=lambda table: next(facts(table)),
        )
        figures = _peers(name)(lake)
    return time.perf_counter() - began, figures


def _peak_mb() -> float:
    """The most memory that this process has held: getrusage also tells what its parent held before."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    import django

    django.setup()
    _, who, name = sys.argv
    runs = [_run(who, name) for _ in range(RUNS)]
    told = {
        "seconds": min(seconds for seconds, _ in runs),
        "peak_mb": _peak_mb(),
        "figures": runs[0][1],
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
