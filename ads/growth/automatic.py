"""Tasks that are given as soon as enough was watched."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F

from ads.growth import claims, offered, periods
from ads.growth.offered import Caller
from ads.models import Task, WatchDay
from viewers.models import Device

SETTLED_AT_ONCE = 200


def settle(*, now: datetime) -> int:
    """Gives what is due to some of those who have watched since; returns how many rows it looked at.

    What was watched on a day counts for that day's periods, though it may be known only after midnight.
    """
    due = WatchDay.objects.filter(seconds__gt=F("settled_seconds")).order_by("day")
    found = list(due[:SETTLED_AT_ONCE])
    automatic = list(offered.on(now=now).filter(is_automatic=True).select_related("campaign"))
    devices = _devices(found) if automatic else {}
    for row in found:
        if (device := devices.get(row.viewer_id)) is not None:
            _give(Caller(device.viewer, device, row.environment), automatic, row, now=now)
        # What was watched meanwhile is more than this, and due again.
        WatchDay.objects.filter(id=row.id).update(settled_seconds=row.seconds)
    return len(found)


def _devices(rows: Sequence[WatchDay]) -> Mapping[UUID, Device]:
    """By viewer, the device that they came with last; none for who is gone."""
    found = Device.objects.filter(
        viewer_id__in={row.viewer_id for row in rows}, viewer__erased_at=None
    )
    return {device.viewer_id: device for device in found.select_related("viewer").order_by("id")}


def _give(caller: Caller, tasks: Sequence[Task], row: WatchDay, *, now: datetime) -> None:
    """What is reached and not yet had; the rest is asked again when more was watched."""
    moment = min(now, periods.last_moment(row.day))
    meant = [task for task in tasks if offered.is_for(task.campaign, caller, now)]
    for standing in offered.standings(caller, meant, now=moment):
        begun_before = standing.task.starts_at < standing.window.ends_at
        if standing.is_reached and standing.claim is None and begun_before:
            claims.give(caller, standing.task, standing.window, now=now)
