"""Retention: who of those that came first on one day, or in one week, was there again."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

import msgspec

from analytics.reports import cohorts, definitions, local_days
from analytics.reports.cohorts import CohortFilter, Size, Split
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source


class Mode(StrEnum):
    """What an offset counts: periods of the calendar, or of the viewer's own clock since the first open.

    `on_or_after` counts the calendar's too, and takes who came then or at any time after.
    """

    CALENDAR = "calendar"
    ELAPSED = "elapsed"
    ON_OR_AFTER = "on_or_after"


_DEFINITIONS = {
    Mode.CALENDAR: definitions.RETENTION_CALENDAR,
    Mode.ELAPSED: definitions.RETENTION_ELAPSED,
    Mode.ON_OR_AFTER: definitions.RETENTION_ON_OR_AFTER,
}


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Viewers whose first open shares a period, and how many were active at offsets 0, 1, 2, ...

    None where not every member has had the whole window yet. `stratum` is what else they share, None if
    nothing was asked for, and empty where it is not known.
    """

    starts_on: date
    stratum: str | None
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
    split: Split | None
    cohorts: Sequence[Cohort]
    totals: Sequence[OffsetTotal]


def matrix(
    *,
    source: Source,
    by: Period,
    mode: Mode,
    horizon: int,
    only: CohortFilter = CohortFilter(),  # noqa: B008  frozen
    split: Split | None = None,
) -> RetentionReport:
    """Every cohort with offsets 0 to `horizon`. An immature cell is None, never 0.

    Raises BadParameter for arms without an experiment.
    """
    sizes = cohorts.prepare(source=source, by=by, only=only, split=split)
    counted = _counted(source, by, mode, horizon)
    found = [
        _cohort(source, by, mode, horizon, size, counted.get(cell, {}), split)
        for cell, size in sizes.items()
    ]
    return RetentionReport(
        **heading(
            source=source,
            definition=[_DEFINITIONS[mode]],
            filters=only.named(),
            population=cohorts.population(source),
        ),
        by=by,
        mode=mode,
        split=split,
        cohorts=found,
        totals=totals(found, horizon),
    )


def _counted(
    source: Source, by: Period, mode: Mode, horizon: int
) -> Mapping[int, Mapping[int, int]]:
    """How many members of each cohort were active at each offset, where anybody was."""
    rows = source.rows(
        "retention",
        watermark=source.watermark,
        period_days=by.days,
        lead_days=by.lead_days,
        is_elapsed=mode is Mode.ELAPSED,
        is_open=mode is Mode.ON_OR_AFTER,
        horizon=horizon,
    )
    by_cell = {
        cell: {offset: active for _, offset, active in found}
        for cell, found in groupby(rows, key=itemgetter(0))
    }
    if mode is not Mode.ON_OR_AFTER:
        return by_cell
    return {
        cell: {
            offset: sum(viewers for last, viewers in furthest.items() if last >= offset)
            for offset in range(horizon + 1)
        }
        for cell, furthest in by_cell.items()
    }


def _cohort(
    source: Source,
    by: Period,
    mode: Mode,
    horizon: int,
    size: Size,
    counted: Mapping[int, int],
    split: Split | None,
) -> Cohort:
    active = [
        counted.get(offset, 0)
        if source.watermark >= _mature_at(source, by, mode, size, offset)
        else None
        for offset in range(horizon + 1)
    ]
    return Cohort(
        starts_on=cohorts.starts_on(size, by),
        stratum=None if split is None else size.stratum,
        viewers=size.viewers,
        active=active,
        share=[share(count, size.viewers) for count in active],
    )


def _mature_at(source: Source, by: Period, mode: Mode, size: Size, offset: int) -> datetime:
    """When every member has had the whole window: also those who may still join the cohort."""
    if mode is not Mode.ELAPSED:
        return local_days.ends_at(size.number + offset, by, zone=source.zone)
    return max(
        local_days.ends_at(size.number, by, zone=source.zone),
        size.last_opened_at + timedelta(days=by.days * (offset + 1)),
    )


def totals(cohorts: Sequence[Cohort], horizon: int) -> Sequence[OffsetTotal]:
    """Each offset up to `horizon` over the cohorts that are mature there."""
    found = []
    for offset in range(horizon + 1):
        mature = [
            (cohort.viewers, active)
            for cohort in cohorts
            if (active := cohort.active[offset]) is not None
        ]
        viewers, active = (
            (sum(column) for column in zip(*mature, strict=True)) if mature else (0, 0)
        )
        found.append(
            OffsetTotal(
                offset=offset,
                viewers=viewers,
                active=active if mature else None,
                share=share(active, viewers),
            )
        )
    return found
