"""The money of each local day by what brought it: billed, recognised, and still deferred."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum

import msgspec
import pyarrow as pa

from analytics.lake.schema import MOMENT
from analytics.reports import definitions, local_days, queries
from analytics.reports.local_days import Period
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report, heading
from analytics.reports.sources import Source
from viewers.flags import Flagged

MOST_DAYS = 400
_EDGES = pa.schema([("edge", MOMENT), ("day", pa.int64())])
_COUNTS = ("gross_micros", "tax_micros", "fee_micros", "refunds_micros", "recognised_micros")


class Origin(StrEnum):
    """What brought money."""

    COINS = "coins"
    PASSES = "passes"
    ADS = "ads"


class Rungs(msgspec.Struct, frozen=True, kw_only=True):
    """The money ladder, in micros: net = gross − tax − fee − refunds."""

    gross_micros: int
    tax_micros: int
    fee_micros: int
    refunds_micros: int
    net_micros: int
    recognised_micros: int


class MoneyRow(Rungs, frozen=True, kw_only=True):
    """One local day and one origin. `deferred_micros` is what is owed to viewers at its end.

    The last day is not complete while it lasts, and ends at the watermark. Ads are never deferred.
    """

    day: date
    is_complete: bool
    source: Origin
    deferred_micros: int


class OriginTotal(Rungs, frozen=True, kw_only=True):
    """One origin over all days; `deferred_micros` is that at the end of the last."""

    source: Origin
    deferred_micros: int


class MoneyReport(Report, frozen=True, kw_only=True):
    """Days × origins, and the totals of each origin."""

    currency: str
    rows: Sequence[MoneyRow]
    totals: Sequence[OriginTotal]


def by_day(*, source: Source, currency: str, since: date, until: date) -> MoneyReport:
    """The local days from `since` to `until`, both included. Raises ReportImpossible for too many."""
    first, last = local_days.checked(since, until)
    if last - first >= MOST_DAYS:
        raise ReportImpossible(f"A range has at most {MOST_DAYS} days.")
    source.load("billings", "earnings", "passes", "pass_refunds")
    source.create("edges", _edges(source, first, last))
    found: Mapping[tuple[int, str], Sequence[int]] = {
        (day, origin): counts
        for day, origin, *counts in source.rows(
            "money_days", watermark=source.watermark, first_day=first, last_day=last
        )
    }
    by_origin = {origin: _days(source, origin, first, last, found) for origin in Origin}
    return MoneyReport(
        **heading(
            # Accounting has all of it, whoever is flagged.
            source=replace(source, flagged=Flagged()),
            definition=[
                definitions.GROSS_BILLINGS,
                definitions.NET_BILLINGS,
                definitions.RECOGNISED_REVENUE,
                definitions.DEFERRED_REVENUE,
            ],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        currency=currency,
        rows=sorted((row for rows in by_origin.values() for row in rows), key=lambda row: row.day),
        totals=[_total(origin, rows) for origin, rows in by_origin.items()],
    )


def _edges(source: Source, first: int, last: int) -> pa.Table:
    """The end of each day and of the one before the first, at the watermark at the latest."""
    days = range(first - 1, last + 1)
    ends = [_ends_at(source, day) for day in days]
    return pa.Table.from_pydict(
        {"edge": [queries.naive(end) for end in ends], "day": list(days)}, schema=_EDGES
    )


def _ends_at(source: Source, day: int) -> datetime:
    return min(local_days.ends_at(day, Period.DAY, zone=source.zone), source.watermark)


def _days(
    source: Source,
    origin: Origin,
    first: int,
    last: int,
    found: Mapping[tuple[int, str], Sequence[int]],
) -> Sequence[MoneyRow]:
    before = _rungs(found.get((first - 1, origin), ()))
    deferred = _owed(origin, before)
    rows = []
    for number in range(first, last + 1):
        rungs = _rungs(found.get((number, origin), ()))
        deferred += _owed(origin, rungs)
        rows.append(
            MoneyRow(
                day=local_days.starts_on(number, Period.DAY),
                is_complete=local_days.ends_at(number, Period.DAY, zone=source.zone)
                <= source.watermark,
                source=origin,
                **rungs,
                deferred_micros=deferred,
            )
        )
    return rows


def _rungs(counts: Sequence[int]) -> dict[str, int]:
    named = dict(zip(_COUNTS, counts or [0] * len(_COUNTS), strict=True))
    gone = named["tax_micros"] + named["fee_micros"] + named["refunds_micros"]
    return named | {"net_micros": named["gross_micros"] - gone}


def _owed(origin: Origin, rungs: Mapping[str, int]) -> int:
    """What a day adds to what is deferred: ads are earned as they are watched."""
    return 0 if origin is Origin.ADS else rungs["net_micros"] - rungs["recognised_micros"]


def _total(origin: Origin, rows: Sequence[MoneyRow]) -> OriginTotal:
    sums = {name: sum(getattr(row, name) for row in rows) for name in Rungs.__struct_fields__}
    return OriginTotal(source=origin, **sums, deferred_micros=rows[-1].deferred_micros)
