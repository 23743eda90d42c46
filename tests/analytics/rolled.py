"""Rollups filled as the tasks fill them, at a moment of the test's own, and what they hold."""

from collections.abc import Mapping
from datetime import datetime

from analytics.models import RollupValue
from analytics.rollups import filling, hours

#: Metric, the beginning of the slice, environment, and dimensions as text.
Held = Mapping[tuple[str, datetime, str, str], int]


def sweep(now: datetime) -> None:
    """What makes hours due."""
    hours.extend(now=now)
    hours.take_changes(now=now)
    hours.take_flags(now=now)
    hours.renew(now=now)


def fill(now: datetime) -> None:
    """Everything that is due at `now`."""
    sweep(now)
    while filling.fill_ledger(now=now) + filling.fill_lake(now=now):
        pass


def held() -> Held:
    """All values that there are."""
    rows = RollupValue.objects.select_related("hour")
    return {
        (
            row.hour.metric,
            row.starts_at,
            row.environment,
            " ".join(f"{name}={value}" for name, value in sorted(row.dimensions.items())),
        ): row.value
        for row in rows
    }
