"""Days that are over, with their ladder and the invariants that they keep.

Money is posted into past days where clocks are simulated, or where a transaction took long. A day is
computed anew when that happens, and so is every day after it, whose deferred revenue it changes.
Hence the days' `computed_at` never decreases from one day to the next: a day that breaks this is due,
and work that was interrupted goes on where it ended.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db.models import Min, Sum

from payments.ledger.days import ladder, queries
from payments.ledger.days.ladder import Ladder
from payments.models import MoneyDay
from viewers.models import Environment

logger = logging.getLogger(__name__)

#: An advisory lock, so that one worker computes at a time.
LOCK = 4_180_322_957

DAY = timedelta(days=1)
#: A day is computed so long after its end.
OVER_FOR = timedelta(hours=1)
#: A transaction may commit so long after it drew its ids. Until then a day is not computed twice.
SETTLES = timedelta(minutes=1)
#: So often it is written down that nothing came in late, lest more and more postings be looked at.
VOUCHED_EVERY = timedelta(minutes=10)

#: The columns of a day that its ladder fills.
RUNGS = (
    "gross_micros",
    "tax_micros",
    "fee_micros",
    "refunds_micros",
    "net_micros",
    "coins_micros",
    "breakage_micros",
    "difference_micros",
    "passes_micros",
    "ads_micros",
    "recognised_micros",
    "deferred_micros",
    "titles_micros",
    "unattributed_micros",
)


def close_next(*, now: datetime) -> int:
    """Computes the earliest day that is due, in every environment; returns how many, 0 or 1.

    `now` is real time. The caller holds LOCK.
    """
    computed = dict(MoneyDay.objects.values_list("day").annotate(Min("computed_at")))
    last = local_date(now - OVER_FOR) - DAY
    newest = max(computed.values(), default=None)
    late = queries.earliest(
        posted_since=newest - SETTLES if newest else None, before=day_starts_at(last + DAY)
    )
    late_day = local_date(late) if late else None
    due = _due(computed, late_day, last=last, now=now)
    if due is not None:
        close(due, now=now)
        return 1
    if newest is not None and late is None and newest <= now - VOUCHED_EVERY:
        MoneyDay.objects.filter(day=max(computed)).update(computed_at=now)
    return 0


def close(day: date, *, now: datetime) -> Sequence[MoneyDay]:
    """Computes a day in every environment and keeps what was found; `now` is real time.

    Each violation is kept with the day and logged as an error.
    """
    rows = [_row(environment, day, now=now) for environment in Environment.values]
    MoneyDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["environment", "day"],
        update_fields=[*RUNGS, "violations", "computed_at"],
    )
    for row in rows:
        for violation in row.violations:
            logger.error("money of %s, %s: %s", row.day, row.environment, violation)
    return rows


def local_date(moment: datetime) -> date:
    """The day of the reporting zone that a moment lies in."""
    return moment.astimezone(settings.REPORTING_ZONE).date()


def day_starts_at(day: date) -> datetime:
    """The first moment of a day of the reporting zone."""
    return datetime.combine(day, time.min, settings.REPORTING_ZONE)


def _due(
    computed: Mapping[date, datetime], late_day: date | None, *, last: date, now: datetime
) -> date | None:
    known = [*computed, *([late_day] if late_day else [])]
    if not known:
        return None
    first = min(known)
    for day in (first + n * DAY for n in range((last - first).days + 1)):
        if day not in computed:
            return day
        if (day - DAY) in computed and computed[day] < computed[day - DAY]:
            return day
        if day == late_day and computed[day] <= now - SETTLES:
            return day
    return None


def _row(environment: str, day: date, *, now: datetime) -> MoneyDay:
    found = ladder.read(
        environment=environment, start=day_starts_at(day), end=day_starts_at(day + DAY)
    )
    return MoneyDay(
        environment=environment,
        day=day,
        **{rung: getattr(found, rung) for rung in RUNGS},
        violations=[*ladder.violations(found), *_breaks(found, environment, day)],
        computed_at=now,
    )


def _breaks(found: Ladder, environment: str, day: date) -> Sequence[str]:
    """Where the day does not follow from the days before it, unless these are about to change."""
    before = MoneyDay.objects.filter(environment=environment, day__lt=day)
    previous = before.order_by("-day").first()
    known_at = previous.computed_at - SETTLES if previous else None
    if queries.earliest(posted_since=known_at, before=day_starts_at(day)):
        return []
    told = []
    deferred = previous.deferred_micros if previous else 0
    if found.deferred_before_micros != deferred:
        told.append(
            f"The day begins with {found.deferred_before_micros} micros of deferred revenue by lots and"
            f" covers, but the day before ended with {deferred}."
        )
    sums = before.aggregate(
        net=Sum("net_micros", default=0),
        recognised=Sum("recognised_micros", default=0),
        ads=Sum("ads_micros", default=0),
    )
    net = sums["net"] + found.net_micros
    earned = sums["recognised"] - sums["ads"] + found.earned_micros
    if net != earned + found.deferred_micros:
        told.append(
            f"Net billings were {net} micros so far, but {earned} were recognised and"
            f" {found.deferred_micros} are deferred."
        )
    return told
