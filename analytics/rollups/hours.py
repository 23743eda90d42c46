"""Hours of rollups: that they exist, that they are due when something changed, and who has them in hand.

An hour is due from the moment at which it begins, and from then on as long as it lasts; when a file with
events of it was published; when money was posted for it, whenever that was; when the definition of its
metric changed; when somebody who has events in it was flagged, or is no longer; when a comparison with the
ledger found it wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, Q

from analytics.lake import horizon
from analytics.lake.datasets import EVENTS
from analytics.models import (
    ChangedHour,
    FillState,
    LakeFile,
    PostingsRead,
    RollupHour,
    RollupValue,
)
from analytics.reports import local_days
from analytics.rollups import flagged, metrics, slices
from analytics.rollups.metrics import METRICS, QUERIES, Basis, Query, Reach
from analytics.rollups.slices import HOUR
from payments.ledger.days import queries

#: An advisory lock, so that one worker looks for what is due at a time.
LOCK = 7_326_411_930

#: Nothing of ours is older.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
CHANGES_AT_ONCE = 2000
#: Of each metric.
PRUNED_AT_ONCE = 200
#: A posting carries the moment at which its request began, and an id drawn while it was written. Hardly a request
#: or task takes longer than this, so what is older counts as committed; what is not reopens its hour.
COMMITTED_WITHIN = timedelta(minutes=2)

_MARK = """
    INSERT INTO analytics_rolluphour AS known (metric, hour, state, marks, due_at, definition)
    SELECT name, hour, 'waiting', 1, greatest(%(now)s, hour + %(due_after)s), ''
    FROM unnest(%(names)s::text[]) AS name
    CROSS JOIN unnest(%(hours)s::timestamptz[]) AS hour
    ORDER BY name, hour
    ON CONFLICT (metric, hour) DO UPDATE
    SET marks = known.marks + 1,
        state = CASE known.state WHEN 'filled' THEN 'reopened' ELSE known.state END,
        due_at = greatest(EXCLUDED.due_at, known.filled_at + %(refresh)s)
    -- What is due already, and in nobody's hands, stays as it is.
    WHERE known.leased_until IS NOT NULL OR known.due_at IS NULL
       OR known.due_at > greatest(EXCLUDED.due_at, known.filled_at + %(refresh)s)
"""


@dataclass(frozen=True)
class Claim:
    """Hours of the metrics of one query in hand, with what was known of them, until the lease lapses."""

    query: Query
    hours: Mapping[tuple[str, datetime], RollupHour]
    leased_until: datetime

    @property
    def since(self) -> datetime:
        """The beginning of the first of them."""
        return min(hour for _, hour in self.hours)

    @property
    def until(self) -> datetime:
        """The end of the last of them."""
        return max(hour for _, hour in self.hours) + HOUR


def sweep(*, now: datetime) -> None:
    """Makes due whatever is; `now` is real time. The caller holds LOCK."""
    extend(now=now)
    take_changes(now=now)
    take_postings(now=now)
    take_flags(now=now)
    renew(now=now)


def extend(*, now: datetime) -> int:
    """Makes the hours up to the present one where they are missing; returns how many.

    Those of a metric that has none begin with the first event or posting that there is.
    """
    last = slices.hour_of(now)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS"
            " (SELECT FROM analytics_rolluphour WHERE metric = name)",
            [list(METRICS)],
        )
        is_new = bool(cursor.fetchall())
        first = beginning(now=now) if is_new else last
        cursor.execute(
            """
            INSERT INTO analytics_rolluphour (metric, hour, state, marks, due_at, definition)
            SELECT name, hour, 'waiting', 0, hour + settles, ''
            FROM unnest(%(names)s::text[], %(settles)s::interval[]) AS metric (name, settles)
            CROSS JOIN LATERAL generate_series(
                coalesce((SELECT max(hour) + interval '1 hour' FROM analytics_rolluphour
                          WHERE metric = name), %(first)s),
                %(last)s, interval '1 hour') AS hour
            ON CONFLICT DO NOTHING
            """,
            {
                "names": list(METRICS),
                "settles": [_due_after(metric.query) for metric in METRICS.values()],
                "first": first,
                "last": last,
            },
        )
        return int(cursor.rowcount)


def beginning(*, now: datetime) -> datetime:
    """The hour of the first event or posting that there is and that is kept; the present one without any."""
    event_at = _lake_begins_at()
    posted_at = queries.earliest(posted_since=None, before=now)
    found = [moment for moment in (event_at, posted_at) if moment is not None]
    return max(slices.hour_of(min([*found, now])), EARLIEST, slices.hour_of(kept_from(now=now)))


def kept_from(*, now: datetime) -> datetime:
    """The first moment of the first local day that is kept."""
    zone = settings.REPORTING_ZONE
    today = local_days.local_date(now, zone=zone)
    return local_days.midnight(today - timedelta(days=settings.ROLLUP_KEPT_DAYS), zone=zone)


def prune(*, now: datetime) -> int:
    """Deletes hours of days that are kept no longer, with their values, the oldest first; returns how many.

    Not all at once, and again when it is called again.
    """
    outdated = slices.hour_of(kept_from(now=now))
    total = 0
    for name in METRICS:
        with transaction.atomic(durable=True):
            old = RollupHour.objects.filter(metric=name, hour__lt=outdated).order_by(
                "metric", "hour"
            )
            ids = list(old.select_for_update().values_list("id", flat=True)[:PRUNED_AT_ONCE])
            RollupValue.objects.filter(hour__in=ids).delete()
            RollupHour.objects.filter(id__in=ids).delete()
        total += len(ids)
    return total


def take_changes(*, now: datetime) -> int:
    """Makes due what published files have events of; returns how many hours were told of."""
    total = 0
    while taken := _take_some(now=now):
        total += taken
    return total


def _take_some(*, now: datetime) -> int:
    with transaction.atomic(durable=True):
        changes = ChangedHour.objects.order_by("id").select_for_update(skip_locked=True)
        taken = list(changes[:CHANGES_AT_ONCE])
        told = {change for change in taken if change.hour >= EARLIEST}
        in_time = {change.hour for change in told if not change.is_late}
        for query in QUERIES:
            if query.basis is Basis.LAKE:
                of_it = in_time | {change.hour for change in told if query.reach is Reach.LATE}
                mark([metric.name for metric in metrics.of_query(query)], of_it, now=now)
        ChangedHour.objects.filter(id__in=[change.id for change in taken]).delete()
    return len(taken)


def take_postings(*, now: datetime) -> int:
    """Makes due the hours that money was posted for since the last time; `now` is real time.

    Looks back over what may have been committed late: to before every transaction that was in flight the last
    time. Money is posted for past hours where clocks are simulated.
    """
    # Read before what it is a bound of: what begins in between draws later ids.
    all_there = horizon.of_money()
    with transaction.atomic():
        read, _ = PostingsRead.objects.select_for_update().get_or_create(
            id=1, defaults={"read_until": now}
        )
        found = set(queries.hours(posted_since=read.read_until - COMMITTED_WITHIN))
        for query in QUERIES:
            if query.basis is Basis.LEDGER:
                mark([metric.name for metric in metrics.of_query(query)], found, now=now)
        read.read_until = max(read.read_until, min(now, all_there))
        read.save()
    return len(found)


def take_flags(*, now: datetime) -> int:
    """Makes due what the lake has of viewers and playbacks that were flagged, or are no longer, since the last
    time; returns how many hours. The whole lake is looked through for them. Money is the ledger's, flagged or
    not.
    """
    flags = flagged.changed()
    if not flags:
        return 0
    found = flagged.hours_of(flags)
    with transaction.atomic(durable=True):
        for query in QUERIES:
            if query.basis is Basis.LAKE:
                mark([metric.name for metric in metrics.of_query(query)], found, now=now)
        flagged.note(flags)
    return len(found)


def mark(names: Sequence[str], hours: set[datetime], *, now: datetime) -> None:
    """Makes hours of metrics of one query due, with all that hang on them, whether they exist or not, if they
    are kept.

    What waits for its time goes on to wait, and what was filled a moment ago is filled again no earlier than
    ROLLUP_REFRESH_SECONDS after that. To be called in the transaction that knows of the change.
    """
    if not names or not hours:
        return
    query = METRICS[names[0]].query
    kept = slices.hour_of(kept_from(now=now))
    given: dict[str, Any] = {
        "now": now,
        "names": sorted(names),
        "hours": sorted(hour for hour in _reached(query, hours, now=now) if hour >= kept),
        "due_after": _due_after(query),
        "refresh": timedelta(seconds=settings.ROLLUP_REFRESH_SECONDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_MARK, given)


def renew(*, now: datetime) -> int:
    """Makes due what was filled by another definition than the present one; returns how many hours.

    Where the lake begins later than it did, what was counted before that stays: it could not be counted
    again.
    """
    lake_from = _lake_begins_at()
    total = 0
    for metric in METRICS.values():
        current = metric.definition(settings.REPORTING_ZONE.key)
        others = Q(definition__gt=current) | Q(definition__lt=current, definition__gt="")
        outdated = RollupHour.objects.filter(others, metric=metric.name, state=FillState.FILLED)
        if metric.basis is Basis.LAKE and lake_from is not None:
            outdated = outdated.filter(hour__gte=slices.hour_of(lake_from))
        hours = set(outdated.values_list("hour", flat=True))
        with transaction.atomic(durable=True):
            mark([metric.name], hours, now=now)
        total += len(hours)
    return total


def claim(query: Query, *, now: datetime) -> Claim | None:
    """The latest hours of a query that are due and in nobody's hands, or None."""
    leased_until = now + timedelta(seconds=settings.ROLLUP_LEASE_SECONDS)
    names = [metric.name for metric in metrics.of_query(query)]
    with transaction.atomic(durable=True):
        due = RollupHour.objects.filter(
            Q(leased_until=None) | Q(leased_until__lte=now), metric__in=names, due_at__lte=now
        ).order_by("-hour", "metric")
        found = list(due.select_for_update(skip_locked=True)[: query.hours_at_once * len(names)])
        if not found:
            return None
        after = found[0].hour - query.hours_at_once * HOUR
        taken = [each for each in found if each.hour > after]
        RollupHour.objects.filter(id__in=[each.id for each in taken]).update(
            leased_until=leased_until
        )
    return Claim(query, {(each.metric, each.hour): each for each in taken}, leased_until)


def _due_after(query: Query) -> timedelta:
    """How long after its beginning an hour is due at first: at once, if it shows as it grows."""
    return HOUR + query.settles if query.settles else timedelta()


def _reached(query: Query, hours: set[datetime], *, now: datetime) -> set[datetime]:
    """The hours that change with these."""
    if query.reach is not Reach.ONWARDS:
        return hours
    first, last = min(hours), max(slices.hour_of(now), max(hours))
    if query.settles:
        # What is filled of it already can have been changed by what followed within that time.
        own = [metric.name for metric in metrics.of_query(query)][:1]
        known = RollupHour.objects.filter(metric__in=own).aggregate(at=Min("hour"))["at"]
        first = min(first, max(first - query.settles, known or first))
    return {first + number * HOUR for number in range((last - first) // HOUR + 1)}


def _lake_begins_at() -> datetime | None:
    """The moment of the first event that there is in the lake."""
    events = LakeFile.objects.filter(dataset=EVENTS.name, retired_at=None)
    first: datetime | None = events.aggregate(at=Min("first_at"))["at"]
    return first
