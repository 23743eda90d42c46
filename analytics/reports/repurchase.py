"""Who buys again: payers by the period of their first purchase, and in which later ones they bought."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import pyarrow as pa

from analytics.reports import definitions, local_days
from analytics.reports.arpu import Bucket
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source

WINDOW_DAYS = 30
_SCHEMA = pa.schema([("day", pa.int64()), ("period", pa.int64())])


class PayerCohort(msgspec.Struct, frozen=True, kw_only=True):
    """Payers whose first purchase shares a period.

    `repeated` of them bought again within the window from their first purchase, None until everybody has had
    all of it. `buyers` has who bought in the period itself and in each after it, None where one is not over.
    """

    starts_on: date
    payers: int
    repeated: int | None
    repurchase_rate: float | None
    buyers: Sequence[int | None]


class RepurchaseReport(Report, frozen=True, kw_only=True):
    """Cohorts of payers, oldest first; below, the rate over those who have had the whole window."""

    by: Bucket
    horizon: int
    window_days: int
    cohorts: Sequence[PayerCohort]
    total_payers: int
    total_repeated: int | None
    total_rate: float | None


def table(
    *, source: Source, by: Bucket, horizon: int, window_days: int = WINDOW_DAYS
) -> RepurchaseReport:
    """Every cohort with offsets 0 to `horizon`. An immature cell is None, never 0."""
    starts = prepare(source=source, by=by, last_day=None)
    buyers = {
        (cohort, distance): count
        for cohort, distance, count in source.rows("repurchase_cohorts", horizon=horizon)
    }
    found = [
        _cohort(source, by, starts, horizon, window_days, buyers, *row)
        for row in source.rows("repurchase_rate", window_days=window_days)
    ]
    mature = [each for each in found if each.repeated is not None]
    payers, repeated = (
        sum(each.payers for each in mature),
        sum(each.repeated or 0 for each in mature),
    )
    return RepurchaseReport(
        **heading(
            source=source,
            definition=[definitions.REPURCHASE_RATE, definitions.REPURCHASE_COHORT],
            filters={},
            population=["environment production"],
        ),
        by=by,
        horizon=horizon,
        window_days=window_days,
        cohorts=found,
        total_payers=payers,
        total_repeated=repeated if mature else None,
        total_rate=share(repeated if mature else None, payers),
    )


def prepare(*, source: Source, by: Bucket, last_day: int | None) -> Sequence[date]:
    """Makes the table `purchase_made` with periods as numbers; returns the first day of each."""
    source.load("sales")
    last = local_days.local_date(source.watermark, zone=source.zone)
    starts = _starts(by, last)
    source.create("calendar", _calendar(starts, last))
    source.rows("purchases_made", watermark=source.watermark, last_day=last_day)
    return starts


def _starts(by: Bucket, last: date) -> Sequence[date]:
    """The first days of all periods up to that of `last`."""
    starts = [by.first_day(local_days.FIRST_DAY)]
    while (following := by.following(starts[-1])) <= last:
        starts.append(following)
    return starts


def _calendar(starts: Sequence[date], last: date) -> pa.Table:
    """Which period each local day lies in, by its place among `starts`."""
    edges = [*map(local_days.day_number, starts), local_days.day_number(last) + 1]
    days: list[int] = []
    periods: list[int] = []
    for place, (first, end) in enumerate(pairwise(edges)):
        days += range(first, end)
        periods += [place] * (end - first)
    return pa.Table.from_pydict({"day": days, "period": periods}, schema=_SCHEMA)


def _cohort(
    source: Source,
    by: Bucket,
    starts: Sequence[date],
    horizon: int,
    window_days: int,
    buyers: Mapping[tuple[int, int], int],
    cohort: int,
    payers: int,
    repeated: int,
) -> PayerCohort:
    last_joined_at = local_days.midnight(by.following(starts[cohort]), zone=source.zone)
    is_mature = last_joined_at + timedelta(days=window_days) <= source.watermark
    return PayerCohort(
        starts_on=starts[cohort],
        payers=payers,
        repeated=repeated if is_mature else None,
        repurchase_rate=share(repeated, payers) if is_mature else None,
        buyers=[
            buyers.get((cohort, distance), 0)
            if _is_over(source, by, starts, cohort + distance)
            else None
            for distance in range(horizon + 1)
        ],
    )


def _is_over(source: Source, by: Bucket, starts: Sequence[date], period: int) -> bool:
    if period >= len(starts):
        return False
    return local_days.midnight(by.following(starts[period]), zone=source.zone) <= source.watermark
