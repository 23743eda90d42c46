"""What the lake needs now and then, and when it was last done."""

from datetime import datetime, timedelta

from analytics.models import LakeChore


def is_due(name: str, *, every: timedelta, now: datetime) -> bool:
    """Whether it was not done for so long."""
    return not LakeChore.objects.filter(name=name, done_at__gt=now - every).exists()


def note(name: str, *, now: datetime) -> None:
    """It was done at `now`."""
    LakeChore.objects.update_or_create(name=name, defaults={"done_at": now})
