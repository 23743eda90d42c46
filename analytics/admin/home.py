"""The admin's first page: the figures of today, and below them revenue, paywall funnel and retention.

The plots show rollups, each with how far it is filled; neither lake nor ledger is read for them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from ads.admin import parked
from analytics.admin import alarms, filled, plots
from analytics.admin.plots import EarningTitle
from analytics.intake import inbox
from analytics.reports import local_days
from analytics.rollups import checking, metrics, reading, retained, slices
from analytics.rollups.metrics import METRICS, Dimension
from analytics.rollups.slices import Grain
from catalog.models import Series
from config import clock, patience
from config.patience import TookTooLong
from payments.admin import formats
from payments.admin import home as today
from payments.money import PARTS_PER_MILLION

#: The page must open while the database is busy.
PATIENCE_MS = 1500
REVENUE_DAYS = 30
BEST_TITLES = 5
FUNNEL_DAYS = 90
COHORT_DAYS = 30
COHORTS = 15
HORIZON_DAYS = 14
MANY_CONFLICTS = 100

_OF_TITLES = ("coin_revenue", "ad_revenue", "coin_unlocks", "ad_unlocks")
_OF_FUNNEL = tuple(metric.name for metric in metrics.of_query(METRICS["funnel_starters"].query))


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds what this operator may see: figures and alarms, then plots."""
    now = clock.now(request)
    drawn = [draw for permission, draw in PLOTS if request.user.has_perm(permission)]
    sections = [section for draw in drawn if (section := _in_time(draw, now)) is not None]
    return today.fill(request, context) | {
        "ad_alarms": alarms.ringing(request),
        "parked_callbacks": _parked(request),
        "sections": sections,
    }


def _parked(request: HttpRequest) -> int:
    """How many callbacks of ads wait for somebody; none that was not counted in time."""
    try:
        with patience.of(today.PATIENCE_MS):
            return parked.waiting_count(request)
    except TookTooLong:
        return 0


def _in_time(draw: Callable[[datetime], Any], now: datetime) -> Any:
    try:
        with patience.of(PATIENCE_MS):
            return draw(now)
    except TookTooLong:
        return {"template": "admin/analytics/slow.html"}


def _alarm(now: datetime) -> dict[str, Any] | None:
    count = checking.open_differences()
    return {"template": "admin/analytics/rollup_alarm.html", "count": count} if count else None


def _taken_ids(now: datetime) -> dict[str, Any] | None:
    """Only many: one phone whose random numbers repeat is no alarm."""
    count = inbox.repeated_lately(now=now).conflicts
    if count < MANY_CONFLICTS:
        return None
    return {"template": "admin/analytics/taken_ids_alarm.html", "count": count}


def _revenue(now: datetime) -> dict[str, Any]:
    days = days_to(now, REVENUE_DAYS)
    bounds = slices.bounds(days[0], days[-1], Grain.DAY, zone=settings.REPORTING_ZONE)
    shown = ("coin_revenue", "ad_revenue")
    sums = reading.sums(shown, bounds)
    coins, ads = (
        {days[bucket]: total for (metric, bucket, _), total in sums.items() if metric == name}
        for name in shown
    )
    return {
        "template": "admin/analytics/revenue.html",
        "notes": filled.notes(shown, since=bounds[0], until=bounds[-1]),
        "days": REVENUE_DAYS,
        "total": formats.cents(sum(sums.values())),
        "bars": plots.bars(
            [
                ("Coins spent", coins, "var(--color-primary-600)"),
                ("Ads", ads, "#f59e0b"),
            ],
            days=days,
            unit=PARTS_PER_MILLION,
        ),
        "best": _best_titles(bounds[0], bounds[-1]),
    }


def _best_titles(since: datetime, until: datetime) -> Sequence[EarningTitle]:
    """The titles that earned most."""
    sums = reading.sums(_OF_TITLES, [since, until], split=Dimension.SERIES)
    rows = sorted((series_id, name, total) for (name, _, series_id), total in sums.items())
    earned = {
        UUID(series_id): {name: total for _, name, total in own}
        for series_id, own in groupby(rows, key=itemgetter(0))
        if series_id
    }
    best = sorted(
        earned,
        key=lambda series: -sum(earned[series].get(name, 0) for name in _OF_TITLES[:2]),
    )[:BEST_TITLES]
    names = dict(Series.objects.filter(id__in=best).values_list("id", "external_id"))
    return [plots.earning_title(series, names[series], earned[series]) for series in best]


def _funnel(now: datetime) -> dict[str, Any]:
    query = METRICS["funnel_starters"].query
    since = now - query.settles - timedelta(days=FUNNEL_DAYS)
    sums = reading.sums(_OF_FUNNEL, [since, now])
    counted = {name: total for (name, _, _), total in sums.items()}
    notes = filled.notes(_OF_FUNNEL, since=since, until=now)
    not_over = reading.sums(["starts"], [notes.as_of or since, now]) if notes.as_of != now else {}
    return {
        "template": "admin/analytics/funnel.html",
        "notes": notes,
        "days": FUNNEL_DAYS,
        "steps": plots.funnel_steps(counted),
        "topped_up": counted.get("funnel_topped_up", 0),
        "immature": sum(not_over.values()),
    }


def _retention(now: datetime) -> dict[str, Any]:
    days = days_to(now, COHORT_DAYS)
    zone = settings.REPORTING_ZONE
    found = retained.matrix(first=days[0], last=days[-1], horizon=HORIZON_DAYS, zone=zone)
    since = local_days.midnight(days[0], zone=zone)
    return {
        "template": "admin/analytics/retention.html",
        "notes": filled.notes([retained.METRIC], since=since, until=now),
        "offsets": range(HORIZON_DAYS + 1),
        "rows": plots.retention_rows(found, newest=COHORTS),
    }


def days_to(now: datetime, count: int) -> Sequence[date]:
    """So many local days, the last of which is today."""
    last = local_days.local_date(now, zone=settings.REPORTING_ZONE)
    return [last - timedelta(days=count - 1 - number) for number in range(count)]


#: Who may see which part, in the order of the page.
PLOTS: Sequence[tuple[str, Callable[[datetime], Mapping[str, Any] | None]]] = (
    ("analytics.view_rollupdifference", _alarm),
    ("analytics.view_eventbatch", _taken_ids),
    ("payments.view_unlock", _revenue),
    ("analytics.view_lakefile", _funnel),
    ("analytics.view_eventbatch", _retention),
)
