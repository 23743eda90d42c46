"""The admin's first page: the figures of today, and below them revenue, paywall funnel and retention.

The plots show the reports that the API serves. Those read the whole lake, so each process keeps them
for a minute; then one thread makes new ones, while the others are shown the last.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import OperationalError
from django.http import HttpRequest

from ads.admin import parked
from analytics.admin import alarms, plots
from analytics.reports import funnels, local_days, retention, revenue, sources
from analytics.reports.funnels import FunnelReport
from analytics.reports.local_days import Period
from analytics.reports.retention import Mode, RetentionReport
from analytics.reports.revenue import RevenueReport
from config import clock, patience
from config.patience import TookTooLong
from payments.admin import formats
from payments.admin import home as today

logger = logging.getLogger(__name__)

KEPT = timedelta(minutes=1)
#: Reports are shown so long past that minute while new ones are made.
SHOWN_SECONDS = 600
REVENUE_DAYS = 30
COHORTS = 15
HORIZON_DAYS = 14


@dataclass(frozen=True)
class Reports:
    """What the plots show."""

    revenue: RevenueReport
    funnel: FunnelReport
    retention: RetentionReport
    made_at: datetime


_making = threading.Lock()


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds what this operator may see: figures and alarms, then plots."""
    now = clock.now(request)
    drawn = [draw for permission, draw in PLOTS.items() if request.user.has_perm(permission)]
    return today.fill(request, context) | {
        "ad_alarms": alarms.ringing(request),
        "parked_callbacks": _parked(request),
        "sections": _sections(drawn, now) if drawn else [],
    }


def _parked(request: HttpRequest) -> int:
    """How many callbacks of ads wait for somebody; none that was not counted in time."""
    try:
        with patience.of(today.PATIENCE_MS):
            return parked.waiting_count(request)
    except TookTooLong:
        return 0


def _sections(drawn: list[Callable[[Reports, datetime], dict[str, Any]]], now: datetime) -> Any:
    try:
        reports = _reports(now)
    except _failures():
        # Money and catalog are still to be seen while the lake is being mended.
        logger.exception("the lake could not be read for the first page")
        return [{"template": "admin/analytics/unreadable.html"}]
    return [draw(reports, now) for draw in drawn]


def _failures() -> tuple[type[Exception], ...]:
    """What reading the lake may fail with: the engine, files, manifest or ledger, and a bucket."""
    # Not at import: see analytics.lake.engine, and most lakes are in no bucket.
    import duckdb
    from botocore.exceptions import BotoCoreError, ClientError

    return (duckdb.Error, OSError, OperationalError, BotoCoreError, ClientError)


def _reports(now: datetime) -> Reports:
    last = _kept()
    if last is not None and (_is_fresh(last, now) or _making.locked()):
        return last
    # Whoever has none to show waits for the first.
    with _making:
        last = _kept()
        if last is None or not _is_fresh(last, now):
            last = _made(now)
            caches["local"].set("first-page", last, SHOWN_SECONDS)
        return last


def _kept() -> Reports | None:
    kept: Reports | None = caches["local"].get("first-page")
    return kept


def _is_fresh(reports: Reports, now: datetime) -> bool:
    return timedelta() <= now - reports.made_at < KEPT


def _made(now: datetime) -> Reports:
    last = local_days.local_date(now, zone=settings.REPORTING_ZONE)
    with sources.opened(now=now) as source:
        return Reports(
            revenue=revenue.by_title(
                source=source,
                currency=settings.REPORTING_CURRENCY,
                since=last - timedelta(days=REVENUE_DAYS - 1),
                until=last,
            ),
            funnel=funnels.paywall(source=source),
            retention=retention.matrix(
                source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=HORIZON_DAYS
            ),
            made_at=now,
        )


def _revenue(reports: Reports, now: datetime) -> dict[str, Any]:
    last = local_days.local_date(now, zone=settings.REPORTING_ZONE)
    first = last - timedelta(days=REVENUE_DAYS - 1)
    return {
        "template": "admin/analytics/revenue.html",
        "report": reports.revenue,
        "days": REVENUE_DAYS,
        "total": formats.cents(reports.revenue.total.total_micros),
        "bars": plots.revenue_bars(reports.revenue, first=first, last=last),
        "best": plots.best_titles(reports.revenue),
    }


def _funnel(reports: Reports, now: datetime) -> dict[str, Any]:
    return {
        "template": "admin/analytics/funnel.html",
        "report": reports.funnel,
        "steps": plots.funnel_steps(reports.funnel),
    }


def _retention(reports: Reports, now: datetime) -> dict[str, Any]:
    return {
        "template": "admin/analytics/retention.html",
        "report": reports.retention,
        "offsets": range(HORIZON_DAYS + 1),
        "rows": plots.retention_rows(reports.retention, newest=COHORTS),
    }


#: Who may see which plot, in the order of the page.
PLOTS: Mapping[str, Callable[[Reports, datetime], dict[str, Any]]] = {
    "payments.view_unlock": _revenue,
    "analytics.view_lakefile": _funnel,
    "analytics.view_eventbatch": _retention,
}
