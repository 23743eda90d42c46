"""Reading rollups: sums over buckets of local time, and how far they are filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from analytics.rollups.slices import HOUR
from viewers.models import Environment

#: Metric, number of the bucket, and the value of the dimension that was asked for, or nothing.
Key = tuple[str, int, str]


@dataclass(frozen=True)
class Fill:
    """How far a metric is filled in a range. `as_of` is None before anything was."""

    as_of: datetime | None
    waiting_hours: int
    reopened_hours: int

    def covers(self, moment: datetime) -> bool:
        """True if everything before the moment is in the figures, but for what reopened hours will add."""
        return self.as_of is not None and moment <= self.as_of


def sums(
    names: Sequence[str],
    bounds: Sequence[datetime],
    *,
    environment: str = Environment.PRODUCTION,
    split: str | None = None,
) -> Mapping[Key, int]:
    """What each metric comes to in each bucket between two bounds that follow; buckets with 0 are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT hour.metric, width_bucket(value.starts_at, %(bounds)s::timestamptz[]) - 1 AS bucket,
                   coalesce(value.dimensions ->> %(split)s, '') AS part, sum(value.value)
            FROM analytics_rolluphour AS hour
            JOIN analytics_rollupvalue AS value ON value.hour_id = hour.id
            WHERE hour.metric = ANY(%(names)s)
              AND hour.hour > %(first)s::timestamptz - interval '1 hour' AND hour.hour < %(last)s
              AND value.starts_at >= %(first)s AND value.starts_at < %(last)s
              AND value.environment = %(environment)s
            GROUP BY hour.metric, bucket, part
            """,
            {
                "bounds": list(bounds),
                "first": bounds[0],
                "last": bounds[-1],
                "names": list(names),
                "split": split or "",
                "environment": environment,
            },
        )
        return {(name, bucket, part): int(total) for name, bucket, part, total in cursor}


_FILLS = """
    SELECT name, waits.hour, waits.watermark, coalesce(counted.waiting, 0),
           coalesce(counted.reopened, 0),
           (SELECT max(hour) FROM analytics_rolluphour WHERE metric = name)
    FROM unnest(%(names)s::text[]) AS name
    LEFT JOIN LATERAL (
        SELECT hour, watermark FROM analytics_rolluphour
        WHERE metric = name AND state = 'waiting' AND due_at IS NOT NULL
          AND hour > %(since)s::timestamptz - interval '1 hour' AND hour < %(until)s
        ORDER BY hour LIMIT 1
    ) AS waits ON true
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
               count(*) FILTER (WHERE state = 'reopened') AS reopened
        FROM analytics_rolluphour
        WHERE metric = name AND due_at IS NOT NULL
          AND hour > %(since)s::timestamptz - interval '1 hour' AND hour < %(until)s
    ) AS counted ON true
"""


def fills(names: Sequence[str], *, since: datetime, until: datetime) -> Mapping[str, Fill]:
    """How far each metric is filled from `since` on, at most to `until`.

    Reopened hours have what they had: they do not move `as_of`, and are counted beside it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _FILLS,
            {"names": list(names), "since": since, "until": until},
        )
        return {
            name: Fill(_as_of(waits_from, watermark, last, until), waiting, reopened)
            for name, waits_from, watermark, waiting, reopened, last in cursor
        }


def _as_of(
    waits_from: datetime | None,
    watermark: datetime | None,
    last: datetime | None,
    until: datetime,
) -> datetime | None:
    """The first hour that waits ends what is known: where it begins, or at its watermark within it."""
    if last is None:
        return None
    if waits_from is None:
        return min(until, last + HOUR)
    if watermark is None:
        return waits_from
    return max(waits_from, min(watermark, waits_from + HOUR))
