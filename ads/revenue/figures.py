"""What a network's day came to at each placement, as its page tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection

from ads.models import RevenueDay
from ads.revenue import days

_AT_PLACEMENTS = """
    WITH earned AS (
        SELECT placement_id, 1 AS rewards, revenue_micros AS estimated, revenue_micros AS earned,
               0::bigint AS remainder
        FROM ads_reward
        WHERE network = %(network)s AND environment = %(environment)s
          AND created_at >= %(start)s AND created_at < %(end)s
        UNION ALL
        SELECT placement_id, 0, CASE WHEN basis = 'measured' THEN difference_micros ELSE 0 END,
               difference_micros,
               CASE WHEN reward_id IS NULL AND impression_id IS NULL THEN difference_micros ELSE 0 END
        FROM ads_earningcorrection
        WHERE revenue_day_id = %(id)s
    ), latest AS (
        SELECT DISTINCT ON (ad_unit_id, country) placement_id, estimated_micros, reported_micros
        FROM ads_trueup
        WHERE revenue_day_id = %(id)s
        ORDER BY ad_unit_id, country, number DESC
    ), sums AS (
        SELECT placement_id, coalesce(placement_id::text, '') AS key, sum(rewards) AS rewards, sum(estimated)::bigint AS estimated,
               sum(earned)::bigint AS earned, sum(remainder)::bigint AS remainder
        FROM earned GROUP BY placement_id
    ), reported AS (
        SELECT placement_id, coalesce(placement_id::text, '') AS key,
               sum(estimated_micros)::bigint AS compared,
               sum(reported_micros)::bigint AS reported
        FROM latest GROUP BY placement_id
    )
    SELECT placement.id, coalesce(placement.title, ''), coalesce(sums.rewards, 0),
           coalesce(sums.estimated, 0), coalesce(sums.earned, 0), coalesce(sums.remainder, 0),
           reported.compared, reported.reported
    FROM sums
    FULL JOIN reported USING (key)
    LEFT JOIN ads_placement AS placement
      ON placement.id = coalesce(sums.placement_id, reported.placement_id)
    ORDER BY placement.title NULLS LAST
"""


@dataclass(frozen=True)
class AtPlacement:
    """A placement's day, or that of what is of none. In micros of the reporting currency; `compared_micros` is
    what of the estimate the report is held against, None before there is one."""

    placement_id: UUID | None
    title: str
    reward_count: int
    estimated_micros: int
    earned_micros: int
    remainder_micros: int
    compared_micros: int | None
    reported_micros: int | None

    @property
    def factor(self) -> Decimal | None:
        """Reported ÷ estimated."""
        if not self.compared_micros or self.reported_micros is None:
            return None
        return Decimal(self.reported_micros) / self.compared_micros


def of_day(day: RevenueDay) -> Sequence[AtPlacement]:
    """What a day came to at each placement, what is of none last."""
    start, end = days.bounds(day.network, day.day)
    with connection.cursor() as cursor:
        cursor.execute(
            _AT_PLACEMENTS,
            {
                "id": day.id,
                "network": day.network,
                "environment": day.environment,
                "start": start,
                "end": end,
            },
        )
        return [AtPlacement(*row) for row in cursor.fetchall()]
