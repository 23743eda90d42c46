"""Tasks that are given as soon as enough was watched."""

from datetime import datetime

from django.db.models import F

from ads.growth import claims, offered
from ads.growth.claims import TaskBudgetSpent, TaskNotReached, TaskPeriodOver, TaskUnknown
from ads.growth.offered import Caller
from ads.models import WatchDay
from viewers.models import Device

SETTLED_AT_ONCE = 200


def settle(*, now: datetime) -> int:
    """Gives what is due to some of those who have watched since; returns how many rows it looked at."""
    due = WatchDay.objects.filter(seconds__gt=F("settled_seconds")).order_by("day")
    found = list(due[:SETTLED_AT_ONCE])
    automatic = list(offered.on(now=now).filter(is_automatic=True).values_list("code", flat=True))
    for row in found:
        if automatic and (caller := _caller(row)) is not None:
            for code in automatic:
                _give(caller, code, now)
        # What was watched meanwhile is more than this, and due again.
        WatchDay.objects.filter(id=row.id).update(settled_seconds=row.seconds)
    return len(found)


def _caller(row: WatchDay) -> Caller | None:
    """The viewer on the device that they came with last; None who is gone."""
    device = (
        Device.objects.filter(viewer_id=row.viewer_id, viewer__erased_at=None)
        .select_related("viewer")
        .order_by("-id")
        .first()
    )
    return Caller(device.viewer, device, row.environment) if device else None


def _give(caller: Caller, code: str, now: datetime) -> None:
    try:
        claims.claim(caller, code=code, period=None, address=None, now=now)
    except (TaskUnknown, TaskNotReached, TaskPeriodOver, TaskBudgetSpent):
        # Not for this viewer, or not yet: it is asked again when more was watched.
        return
