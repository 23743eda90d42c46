"""Top charts of titles, and how much of them was made by people, with AI, or by AI."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from uuid import UUID

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source
from catalog.models.provenance import ProvenanceKind


class Measure(StrEnum):
    """What titles are put in order by."""

    STARTS = "starts"
    VIEWERS = "viewers"
    WATCHED = "watched"
    REVENUE = "revenue"


class ChartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A title and its place, from 1."""

    place: int
    series_id: UUID
    external_id: str
    locale: str
    provenance: str
    starts: int
    viewers: int
    watched_ms: int
    revenue_micros: int


class ProvenanceShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of making has of the chart: titles of titles, and revenue of revenue."""

    provenance: str
    titles: int
    share: float | None
    revenue_micros: int
    revenue_share: float | None


class ChartReport(Report, frozen=True, kw_only=True):
    """The best first, and the shares of each kind of making, whether the chart has any of it or not."""

    by: Measure
    currency: str
    rows: Sequence[ChartRow]
    shares: Sequence[ProvenanceShare]


_BY: Mapping[Measure, Callable[[ChartRow], int]] = {
    Measure.STARTS: lambda row: row.starts,
    Measure.VIEWERS: lambda row: row.viewers,
    Measure.WATCHED: lambda row: row.watched_ms,
    Measure.REVENUE: lambda row: row.revenue_micros,
}
_FIGURES = ("starts", "viewers", "watched_ms", "revenue_micros")


def top(
    *, source: Source, currency: str, by: Measure, since: date, until: date, length: int
) -> ChartReport:
    """The best `length` titles of the local days from `since` to `until`, both included.

    Titles that had nothing of what is measured are in no chart. Raises ReportImpossible for a range that is
    none, or not over.
    """
    first, last = local_days.checked(since, until)
    if local_days.ends_at(last, Period.DAY, zone=source.zone) > source.watermark:
        raise ReportImpossible("A chart is of days that are over.")
    source.load("unlocks", "titles")
    source.rows("starts", watermark=source.watermark)
    found = [
        _row(*row)
        for row in source.rows("charts", watermark=source.watermark, first_day=first, last_day=last)
    ]
    best = sorted(found, key=lambda row: (-_BY[by](row), row.external_id))
    rows = [
        msgspec.structs.replace(row, place=place)
        for place, row in enumerate(best[:length], 1)
        if _BY[by](row) > 0
    ]
    return ChartReport(
        **heading(
            source=source,
            definition=[definitions.CHARTS, definitions.AI_SHARE],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        by=by,
        currency=currency,
        rows=rows,
        shares=[_share(kind, rows) for kind in ProvenanceKind],
    )


def _row(series_id: str, external_id: str, locale: str, provenance: str, *figures: int) -> ChartRow:
    return ChartRow(
        place=0,
        series_id=UUID(series_id),
        external_id=external_id,
        locale=locale,
        provenance=provenance,
        **dict(zip(_FIGURES, figures, strict=True)),
    )


def _share(kind: ProvenanceKind, rows: Sequence[ChartRow]) -> ProvenanceShare:
    own = [row for row in rows if row.provenance == kind]
    earned = sum(row.revenue_micros for row in own)
    return ProvenanceShare(
        provenance=kind,
        titles=len(own),
        share=share(len(own), len(rows)),
        revenue_micros=earned,
        revenue_share=share(earned, sum(row.revenue_micros for row in rows)),
    )
