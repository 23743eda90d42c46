"""The rhythm of purchases: frequency, recency and age, which models of customer value are fitted on.

As P. Fader, B. Hardie and K. L. Lee define them for BG/NBD, "Counting Your Customers" the Easy Way (2005):
further days with a purchase, the time from the first to the last of them, and the time from the first to the
end of what is observed.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from analytics.reports import definitions, local_days, repurchase
from analytics.reports.arpu import Bucket
from analytics.reports.local_days import Period
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report, heading
from analytics.reports.sources import Source

MOST_ROWS = 100_000


class RhythmRow(msgspec.Struct, frozen=True, kw_only=True):
    """Payers of one rhythm. `repeat_micros` is gross, on all their days but the first, of all of them."""

    frequency: int
    recency_days: int
    age_days: int
    payers: int
    repeat_micros: int


class RhythmReport(Report, frozen=True, kw_only=True):
    """Rows by frequency, recency and age: no viewer is named."""

    currency: str
    until: date
    rows: Sequence[RhythmRow]
    total_payers: int


def table(
    *, source: Source, currency: str, since: date | None = None, until: date | None = None
) -> RhythmReport:
    """Payers whose first purchase is of `since` or later, as they are at the end of the local day `until`.

    The day is over before the watermark: the last such one if none is given. Raises ReportImpossible for
    another, and for more rows than MOST_ROWS.
    """
    today = local_days.day_number(local_days.local_date(source.watermark, zone=source.zone))
    last = today - 1 if until is None else local_days.checked(since or until, until)[1]
    if last >= today:
        raise ReportImpossible("`until` is a day that is not over yet.")
    first = local_days.day_number(since) if since else None
    repurchase.prepare(source=source, by=Bucket.DAY, last_day=last)
    rows = source.rows("purchase_rhythm", first_day=first, last_day=last)
    if len(rows) > MOST_ROWS:
        raise ReportImpossible(f"These are more than {MOST_ROWS:,} rhythms: give a later `since`.")
    found = [RhythmRow(**dict(zip(RhythmRow.__struct_fields__, row, strict=True))) for row in rows]
    return RhythmReport(
        **heading(
            source=source,
            definition=[definitions.PURCHASE_RHYTHM],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        currency=currency,
        until=local_days.starts_on(last, Period.DAY),
        rows=found,
        total_payers=sum(row.payers for row in found),
    )
