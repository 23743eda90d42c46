"""What stands below a plot: how far its rollups are filled, and what they count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from analytics.rollups import reading
from analytics.rollups.metrics import METRICS, Metric


@dataclass(frozen=True)
class Notes:
    """Everything before `as_of` is counted in all metrics, but for what hours being corrected will add."""

    as_of: datetime | None
    waiting_hours: int
    reopened_hours: int
    zone: str
    metrics: Sequence[Metric]


def notes(names: Sequence[str], *, since: datetime, until: datetime) -> Notes:
    """Of metrics that one plot shows together."""
    fills = reading.fills(names, since=since, until=until).values()
    known = [fill.as_of for fill in fills if fill.as_of is not None]
    return Notes(
        as_of=min(known) if len(known) == len(fills) else None,
        waiting_hours=max(fill.waiting_hours for fill in fills),
        reopened_hours=max(fill.reopened_hours for fill in fills),
        zone=settings.REPORTING_ZONE.key,
        metrics=[METRICS[name] for name in names],
    )
