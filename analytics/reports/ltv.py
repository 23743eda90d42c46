"""Realised LTV: what a cohort's viewers have paid, and its ads earned, up to each horizon."""

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec
import pyarrow as pa

from analytics.reports import cohorts, definitions, local_days
from analytics.reports.cohorts import CohortFilter, Size, Split
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, micros_per
from analytics.reports.sources import Source

#: Days after the first open, the day of it being 0.
HORIZONS = (0, 1, 3, 7, 14, 30, 60, 90)
_SCHEMA = pa.schema([("horizon", pa.int64())])


class HorizonValue(msgspec.Struct, frozen=True, kw_only=True):
    """What a cohort brought on the local days 0 to `horizon_days` of its viewers.

    All but the horizon is None until every member has had the whole of it. `ltv_micros` is per viewer,
    `arppu_micros` per payer and None without any.
    """

    horizon_days: int
    payers: int | None
    net_micros: int | None
    ad_micros: int | None
    ltv_micros: int | None
    arppu_micros: int | None


class CohortValue(msgspec.Struct, frozen=True, kw_only=True):
    """Viewers whose first open shares a period, and perhaps a stratum, with their value by horizon."""

    starts_on: date
    stratum: str | None
    viewers: int
    values: Sequence[HorizonValue]


class HorizonTotal(HorizonValue, frozen=True, kw_only=True):
    """The same over the cohorts that are mature at that horizon; `viewers` is how many those are."""

    viewers: int


class LtvReport(Report, frozen=True, kw_only=True):
    """Cohorts, oldest first, and the totals of each horizon."""

    by: Period
    split: Split | None
    currency: str
    cohorts: Sequence[CohortValue]
    totals: Sequence[HorizonTotal]


def table(
    *,
    source: Source,
    by: Period,
    currency: str,
    horizons: Sequence[int] = HORIZONS,
    only: CohortFilter = CohortFilter(),  # noqa: B008  frozen
    split: Split | None = None,
) -> LtvReport:
    """Every cohort at every horizon. An immature cell is None, never 0.

    Raises BadParameter for arms without an experiment.
    """
    sizes = cohorts.prepare(source=source, by=by, only=only, split=split)
    source.load("billings", "unlocks")
    source.create("horizons", pa.Table.from_pydict({"horizon": list(horizons)}, schema=_SCHEMA))
    earned = {
        (cell, horizon): (net, ads, payers)
        for cell, horizon, net, ads, payers in source.rows(
            "cohort_money", watermark=source.watermark
        )
    }
    found = [
        CohortValue(
            starts_on=cohorts.starts_on(size, by),
            stratum=None if split is None else size.stratum,
            viewers=size.viewers,
            values=[_value(source, by, size, cell, horizon, earned) for horizon in horizons],
        )
        for cell, size in sizes.items()
    ]
    return LtvReport(
        **heading(
            source=source,
            definition=[definitions.LTV, definitions.COHORT_ARPPU],
            filters=only.named(),
            population=cohorts.population(source),
        ),
        by=by,
        split=split,
        currency=currency,
        cohorts=found,
        totals=[_total(found, place, horizon) for place, horizon in enumerate(horizons)],
    )


def _value(
    source: Source,
    by: Period,
    size: Size,
    cell: int,
    horizon: int,
    earned: Mapping[tuple[int, int], tuple[int, int, int]],
) -> HorizonValue:
    last = cohorts.last_day_number(size, by) + horizon
    if local_days.ends_at(last, Period.DAY, zone=source.zone) > source.watermark:
        return HorizonValue(horizon_days=horizon, **dict.fromkeys(_FIGURES))
    return HorizonValue(
        horizon_days=horizon, **_figures(size.viewers, *earned.get((cell, horizon), (0, 0, 0)))
    )


_FIGURES = ("payers", "net_micros", "ad_micros", "ltv_micros", "arppu_micros")


def _figures(viewers: int, net: int, ads: int, payers: int) -> dict[str, int | None]:
    per = (micros_per(net + ads, viewers), micros_per(net, payers))
    return dict(zip(_FIGURES, (payers, net, ads, *per), strict=True))


def _total(found: Sequence[CohortValue], place: int, horizon: int) -> HorizonTotal:
    viewers, sums = 0, [0, 0, 0]
    for cohort in found:
        value = cohort.values[place]
        counts = (value.net_micros, value.ad_micros, value.payers)
        if value.payers is not None:
            viewers += cohort.viewers
            sums = [total + (count or 0) for total, count in zip(sums, counts, strict=True)]
    figures = _figures(viewers, *sums) if viewers else dict.fromkeys(_FIGURES)
    return HorizonTotal(horizon_days=horizon, viewers=viewers, **figures)
