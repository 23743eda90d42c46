"""Filling hours: what lake or ledger has of them takes the place of what was there, in one transaction.

Counting stands between two transactions. The first takes the hours under a lease; the second replaces
their values and says how far they are filled, if the lease is still held. Whoever dies in between has
changed nothing, and when the lease has lapsed another counts the hours again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, transaction

from analytics.models import FillState, RollupHour, RollupValue
from analytics.reports import sources
from analytics.reports.sources import Source
from analytics.rollups import hours, metrics, slices, statements
from analytics.rollups.hours import Claim
from analytics.rollups.metrics import METRICS, QUERIES, Origin
from analytics.rollups.statements import Row

logger = logging.getLogger(__name__)

#: A posting carries the moment at which its request began. No request or task takes longer than this, so
#: what was posted before it is committed.
COMMITTED_WITHIN = timedelta(minutes=2)


class LeaseLost(Exception):
    """Another worker has taken the hours over; what it counts stands."""


@dataclass(frozen=True)
class Counted:
    """What a claim's hours came to, and up to when what they were counted from was complete."""

    claim: Claim
    values: Sequence[RollupValue]
    watermark: datetime


def fill_ledger(*, now: datetime) -> int:
    """Fills some of the hours of money that are due; returns how many, 0 where nothing could be filled."""
    return sum(
        _recorded(claim, lambda claim: count_ledger(claim, now=now), now=now)
        for claim in _claims(Origin.LEDGER, now=now)
    )


def fill_lake(*, now: datetime) -> int:
    """The same of what apps reported."""
    claims = _claims(Origin.LAKE, now=now)
    if not claims:
        return 0
    # Opened after the claims: whatever made these hours due is in the files that it reads.
    with sources.opened(now=now) as source:
        return sum(
            _recorded(claim, lambda claim: count_lake(claim, source=source), now=now)
            for claim in claims
        )


def _claims(origin: Origin, *, now: datetime) -> Sequence[Claim]:
    own = (query for query in QUERIES if query.origin is origin)
    return [found for query in own if (found := hours.claim(query, now=now)) is not None]


def _recorded(claim: Claim, count: Callable[[Claim], "Counted"], *, now: datetime) -> int:
    """How many hours were filled: none if they could not be counted, and are due when the lease lapses."""
    # Not at import: see analytics.lake.engine.
    import duckdb

    try:
        record(count(claim), now=now)
    except LeaseLost:
        logger.warning("%s took so long that another worker has its hours", claim.query.name)
    except (duckdb.Error, OperationalError):
        # One query that is too much for the engine, or for its time, keeps none of the others waiting.
        logger.exception("%s could not be counted", claim.query.name)
    else:
        return len(claim.hours)
    return 0


def count_ledger(claim: Claim, *, now: datetime) -> Counted:
    """What the ledger has of the hours."""
    rows = statements.read_ledger(claim.query, since=claim.since, until=claim.until)
    return Counted(claim, _values(claim, rows), now - COMMITTED_WITHIN)


def count_lake(claim: Claim, *, source: Source) -> Counted:
    """What the lake has of the hours; nothing yet of those whose windows are not over in it."""
    rows = statements.read_lake(claim.query, source=source, since=claim.since, until=claim.until)
    counted = Counted(claim, _values(claim, rows), source.watermark)
    if not claim.query.settles:
        return counted
    settled = [value for value in counted.values if _is_complete(value.hour, source.watermark)]
    return Counted(claim, settled, source.watermark)


def record(counted: Counted, *, now: datetime) -> None:
    """Replaces what the hours had by what was counted. Raises LeaseLost, with nothing changed."""
    claim = counted.claim
    ids = [each.id for each in claim.hours.values()]
    with transaction.atomic(durable=True):
        ours = RollupHour.objects.filter(id__in=ids, leased_until=claim.leased_until)
        held = list(ours.order_by("metric", "hour").select_for_update())
        if len(held) < len(ids):
            raise LeaseLost(claim.query.name)
        RollupValue.objects.filter(hour__in=ids).delete()
        RollupValue.objects.bulk_create(counted.values, batch_size=2000)
        for hour in held:
            _end(hour, claim.hours[hour.metric, hour.hour], counted.watermark, now=now)
        RollupHour.objects.bulk_update(
            held,
            ["state", "due_at", "leased_until", "definition", "watermark", "filled_at"],
            batch_size=1000,
        )


def _end(hour: RollupHour, as_claimed: RollupHour, watermark: datetime, *, now: datetime) -> None:
    """How the hour stands after it was counted."""
    metric = METRICS[hour.metric]
    again_at = now + timedelta(seconds=settings.ROLLUP_REFRESH_SECONDS)
    hour.leased_until, hour.filled_at = None, now
    hour.definition = metric.definition(settings.REPORTING_ZONE.key)
    hour.watermark = watermark
    is_complete = _is_complete(hour, watermark)
    if hour.marks != as_claimed.marks:  # changed while it was counted
        hour.state = FillState.REOPENED if is_complete else FillState.WAITING
        hour.due_at = again_at
    elif is_complete:
        hour.state, hour.due_at = FillState.FILLED, None
    else:
        hour.state, hour.due_at = FillState.WAITING, again_at


def _is_complete(hour: RollupHour, watermark: datetime) -> bool:
    return watermark >= hours.settled_at(METRICS[hour.metric], hour.hour)


def _values(claim: Claim, rows: Iterable[Row]) -> Sequence[RollupValue]:
    """One value for each metric of each row, where its hour is in hand and it is not 0."""
    names = [metric.name for metric in metrics.of_query(claim.query)]
    values = []
    for row in rows:
        dimensions = {str(name): row[name] or "" for name in claim.query.dimensions}
        for name in names:
            hour = claim.hours.get((name, slices.hour_of(row["slice"])))
            if hour is not None and row[name]:
                values.append(
                    RollupValue(
                        hour=hour,
                        starts_at=row["slice"],
                        environment=row["environment"],
                        dimensions=dimensions,
                        value=row[name],
                    )
                )
    return values
