"""What ads earned, and how many of the rewarded ones asked for were filled, shown and confirmed."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, micros_per, share
from analytics.reports.sources import Source


class AdFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of ads so far, each on its own day, and the ratios of the sums of days that are over; None
    without a whole.

    `confirmed` are those of the ads shown that their network has confirmed since, `awaited` those that it
    may still confirm; `rewards` and the revenue are of the day of the confirmation. `reward_rate` is of
    days of which none is awaited. `left_out_micros` is the part of the revenue that ads of flagged viewers
    earned, who are in no count: networks report it with the rest.
    """

    requests: int
    filled: int
    shown: int
    confirmed: int
    awaited: int
    rewards: int
    impressions: int
    revenue_micros: int
    estimated_micros: int
    remainder_micros: int
    left_out_micros: int
    compared_micros: int | None
    reported_micros: int | None
    estimate_factor: float | None
    fill_rate: float | None
    show_rate: float | None
    reward_rate: float | None
    ecpm_micros: int | None


class AdRow(AdFigures, frozen=True, kw_only=True):
    """One local day, network and placement.

    `reward_lag_p95_ms` is the time from the showing to the confirmation that 95 % of the confirmed ones do
    not exceed; None where `reward_rate` is.
    """

    day: date
    is_complete: bool
    network: str
    placement: str
    reward_lag_p95_ms: int | None


class AdReport(Report, frozen=True, kw_only=True):
    """Days, oldest first, and all together."""

    currency: str
    rows: Sequence[AdRow]
    total: AdFigures


_COUNTS = (
    *("requests", "filled", "shown", "confirmed", "awaited", "rewards", "impressions"),
    *("revenue_micros", "estimated_micros", "remainder_micros", "left_out_micros"),
)
_REPORTED = ("compared_micros", "reported_micros")
_RATIOS = ("estimate_factor", "fill_rate", "show_rate", "reward_rate", "ecpm_micros")


def table(
    *, source: Source, currency: str, since: date | None = None, until: date | None = None
) -> AdReport:
    """The local days from `since` to `until`, both included; all that there are if not given."""
    source.load("ad_sessions", "ad_earnings", "ad_true_ups")
    found = source.rows(
        "ad_revenue",
        watermark=source.watermark,
        first_day=local_days.day_number(since) if since else None,
        last_day=local_days.day_number(until) if until else None,
    )
    rows = [_row(source, *row) for row in found]
    return AdReport(
        **heading(
            source=source,
            definition=[
                definitions.AD_REVENUE,
                definitions.AD_ESTIMATE_FACTOR,
                definitions.ECPM,
                definitions.AD_FILL_RATE,
                definitions.AD_SHOW_RATE,
                definitions.AD_REWARD_RATE,
            ],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        currency=currency,
        rows=rows,
        total=AdFigures(**_sums(rows), **_reported(rows), **_ratios(rows)),
    )


def _row(source: Source, number: int, network: str, placement: str, *figures: Any) -> AdRow:
    *counts, lag = figures
    names = (*_COUNTS, *_REPORTED)
    named: dict[str, Any] = dict(zip(names, counts, strict=True)) | dict.fromkeys(_RATIOS)
    counted = AdRow(
        day=local_days.starts_on(number, Period.DAY),
        is_complete=local_days.ends_at(number, Period.DAY, zone=source.zone) <= source.watermark,
        network=network,
        placement=placement,
        **named,
        reward_lag_p95_ms=None,
    )
    return msgspec.structs.replace(
        counted, **_ratios([counted]), reward_lag_p95_ms=lag if _is_settled(counted) else None
    )


def _sums(rows: Sequence[AdRow]) -> dict[str, int]:
    return {name: sum(getattr(row, name) for row in rows) for name in _COUNTS}


def _reported(rows: Sequence[AdRow]) -> dict[str, Any]:
    """The sums of rows that networks have reported."""
    known = [row for row in rows if row.reported_micros is not None]
    return {name: sum(getattr(row, name) for row in known) if known else None for name in _REPORTED}


def _ratios(rows: Sequence[AdRow]) -> dict[str, Any]:
    over = _sums([row for row in rows if row.is_complete])
    settled = _sums([row for row in rows if _is_settled(row)])
    reported = _reported(rows)
    of_none = over["remainder_micros"] + over["left_out_micros"]
    return {
        "estimate_factor": share(
            reported["reported_micros"] or 0, reported["compared_micros"] or 0
        ),
        "fill_rate": share(over["filled"], over["requests"]),
        "show_rate": share(over["shown"], over["filled"]),
        "reward_rate": share(settled["confirmed"], settled["shown"]),
        "ecpm_micros": micros_per(
            (over["revenue_micros"] - of_none) * 1000, over["shown"] + over["impressions"]
        ),
    }


def _is_settled(row: AdRow) -> bool:
    """Whether no confirmation of an ad shown on the day can come any more."""
    return row.is_complete and not row.awaited
