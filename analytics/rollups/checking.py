"""Holding rollups of money against the ledger: the sums of each local day, to the last micro.

The other side are the reports `money` and `revenue`, which read the ledger's rows on a way of their own. A
day that differs is filled anew; if it differs still, it is an alarm on the admin's first page.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from analytics.models import RollupCheck, RollupDifference, RollupHour
from analytics.reports import local_days, money, revenue, sources
from analytics.reports.sources import Source
from analytics.rollups import hours, reading, slices
from analytics.rollups.metrics import Dimension
from analytics.rollups.slices import HOUR, Grain

#: An advisory lock, so that one worker compares at a time.
LOCK = 7_326_411_929

KEPT = timedelta(days=30)
DAYS_AT_ONCE = 200
#: Metric, local day, and what of the metric it is.
Figure = tuple[str, date, str]

#: What a row of the report `money` says of a source, by metric.
_OF_MONEY = {
    "gross_billings": "gross_micros",
    "billed_tax": "tax_micros",
    "store_fees": "fee_micros",
    "refunds": "refunds_micros",
    "recognised_revenue": "recognised_micros",
}
#: What a row of the report `revenue` says of a title, by metric.
_OF_TITLES = {
    "coin_unlocks": "coin_unlocks",
    "ad_unlocks": "ad_unlocks",
    "coins_spent": "coins_spent",
    "coin_revenue": "coin_value_micros",
    "ad_revenue": "ad_revenue_micros",
}
CHECKED = tuple(_OF_MONEY | _OF_TITLES)


def is_due(*, now: datetime) -> bool:
    """True if the last comparison is ROLLUP_CHECK_SECONDS old, or there was none."""
    since = now - timedelta(seconds=settings.ROLLUP_CHECK_SECONDS)
    return not RollupCheck.objects.filter(checked_at__gt=since).exists()


def check(*, now: datetime) -> RollupCheck:
    """Compares every local day that is filled to its end, and makes those that differ due again."""
    days = _days(now=now)
    found: dict[Figure, tuple[int, int]] = {}
    count = 0
    with sources.ledger(now=now) as source:
        for first, last in _stretches(days):
            rolled, booked = _rolled(first, last), _booked(source, first, last)
            figures = rolled.keys() | booked.keys()
            count += len(figures)
            found |= {
                figure: (rolled.get(figure, 0), booked.get(figure, 0))
                for figure in figures
                if rolled.get(figure, 0) != booked.get(figure, 0)
            }
    with transaction.atomic(durable=True):
        _write_down(found, now=now)
        for name in CHECKED:
            hours.mark([name], {hour for figure in found for hour in _hours(name, figure)}, now=now)
        RollupCheck.objects.filter(checked_at__lt=now - KEPT).delete()
        return RollupCheck.objects.create(
            checked_at=now,
            first_day=days[0] if days else None,
            last_day=days[-1] if days else None,
            figure_count=count,
            difference_count=len(found),
        )


def open_differences() -> int:
    """How many days of metrics differ from the ledger although they were filled anew."""
    return RollupDifference.objects.filter(resolved_at=None, is_confirmed=True).count()


def _days(*, now: datetime) -> Sequence[date]:
    """The local days from the ledger's first on, as far as they are kept, that are filled to their end."""
    zone = settings.REPORTING_ZONE
    known = RollupHour.objects.filter(metric__in=CHECKED).aggregate(at=Min("hour"))["at"]
    since = max(min(hours.beginning(now=now), known or now), hours.kept_from(now=now))
    fills = reading.fills(CHECKED, since=since, until=now)
    ends = [fill.as_of for fill in fills.values() if fill.as_of is not None]
    if len(ends) < len(CHECKED):
        return []
    first = local_days.local_date(since, zone=zone)
    over = local_days.local_date(min(ends), zone=zone)
    return [first + timedelta(days=number) for number in range((over - first).days)]


def _stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    for number in range(0, len(days), DAYS_AT_ONCE):
        some = days[number : number + DAYS_AT_ONCE]
        yield some[0], some[-1]


def _rolled(first: date, last: date) -> Mapping[Figure, int]:
    bounds = slices.bounds(first, last, Grain.DAY, zone=settings.REPORTING_ZONE)
    found: Counter[Figure] = Counter()
    for split, names in ((Dimension.SOURCE, _OF_MONEY), (Dimension.SERIES, _OF_TITLES)):
        for (name, bucket, part), total in reading.sums([*names], bounds, split=split).items():
            found[name, first + timedelta(days=bucket), part] += total
    return found


def _booked(source: Source, first: date, last: date) -> Mapping[Figure, int]:
    of_money = money.by_day(
        source=source, currency=settings.REPORTING_CURRENCY, since=first, until=last
    )
    of_titles = revenue.by_title(
        source=source, currency=settings.REPORTING_CURRENCY, since=first, until=last
    )
    return {
        (name, row.day, str(row.source)): value
        for row in of_money.rows
        for name, member in _OF_MONEY.items()
        if (value := getattr(row, member))
    } | {
        (name, row.day, str(row.series_id or "")): value
        for row in of_titles.days
        for name, member in _OF_TITLES.items()
        if (value := getattr(row, member))
    }


def _write_down(found: Mapping[Figure, tuple[int, int]], *, now: datetime) -> None:
    known = {
        (each.metric, each.day, each.dimension): each
        for each in RollupDifference.objects.select_for_update().filter(resolved_at=None)
    }
    for figure, difference in known.items():
        if figure in found:
            rolled, booked = found[figure]
            # Where the ledger's side is another now, by a flag that was raised since, that is a new difference.
            is_same = booked == difference.ledger_value
            difference.is_confirmed |= is_same and _is_filled(figure)
            difference.rollup_value, difference.ledger_value = rolled, booked
        else:
            difference.resolved_at = now
        difference.save()
    RollupDifference.objects.bulk_create(
        RollupDifference(
            metric=metric,
            day=day,
            dimension=dimension,
            rollup_value=rolled,
            ledger_value=booked,
            found_at=now,
        )
        for (metric, day, dimension), (rolled, booked) in found.items()
        if (metric, day, dimension) not in known
    )


def _is_filled(figure: Figure) -> bool:
    """True if no hour of the day is due."""
    metric, day, _ = figure
    since, until = slices.bounds(day, day, Grain.DAY, zone=settings.REPORTING_ZONE)
    fill = reading.fills([metric], since=since, until=until)[metric]
    return not fill.waiting_hours and not fill.reopened_hours


def _hours(name: str, figure: Figure) -> Iterator[datetime]:
    """The hours of a day of this metric."""
    metric, day, _ = figure
    if metric != name:
        return
    first, last = slices.bounds(day, day, Grain.DAY, zone=settings.REPORTING_ZONE)
    hour = slices.hour_of(first)
    while hour < last:
        yield hour
        hour += HOUR
