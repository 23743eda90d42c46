"""Estimates against reports: what became known of a network's day is booked, as often as more does."""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import Error, connection, transaction

from ads.models import Impression, RevenueDay
from ads.revenue import days

logger = logging.getLogger(__name__)

#: A day is settled at most once a minute. What was received in the minute before may not have been seen. Nobody is
#: heard of an impression that is older than three days, so of days of long ago only reports are looked for.
_DUE = """
    SELECT network, environment, day
    FROM ads_revenueday AS known
    WHERE settled_at IS NULL
       OR settled_at <= %(now)s - interval '1 minute' AND (
          reported_at >= settled_at
          OR waits_until <= %(now)s
          OR known.day >= %(now)s::date - 8 AND (EXISTS (
              SELECT FROM ads_impression AS impression
              WHERE impression.network = known.network
                AND impression.environment = known.environment
                AND impression.received_at >= known.settled_at - interval '1 minute'
                AND impression.occurred_at >= known.day - 2 AND impression.occurred_at < known.day + 3)
          OR EXISTS (
              SELECT FROM ads_reward AS reward
              WHERE reward.network = known.network AND reward.environment = known.environment
                AND reward.created_at >= known.settled_at - interval '1 minute'
                AND reward.created_at >= known.day - 2 AND reward.created_at < known.day + 3)))
    ORDER BY settled_at NULLS FIRST, day
    LIMIT %(limit)s
"""
_SETTLE = "SELECT ads_settle_revenue(%s, %s, %s, %s, %s, %s)"
_STATEMENT_SECONDS = 40
#: So many days in a sweep.
AT_ONCE = 20


def settle_due(*, now: datetime, limit: int = AT_ONCE) -> int:
    """Settles the days of which something became known since they were last; returns how many corrections
    were booked. Each day is a transaction of its own: one that fails is logged, and keeps no other from it."""
    return sum(_settled(found, now) for found in due(now=now, limit=limit))


def due(*, now: datetime, limit: int = AT_ONCE) -> Sequence[tuple[str, str, date]]:
    """Network, environment and day of what is to be settled, what has waited longest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now, "limit": limit})
        found: list[tuple[str, str, date]] = cursor.fetchall()
        return found


def settle(network: str, environment: str, day: date, *, now: datetime) -> int:
    """Books what became known of a day that is expected; safe to repeat. Returns how many corrections that
    were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        cursor.execute(_SETTLE, [network, environment, day, *days.bounds(network, day), now])
        (written,) = cursor.fetchone()
    return int(written)


def look_again(session_id: UUID, *, now: datetime) -> None:
    """Has the days settled once more on which a session's ads were shown: it was rewarded long after them."""
    shown = Impression.objects.filter(session_id=session_id)
    for network, environment, at in shown.values_list("network", "environment", "occurred_at"):
        RevenueDay.objects.filter(
            network=network, environment=environment, day=days.of(network, at)
        ).update(waits_until=now)


def _settled(found: tuple[str, str, date], now: datetime) -> int:
    try:
        return settle(*found, now=now)
    except Error:
        logger.exception("%s of %s (%s) was not settled", found[2], found[0], found[1])
        return 0
