"""Revenue by title and locale: every micro of the ledger, on the title and the day that it belongs to."""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from uuid import UUID

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading
from analytics.reports.sources import Source

_COUNTS = (
    "coin_unlocks",
    "ad_unlocks",
    "coins_spent",
    "coin_value_micros",
    "ad_revenue_micros",
)


class Revenue(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned, and by what. `total_micros` is the value of coins and the revenue of ads."""

    coin_unlocks: int
    ad_unlocks: int
    coins_spent: int
    coin_value_micros: int
    ad_revenue_micros: int
    total_micros: int


class TitleRevenue(Revenue, frozen=True, kw_only=True):
    """Of one title."""

    series_id: UUID
    external_id: str


class LocaleRevenue(Revenue, frozen=True, kw_only=True):
    """Of the titles in one language, the one they were made in."""

    locale: str


class DailyRevenue(Revenue, frozen=True, kw_only=True):
    """Of one title on one local day; no title where money opened none.

    The last day is not complete while it lasts.
    """

    day: date
    is_complete: bool
    series_id: UUID | None
    external_id: str | None
    locale: str | None


class By(StrEnum):
    """What the table has a row for: days × titles, or locales."""

    TITLE = "title"
    LOCALE = "locale"


class RevenueReport(Report, frozen=True, kw_only=True):
    """Days × titles, their sums by title and by locale, what belongs to none, and the sum of everything."""

    by: By
    currency: str
    days: Sequence[DailyRevenue]
    titles: Sequence[TitleRevenue]
    locales: Sequence[LocaleRevenue]
    unattributed: Revenue
    total: Revenue


def by_title(
    *,
    source: Source,
    currency: str,
    since: date | None = None,
    until: date | None = None,
    series_id: UUID | None = None,
    by: By = By.TITLE,
) -> RevenueReport:
    """What the ledger has booked on the local days from `since` to `until`, both included."""
    filters = local_days.range_filter(since, until)
    filters["series_id"] = str(series_id) if series_id else None
    source.load("unlocks", "unlocks_left_out", "titles")
    rows = source.rows(
        "title_revenue",
        series_id=filters["series_id"],
        first_day=local_days.day_number(since) if since else None,
        last_day=local_days.day_number(until) if until else None,
    )
    days = [_day(source, *row) for row in rows]
    titles = sorted((day for day in days if day.series_id), key=attrgetter("series_id"))
    in_locales = sorted(titles, key=_locale)
    return RevenueReport(
        **heading(
            source=source,
            definition=[definitions.TITLE_REVENUE],
            filters=filters,
            population=["environment production", "what the flagged spent is unattributed"],
        ),
        by=by,
        currency=currency,
        days=days,
        titles=[
            _title(series, list(group))
            for series, group in groupby(titles, attrgetter("series_id"))
        ],
        locales=[
            LocaleRevenue(locale=locale, **_sums(group))
            for locale, group in groupby(in_locales, _locale)
        ],
        unattributed=Revenue(**_sums(day for day in days if day.series_id is None)),
        total=Revenue(**_sums(days)),
    )


def _day(
    source: Source,
    number: int,
    series_id: str | None,
    external_id: str | None,
    locale: str | None,
    *counts: int,
) -> DailyRevenue:
    named = dict(zip(_COUNTS, counts, strict=True))
    return DailyRevenue(
        day=local_days.starts_on(number, Period.DAY),
        is_complete=local_days.ends_at(number, Period.DAY, zone=source.zone) <= source.watermark,
        series_id=UUID(series_id) if series_id else None,
        external_id=external_id,
        locale=locale,
        **named,
        total_micros=named["coin_value_micros"] + named["ad_revenue_micros"],
    )


def _locale(day: DailyRevenue) -> str:
    return day.locale or ""


def _title(series_id: UUID, days: Sequence[DailyRevenue]) -> TitleRevenue:
    return TitleRevenue(series_id=series_id, external_id=days[0].external_id or "", **_sums(days))


def _sums(rows: Iterable[Revenue]) -> dict[str, int]:
    kept = list(rows)
    return {name: sum(getattr(row, name) for row in kept) for name in (*_COUNTS, "total_micros")}
