"""Filling hours: what lake or ledger has of them takes the place of what was there, in one transaction.

Counting stands between two transactions. The first takes the hours under a lease; the second replaces
their values and says how far they are filled, if the lease is still held. Whoever dies in between has
changed nothing, and when the lease has lapsed another counts the hours again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from analytics.models import RollupHour, RollupValue
from analytics.reports import sources
from analytics.reports.sources import Source
from analytics.rollups import hours, metrics, slices, statements
from analytics.rollups.hours import Claim
from analytics.rollups.metrics import QUERIES, Basis
from analytics.rollups.statements import Row

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has taken the hours over; what it counts stands."""


@dataclass(frozen=True)
class Counted:
    """What a claim's hours came to, and up to when what they were counted from was complete."""

    claim: Claim
    values: Sequence[RollupValue]
    watermark: datetime

    @property
    def complete_to(self) -> datetime:
        """The beginning of the last hour of which everything is in the values."""
        return self.watermark - slices.HOUR - self.claim.query.settles


def fill_ledger(*, now: datetime) -> int:
    """Fills some of the hours of money that are due; returns how many, 0 where nothing could be filled."""
    return sum(
        _recorded(claim, lambda claim: count_ledger(claim, now=now), now=now)
        for claim in _claims(Basis.LEDGER, now=now)
    )


def fill_lake(*, now: datetime) -> int:
    """The same of what apps reported."""
    claims = _claims(Basis.LAKE, now=now)
    if not claims:
        return 0
    # Opened after the claims: whatever made these hours due is in the files that it reads.
    with sources.opened(now=now) as source:
        return sum(
            _recorded(claim, lambda claim: count_lake(claim, source=source), now=now)
            for claim in claims
        )


def _claims(basis: Basis, *, now: datetime) -> Sequence[Claim]:
    own = (query for query in QUERIES if query.basis is basis)
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
    return Counted(claim, _values(claim, rows), now - hours.COMMITTED_WITHIN)


def count_lake(claim: Claim, *, source: Source) -> Counted:
    """What the lake has of the hours; nothing yet of those whose windows are not over in it."""
    rows = statements.read_lake(claim.query, source=source, since=claim.since, until=claim.until)
    counted = Counted(claim, _values(claim, rows), source.watermark)
    if not claim.query.settles:
        return counted
    settled = [each for each in counted.values if each.hour.hour <= counted.complete_to]
    return replace(counted, values=settled)


_END = """
    UPDATE analytics_rolluphour AS hour
    SET leased_until = NULL, filled_at = %(now)s, watermark = %(watermark)s,
        definition = metric.definition,
        state = CASE WHEN hour.hour > %(complete_to)s THEN 'waiting'
                     WHEN hour.marks <> claimed.marks THEN 'reopened' ELSE 'filled' END,
        due_at = CASE WHEN hour.hour > %(complete_to)s OR hour.marks <> claimed.marks
                      THEN %(again_at)s::timestamptz END
    FROM unnest(%(ids)s::bigint[], %(marks)s::bigint[]) AS claimed (id, marks),
         unnest(%(names)s::text[], %(definitions)s::text[]) AS metric (name, definition)
    WHERE hour.id = claimed.id AND metric.name = hour.metric
"""


def record(counted: Counted, *, now: datetime) -> None:
    """Replaces what the hours had by what was counted. Raises LeaseLost, with nothing changed.

    An hour of which something changed since it was claimed stays due.
    """
    claim = counted.claim
    ids = [each.id for each in claim.hours.values()]
    given = _given(counted, now=now)
    with transaction.atomic(durable=True):
        ours = RollupHour.objects.filter(id__in=ids, leased_until=claim.leased_until)
        # In the order in which they are marked.
        held = ours.order_by("metric", "hour").select_for_update().values_list("id", flat=True)
        if len(held) < len(ids):
            raise LeaseLost(claim.query.name)
        RollupValue.objects.filter(hour__in=ids).delete()
        RollupValue.objects.bulk_create(counted.values, batch_size=2000)
        with connection.cursor() as cursor:
            cursor.execute(_END, given)


def _given(counted: Counted, *, now: datetime) -> dict[str, Any]:
    """What ends the hours of a claim, with the definitions that they were counted by."""
    own = metrics.of_query(counted.claim.query)
    zone = settings.REPORTING_ZONE.key
    claimed = counted.claim.hours.values()
    return {
        "now": now,
        "watermark": counted.watermark,
        "again_at": now + timedelta(seconds=settings.ROLLUP_REFRESH_SECONDS),
        "complete_to": counted.complete_to,
        "ids": [each.id for each in claimed],
        "marks": [each.marks for each in claimed],
        "names": [metric.name for metric in own],
        "definitions": [metric.definition(zone) for metric in own],
    }


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
