"""A dashboard's figures: metrics by local day or hour, each with how far it is filled."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from msgspec import UNSET, Meta, UnsetType

from analytics.models import FillState
from analytics.reports import local_days
from analytics.reports.questions import ReportQuery
from analytics.reports.refusals import ReportImpossible
from analytics.rollups import reading, slices
from analytics.rollups.metrics import METRICS, Basis, Dimension, Metric, MetricUnit
from analytics.rollups.reading import Fill
from analytics.rollups.slices import Grain
from config.csv_files import Table
from viewers import flags
from viewers.models import Environment

DAYS_SHOWN = 30
MOST_DAYS = {Grain.DAY: 400, Grain.HOUR: 31}
_NAME = "|".join(METRICS)
#: What adds slices up.
ENGINE = "PostgreSQL"


class DashboardQuery(ReportQuery, kw_only=True):
    """`metrics` are names with commas between them; all if not given, of `split` those that have it.

    `since` and `until` are local days, both included: the last 30 if not given, or today by the hour.
    """

    metrics: Annotated[
        str, Meta(max_length=1000, pattern=rf"^(({_NAME})(,({_NAME}))*)?$(?!\n)")
    ] = ""
    by: Grain = Grain.DAY
    split: Dimension | UnsetType = UNSET
    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET
    environment: Environment = Environment.PRODUCTION

    def names(self) -> Sequence[str]:
        """The metrics that are asked for."""
        if self.metrics:
            return list(dict.fromkeys(self.metrics.split(",")))
        return [
            name
            for name, metric in METRICS.items()
            if not self.split or self.split in metric.dimensions
        ]


class DashboardMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric and its fill: everything before `as_of` is counted, but for what reopened hours will add.

    `state` is that of the whole range: waiting while an hour of it is, else reopened while one is.
    """

    name: str
    sentence: str
    source: Basis
    unit: MetricUnit
    dimensions: Sequence[Dimension]
    definition: str
    state: str
    as_of: datetime | None
    waiting_hours: int
    reopened_hours: int


class DashboardRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric came to in a local day or hour, from its beginning by the zone's clock.

    `value` is null where nothing is counted yet, never 0; of one that is not complete it is what there is so
    far. With a split only parts that came to something have rows.
    """

    starts_at: Annotated[datetime, Meta(tz=True)]
    metric: str
    part: str | None
    value: int | None
    is_complete: bool


class DashboardReport(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by time, metric and part. Everything before the watermark is counted in all of the metrics; null while
    one is not begun.
    """

    reporting_zone: str
    watermark: datetime | None
    engine: str
    population: Sequence[str]
    environment: str
    by: Grain
    split: Dimension | None
    since: date
    until: date
    metrics: Sequence[DashboardMetric]
    rows: Sequence[DashboardRow]


def read(query: DashboardQuery, *, zone: ZoneInfo, now: datetime) -> DashboardReport:
    """The figures as they are filled. Raises ReportImpossible for a range or a split that there is not."""
    names = query.names()
    for name in names:
        if query.split and query.split not in METRICS[name].dimensions:
            raise ReportImpossible(f"`{name}` has no {query.split}.")
    since, until = _range(query, local_days.local_date(now, zone=zone))
    bounds = slices.bounds(since, until, query.by, zone=zone)
    fills = reading.fills(names, since=bounds[0], until=bounds[-1])
    found = reading.sums(names, bounds, environment=query.environment, split=query.split or None)
    metrics = [_metric(METRICS[name], fills[name], zone) for name in names]
    rows = _split(found, bounds, fills, zone) if query.split else _whole(found, bounds, fills, zone)
    return DashboardReport(
        reporting_zone=zone.key,
        watermark=_watermark(metrics),
        engine=ENGINE,
        population=_population(names),
        environment=query.environment,
        by=query.by,
        split=query.split or None,
        since=since,
        until=until,
        metrics=metrics,
        rows=rows,
    )


def filled(
    names: Sequence[str], since: date, until: date, *, zone: ZoneInfo
) -> Sequence[DashboardMetric]:
    """How far metrics are filled in local days, both included."""
    bounds = slices.bounds(since, until, Grain.DAY, zone=zone)
    fills = reading.fills(names, since=bounds[0], until=bounds[-1])
    return [_metric(METRICS[name], fills[name], zone) for name in names]


def table(report: DashboardReport) -> Table:
    """The rows, with what their metrics are and how far they are filled in the notes."""
    filters = {
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "by": report.by.value,
        "environment": report.environment,
    }
    about = {
        "definition": " ".join(map(_told, report.metrics)),
        "reporting_zone": report.reporting_zone,
        "watermark": report.watermark.isoformat() if report.watermark else "never",
        "population": ", ".join(report.population) or "all",
        "filters": ", ".join(f"{name} {value}" for name, value in filters.items()),
        "engine": report.engine,
    }
    return Table(
        notes=[
            *map(_told, report.metrics),
            *(
                f"{key.replace('_', ' ')}: {value}"
                for key, value in about.items()
                if key != "definition"
            ),
        ],
        columns=["starts_at", "metric", str(report.split or "part"), "value", "is_complete"],
        rows=[
            [row.starts_at.isoformat(), row.metric, row.part, row.value, row.is_complete]
            for row in report.rows
        ],
        kinds={"value": int, "is_complete": bool},
        about=about,
    )


def _population(names: Sequence[str]) -> Sequence[str]:
    """Whom metrics of the lake leave out; those of money are accounting, and have all of it."""
    if all(METRICS[name].basis is Basis.LEDGER for name in names):
        return []
    return [f"{flags.live().sentence()} of metrics from the lake"]


def _watermark(metrics: Sequence[DashboardMetric]) -> datetime | None:
    known = [metric.as_of for metric in metrics if metric.as_of is not None]
    return min(known) if known and len(known) == len(metrics) else None


def _told(metric: DashboardMetric) -> str:
    """What a metric is and how far it is filled, as a note."""
    return (
        f"{metric.name} ({metric.unit}): {metric.sentence} From the {metric.source}, as of"
        f" {metric.as_of.isoformat() if metric.as_of else 'never'}, {metric.state}."
    )


def _range(query: DashboardQuery, today: date) -> tuple[date, date]:
    until = query.until or today
    shown = DAYS_SHOWN if query.by is Grain.DAY else 1
    since = query.since or max(until, date.min + timedelta(days=shown)) - timedelta(days=shown - 1)
    first, last = local_days.checked(since, until)
    if first < local_days.day_number(today) - settings.ROLLUP_KEPT_DAYS:
        raise ReportImpossible(f"Figures are kept for {settings.ROLLUP_KEPT_DAYS} days.")
    if last - first >= MOST_DAYS[query.by]:
        raise ReportImpossible(f"A range by {query.by} has at most {MOST_DAYS[query.by]} days.")
    return since, until


def _whole(
    found: Mapping[reading.Key, int],
    bounds: Sequence[datetime],
    fills: Mapping[str, Fill],
    zone: ZoneInfo,
) -> Sequence[DashboardRow]:
    return [
        _row(name, None, start, end, found.get((name, bucket, "")), fills[name], zone)
        for bucket, (start, end) in enumerate(pairwise(bounds))
        for name in fills
    ]


def _split(
    found: Mapping[reading.Key, int],
    bounds: Sequence[datetime],
    fills: Mapping[str, Fill],
    zone: ZoneInfo,
) -> Sequence[DashboardRow]:
    order = {name: number for number, name in enumerate(fills)}
    keys = sorted(found, key=lambda key: (key[1], order[key[0]], key[2]))
    return [
        _row(
            name,
            part,
            bounds[bucket],
            bounds[bucket + 1],
            found[name, bucket, part],
            fills[name],
            zone,
        )
        for name, bucket, part in keys
    ]


def _row(
    name: str,
    part: str | None,
    start: datetime,
    end: datetime,
    total: int | None,
    fill: Fill,
    zone: ZoneInfo,
) -> DashboardRow:
    is_begun = fill.as_of is not None and start < fill.as_of
    return DashboardRow(
        starts_at=start.astimezone(zone),
        metric=name,
        part=part,
        value=0 if total is None and is_begun else total,
        is_complete=fill.covers(end),
    )


def _metric(metric: Metric, fill: Fill, zone: ZoneInfo) -> DashboardMetric:
    return DashboardMetric(
        name=metric.name,
        sentence=metric.sentence,
        source=metric.basis,
        unit=metric.unit,
        dimensions=metric.dimensions,
        definition=metric.definition(zone.key),
        state=_state(fill),
        as_of=fill.as_of,
        waiting_hours=fill.waiting_hours,
        reopened_hours=fill.reopened_hours,
    )


def _state(fill: Fill) -> str:
    if fill.waiting_hours or fill.as_of is None:
        return FillState.WAITING.value
    return FillState.REOPENED.value if fill.reopened_hours else FillState.FILLED.value
