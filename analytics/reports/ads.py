"""What rewarded ads earned, and how many of those asked for were filled, shown and confirmed."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, micros_per, share
from analytics.reports.sources import Source


class AdFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of ads, each on its own day, and the ratios of their sums; None without a whole.

    `confirmed` are those of the ads shown that their network has confirmed since; `rewards` and the
    revenue are of the day of the confirmation.
    """

    requests: int
    filled: int
    shown: int
    confirmed: int
    rewards: int
    revenue_micros: int
    fill_rate: float | None
    show_rate: float | None
    reward_rate: float | None
    ecpm_micros: int | None


class AdRow(AdFigures, frozen=True, kw_only=True):
    """One local day, network and placement."""

    day: date
    is_complete: bool
    network: str
    placement: str


class AdReport(Report, frozen=True, kw_only=True):
    """Days, oldest first, and all together."""

    currency: str
    rows: Sequence[AdRow]
    total: AdFigures


_COUNTS = ("requests", "filled", "shown", "confirmed", "rewards", "revenue_micros")


def table(
    *, source: Source, currency: str, since: date | None = None, until: date | None = None
) -> AdReport:
    """The local days from `since` to `until`, both included; all that there are if not given."""
    source.load("ad_sessions")
    rows = source.rows(
        "ad_revenue",
        watermark=source.watermark,
        first_day=local_days.day_number(since) if since else None,
        last_day=local_days.day_number(until) if until else None,
    )
    return AdReport(
        **heading(
            source=source,
            definition=[
                definitions.AD_REVENUE,
                definitions.ECPM,
                definitions.AD_FILL_RATE,
                definitions.AD_SHOW_RATE,
                definitions.AD_REWARD_RATE,
            ],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        currency=currency,
        rows=[_row(source, *row) for row in rows],
        total=AdFigures(**_figures(_sums(row[3:] for row in rows))),
    )


def _row(source: Source, number: int, network: str, placement: str, *counts: int) -> AdRow:
    return AdRow(
        day=local_days.starts_on(number, Period.DAY),
        is_complete=local_days.ends_at(number, Period.DAY, zone=source.zone) <= source.watermark,
        network=network,
        placement=placement,
        **_figures(counts),
    )


def _sums(rows: Iterable[Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip([0] * len(_COUNTS), *rows, strict=True)]


def _figures(counts: Sequence[int]) -> dict[str, Any]:
    named = dict(zip(_COUNTS, counts, strict=True))
    return named | {
        "fill_rate": share(named["filled"], named["requests"]),
        "show_rate": share(named["shown"], named["filled"]),
        "reward_rate": share(named["confirmed"], named["shown"]),
        "ecpm_micros": micros_per(named["revenue_micros"] * 1000, named["shown"]),
    }
