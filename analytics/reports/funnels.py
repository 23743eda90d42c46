"""The paywall funnel: from the start of a series, past its paywall, into what was unlocked."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from analytics.reports import definitions
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source

#: Start to paywall, paywall to unlock, unlock to watching: only then is a starter counted.
MATURE_AFTER = timedelta(days=7) + timedelta(hours=24) + timedelta(hours=24)

_COUNTS = (
    "starters",
    "immature",
    "reached",
    "unlocked_by_coins",
    "unlocked_by_ad",
    "unlocked_by_subscription",
    "watched",
    "topped_up",
)


class FunnelRow(msgspec.Struct, frozen=True, kw_only=True):
    """Starters of one series, or of all where `series_id` is None, and how far they came.

    `immature` starters are in no other count: their windows are not over.
    """

    series_id: UUID | None
    external_id: str | None
    starters: int
    immature: int
    reached: int
    unlocked: int
    unlocked_by_coins: int
    unlocked_by_ad: int
    unlocked_by_subscription: int
    watched: int
    topped_up: int
    reach: float | None
    conversion: float | None
    watched_share: float | None


class FunnelReport(Report, frozen=True, kw_only=True):
    """One row a series, and the total over viewer × series."""

    series: Sequence[FunnelRow]
    total: FunnelRow


def paywall(*, source: Source, series_id: UUID | None = None) -> FunnelReport:
    """The funnel of every series that somebody started, or of one."""
    asked = None if series_id is None else str(series_id)
    source.load("unlocks", "covered", "purchases", "titles")
    source.rows("starts", watermark=source.watermark)
    counted = source.rows(
        "paywall_funnel",
        series_id=asked,
        watermark=source.watermark,
        mature_until=source.watermark - MATURE_AFTER,
    )
    return FunnelReport(
        **heading(
            source=source,
            definition=[
                definitions.PAYWALL_REACH,
                definitions.PAYWALL_CONVERSION,
                definitions.UNLOCK_WATCHED,
                definitions.TOP_UP_BETWEEN,
            ],
            filters={"series_id": asked},
            population=[
                "environment production",
                "starters whose 9 days of windows are over; the others are counted as immature",
            ],
        ),
        series=[_row(row[0], row[1], row[2:]) for row in counted],
        total=_row(None, None, _sums(row[2:] for row in counted)),
    )


def _sums(rows: Iterable[Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip([0] * len(_COUNTS), *rows, strict=True)]


def _row(series_id: str | None, external_id: str | None, counts: Sequence[int]) -> FunnelRow:
    named = dict(zip(_COUNTS, counts, strict=True))
    unlocked = sum(
        named[means]
        for means in ("unlocked_by_coins", "unlocked_by_ad", "unlocked_by_subscription")
    )
    return FunnelRow(
        series_id=UUID(series_id) if series_id else None,
        external_id=external_id,
        **named,
        unlocked=unlocked,
        reach=share(named["reached"], named["starters"]),
        conversion=share(unlocked, named["reached"]),
        watched_share=share(named["watched"], unlocked),
    )
