"""Retention: who of those that came first on one day, or in one week, was there again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source


class Mode(StrEnum):
    """What an offset counts: periods of the calendar, or of the viewer's own clock since the first open."""

    CALENDAR = "calendar"
    ELAPSED = "elapsed"


class FirstOpenFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps the viewers whose first open came this way; None keeps all."""

    channel: str | None = None
    country: str | None = None
    platform: str | None = None


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Viewers whose first open shares a period, and how many were active at offsets 0, 1, 2, ...

    None where not every member has had the whole window yet.
    """

    starts_on: date
    viewers: int
    active: Sequence[int | None]
    share: Sequence[float | None]


class OffsetTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One offset over the cohorts that are mature there: Σ active ÷ Σ viewers."""

    offset: int
    viewers: int
    active: int | None
    share: float | None


class RetentionReport(Report, frozen=True, kw_only=True):
    """Cohorts, oldest first, and the totals of each offset."""

    by: Period
    mode: Mode
    cohorts: Sequence[Cohort]
    totals: Sequence[OffsetTotal]


def matrix(
    *,
    source: Source,
    by: Period,
    mode: Mode,
    horizon: int,
    only: FirstOpenFilter = FirstOpenFilter(),  # noqa: B008  frozen
) -> RetentionReport:
    """Every cohort with offsets 0 to `horizon`. An immature cell is None, never 0."""
    rows = source.rows(
        "retention",
        watermark=source.watermark,
        period_days=by.days,
        lead_days=by.lead_days,
        is_elapsed=mode is Mode.ELAPSED,
        horizon=horizon,
        **msgspec.structs.asdict(only),
    )
    left_out = rows[0][5]
    cohorts = [
        _cohort(source, by, mode, horizon, list(cells))
        for number, cells in groupby(rows, key=itemgetter(0))
        if number is not None
    ]
    is_elapsed = mode is Mode.ELAPSED
    return RetentionReport(
        **heading(
            source=source,
            definition=[
                definitions.RETENTION_ELAPSED if is_elapsed else definitions.RETENTION_CALENDAR
            ],
            filters=msgspec.structs.asdict(only),
            population=[
                "environment production",
                f"{left_out} sandbox viewers left out",
            ],
        ),
        by=by,
        mode=mode,
        cohorts=cohorts,
        totals=_totals(cohorts, horizon),
    )


def _cohort(
    source: Source,
    by: Period,
    mode: Mode,
    horizon: int,
    cells: Sequence[tuple[int, int, datetime, int, int, int]],
) -> Cohort:
    number, viewers, last_opened_at = cells[0][:3]
    counted: Mapping[int, int] = {distance: active for _, _, _, distance, active, _ in cells}
    last_opened_at = last_opened_at.replace(tzinfo=UTC)
    active = [
        counted.get(offset, 0)
        if source.watermark >= _mature_at(source, by, mode, number, last_opened_at, offset)
        else None
        for offset in range(horizon + 1)
    ]
    return Cohort(
        starts_on=local_days.starts_on(number, by),
        viewers=viewers,
        active=active,
        share=[share(count, viewers) for count in active],
    )


def _mature_at(
    source: Source, by: Period, mode: Mode, number: int, last_opened_at: datetime, offset: int
) -> datetime:
    """When every member has had the whole window: also those who may still join the cohort."""
    if mode is Mode.CALENDAR:
        return local_days.ends_at(number + offset, by, zone=source.zone)
    return max(
        local_days.ends_at(number, by, zone=source.zone),
        last_opened_at + timedelta(days=by.days * (offset + 1)),
    )


def _totals(cohorts: Sequence[Cohort], horizon: int) -> Sequence[OffsetTotal]:
    totals = []
    for offset in range(horizon + 1):
        mature = [
            (cohort.viewers, active)
            for cohort in cohorts
            if (active := cohort.active[offset]) is not None
        ]
        viewers, active = (
            (sum(column) for column in zip(*mature, strict=True)) if mature else (0, 0)
        )
        totals.append(
            OffsetTotal(
                offset=offset,
                viewers=viewers,
                active=active if mature else None,
                share=share(active, viewers),
            )
        )
    return totals
