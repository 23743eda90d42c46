"""Rows of analytics for tests about something else."""

from datetime import datetime

import msgspec

from analytics.models import RankingSnapshot
from analytics.ranking.ranking import VERSION, Horizon, Ranking


def publish_empty_rankings(*, now: datetime) -> None:
    """A ranking of each horizon, of no title, if there is none of that moment yet."""
    for horizon in Horizon:
        body = Ranking(
            definition=[],
            reporting_zone="UTC",
            watermark=now,
            filters={},
            population=[],
            engine="none",
            version=VERSION,
            horizon=horizon,
            currency="USD",
            titles=[],
            total_starts=None,
            total_revenue_micros=None,
        )
        RankingSnapshot.objects.get_or_create(
            definition=VERSION,
            horizon_hours=horizon.hours,
            watermark=now,
            defaults={"created_at": now, "basis": "-", "body": msgspec.json.encode(body)},
        )
