"""The retention of recent cohorts, from the rollup of viewers by the day of their first open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.reports import local_days, retention
from analytics.reports.local_days import Period
from analytics.reports.report import share
from analytics.reports.retention import Cohort, OffsetTotal
from analytics.rollups import reading, slices
from analytics.rollups.metrics import Dimension
from analytics.rollups.reading import Fill
from analytics.rollups.slices import Grain

METRIC = "returning_viewers"


@dataclass(frozen=True)
class Retained:
    """Cohorts, oldest first, the totals of each offset over them, and how far the rollup is filled."""

    cohorts: Sequence[Cohort]
    totals: Sequence[OffsetTotal]
    fill: Fill


def matrix(*, first: date, last: date, horizon: int, zone: ZoneInfo) -> Retained:
    """The cohorts of the local days from `first` to `last` in which anybody came, up to `horizon` days on.

    The same cells as `analytics.reports.retention` has in its calendar mode by day, but for events that came after
    their hour was closed: active on local day c + n ÷ the cohort of day c, and None until that day is over in
    the rollup.
    """
    until = last + timedelta(days=horizon)
    bounds = slices.bounds(first, until, Grain.DAY, zone=zone)
    fill = reading.fills([METRIC], since=bounds[0], until=bounds[-1])[METRIC]
    active = {
        (int(cohort), local_days.day_number(first) + bucket): viewers
        for (_, bucket, cohort), viewers in reading.sums(
            [METRIC], bounds, split=Dimension.COHORT
        ).items()
    }
    numbers = range(local_days.day_number(first), local_days.day_number(last) + 1)
    found = [
        _cohort(active, number, horizon, fill, zone)
        for number in numbers
        if (number, number) in active
    ]
    return Retained(found, retention.totals(found, horizon), fill)


def _cohort(
    active: Mapping[tuple[int, int], int], number: int, horizon: int, fill: Fill, zone: ZoneInfo
) -> Cohort:
    viewers = active[number, number]
    counts = [
        active.get((number, number + offset), 0)
        if fill.covers(_over_at(number + offset, zone))
        else None
        for offset in range(horizon + 1)
    ]
    return Cohort(
        starts_on=local_days.starts_on(number, Period.DAY),
        stratum=None,
        viewers=viewers,
        active=counts,
        share=[share(count, viewers) for count in counts],
    )


def _over_at(number: int, zone: ZoneInfo) -> datetime:
    return local_days.ends_at(number, Period.DAY, zone=zone)
