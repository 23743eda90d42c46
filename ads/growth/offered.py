"""Which tasks a viewer is offered, and how far they are with each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from ads.growth import periods
from ads.growth.periods import Window
from ads.models import Task, TaskCampaign, TaskClaim, TaskKind, WatchDay
from viewers.models import Device, Viewer

_PROGRESS = """
    SELECT task.id, ads_task_progress(task, %s, %s, asked.first_day, asked.until_day,
                                      asked.starts_at, asked.ends_at)
    FROM unnest(%s::uuid[], %s::date[], %s::date[], %s::timestamptz[], %s::timestamptz[])
        AS asked(task_id, first_day, until_day, starts_at, ends_at)
    JOIN ads_task task ON task.id = asked.task_id
"""


@dataclass(frozen=True)
class Caller:
    """Who asks, from which device."""

    viewer: Viewer
    device: Device
    environment: str


@dataclass(frozen=True)
class Standing:
    """A viewer in front of a task, in the period of that moment."""

    task: Task
    window: Window
    progress_count: int
    claim: TaskClaim | None

    @property
    def is_reached(self) -> bool:
        """Whether there is enough of it for a claim."""
        return self.progress_count >= self.task.target_count


def tasks(caller: Caller, *, now: datetime) -> Sequence[Task]:
    """The tasks that are on and meant for this viewer on this device, in their order, with their texts."""
    found = on(now=now).select_related("campaign").prefetch_related("texts", "days")
    return [task for task in found if is_for(task.campaign, caller, now)]


def find(caller: Caller, *, code: str, now: datetime) -> Task | None:
    """The one of this code, if the viewer is offered it."""
    task = on(now=now).select_related("campaign").filter(code=code).first()
    return task if task is not None and is_for(task.campaign, caller, now) else None


def on(*, now: datetime) -> QuerySet[Task]:
    """All tasks that are on at a moment."""
    return Task.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now), is_active=True, starts_at__lte=now
    )


def is_for(campaign: TaskCampaign | None, caller: Caller, now: datetime) -> bool:
    """Whether a campaign is on and means this viewer on this device; a task of none is everybody's."""
    if campaign is None:
        return True
    if campaign.starts_at > now or (campaign.ends_at is not None and campaign.ends_at <= now):
        return False
    if campaign.regions and caller.viewer.region not in campaign.regions:
        return False
    if campaign.platforms and caller.device.platform not in campaign.platforms:
        return False
    if campaign.new_viewer_days is None:
        return True
    return now < caller.viewer.created_at + timedelta(days=campaign.new_viewer_days)


def standings(caller: Caller, offered: Sequence[Task], *, now: datetime) -> Sequence[Standing]:
    """How the viewer stands before each of these, check-ins apart, in two queries."""
    windows = {
        task: periods.window(task.period, at=now)
        for task in offered
        if task.kind != TaskKind.CHECK_IN
    }
    if not windows:
        return []
    progress = _progress(caller, windows)
    claims = TaskClaim.objects.filter(
        viewer_id=caller.viewer.id,
        environment=caller.environment,
        period__in={window.key for window in windows.values()},
    )
    claimed = {(claim.task_id, claim.period): claim for claim in claims}
    return [
        Standing(task, window, progress[task.id], claimed.get((task.id, window.key)))
        for task, window in windows.items()
    ]


def watched_seconds(*, viewer_id: UUID, environment: str, now: datetime) -> int:
    """What the viewer has verifiably watched today, by the reporting zone."""
    today = periods.window("daily", at=now)
    found = WatchDay.objects.filter(
        viewer_id=viewer_id, environment=environment, day=today.first_day
    )
    seconds: int = found.aggregate(total=Sum("seconds", default=0))["total"]
    return seconds


def _progress(caller: Caller, windows: dict[Task, Window]) -> dict[UUID, int]:
    columns: list[list[Any]] = [
        [task.id for task in windows],
        [each.first_day for each in windows.values()],
        [each.until_day for each in windows.values()],
        [each.starts_at for each in windows.values()],
        [each.ends_at for each in windows.values()],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, [caller.viewer.id, caller.environment, *columns])
        return dict(cursor.fetchall())
