"""Revenue per active viewer and per payer, by local day, ISO week or month."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec
import pyarrow as pa

from analytics.reports import cohorts, definitions, local_days
from analytics.reports.report import Report, heading, micros_per
from analytics.reports.sources import Source

_SCHEMA = pa.schema([("day", pa.int64()), ("period", pa.int64())])


class Bucket(StrEnum):
    """What the figures are of."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def first_day(self, day: date) -> date:
        """The first day of the one that a day lies in."""
        if self is Bucket.DAY:
            return day
        if self is Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1)

    def following(self, day: date) -> date:
        """The first day of the next one."""
        lengths = {Bucket.DAY: 1, Bucket.WEEK: 7, Bucket.MONTH: 31}
        return self.first_day(self.first_day(day) + timedelta(days=lengths[self]))


class ArpuRow(msgspec.Struct, frozen=True, kw_only=True):
    """One period. The counts are those so far; the ratios are None until it is over."""

    starts_on: date
    is_complete: bool
    active_viewers: int
    payers: int
    net_micros: int
    ad_micros: int
    arpu_micros: int | None
    arppu_micros: int | None


class ArpuReport(Report, frozen=True, kw_only=True):
    """Periods in which anything was, oldest first."""

    by: Bucket
    currency: str
    rows: Sequence[ArpuRow]


def table(
    *,
    source: Source,
    by: Bucket,
    currency: str,
    since: date | None = None,
    until: date | None = None,
) -> ArpuReport:
    """The periods with a local day from `since` to `until`; of one that is cut, only those days."""
    source.load("billings", "unlocks")
    source.create("calendar", _calendar(source, by))
    rows = source.rows(
        "arpu",
        watermark=source.watermark,
        first_day=local_days.day_number(since) if since else None,
        last_day=local_days.day_number(until) if until else None,
    )
    return ArpuReport(
        **heading(
            source=source,
            definition=[definitions.ARPU, definitions.ARPPU],
            filters=local_days.range_filter(since, until),
            population=cohorts.population(source),
        ),
        by=by,
        currency=currency,
        rows=[_row(source, by, *row) for row in rows],
    )


def _calendar(source: Source, by: Bucket) -> pa.Table:
    """Which period each local day lies in, by the number of the period's first day."""
    last = local_days.local_date(source.watermark, zone=source.zone)
    days = [
        local_days.FIRST_DAY + timedelta(days=n)
        for n in range((last - local_days.FIRST_DAY).days + 1)
    ]
    return pa.Table.from_pydict(
        {
            "day": [local_days.day_number(day) for day in days],
            "period": [local_days.day_number(by.first_day(day)) for day in days],
        },
        schema=_SCHEMA,
    )


def _row(
    source: Source, by: Bucket, number: int, active: int, payers: int, net: int, ads: int
) -> ArpuRow:
    starts_on = local_days.starts_on(number, local_days.Period.DAY)
    over_at = local_days.midnight(by.following(starts_on), zone=source.zone)
    is_complete = over_at <= source.watermark
    return ArpuRow(
        starts_on=starts_on,
        is_complete=is_complete,
        active_viewers=active,
        payers=payers,
        net_micros=net,
        ad_micros=ads,
        arpu_micros=micros_per(net + ads, active) if is_complete else None,
        arppu_micros=micros_per(net, payers) if is_complete else None,
    )
