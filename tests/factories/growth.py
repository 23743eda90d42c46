"""Tasks for tests, and what viewers do for them, through the same doors as real ones."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import factory
import numpy as np
from factory.django import DjangoModelFactory

from ads.growth import claims, referrals, watching
from ads.growth.claims import Claimed
from ads.growth.offered import Caller
from ads.growth.watching import Stretches
from ads.models import CheckInDay, Invite, Task, TaskCampaign, TaskKind, TaskPeriod, TaskText
from tests.factories.viewers import DeviceFactory
from viewers.models import Device

PAST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class TaskCampaignFactory(DjangoModelFactory[TaskCampaign]):
    class Meta:
        model = TaskCampaign

    name = factory.Sequence(lambda n: f"campaign {n}")
    budget_coins = 1000
    starts_at = PAST
    created_at = PAST


class TaskFactory(DjangoModelFactory[Task]):
    """Five minutes a day for 18 coins that last eight days."""

    class Meta:
        model = Task

    code = factory.Sequence(lambda n: f"task-{n}")
    kind = TaskKind.WATCH
    period = TaskPeriod.DAILY
    target_count = 300
    bonus_coins = 18
    coins_expire_after_days = 8
    starts_at = PAST
    created_at = PAST


class TaskTextFactory(DjangoModelFactory[TaskText]):
    class Meta:
        model = TaskText

    task = factory.SubFactory(TaskFactory)
    locale = "en"
    title = "Watch five minutes"


def check_in_task(*coins: int, **fields: Any) -> Task:
    """A calendar whose days give these coins."""
    task: Task = TaskFactory(
        kind=TaskKind.CHECK_IN, target_count=1, bonus_coins=0, **{"code": "check-in"} | fields
    )
    CheckInDay.objects.bulk_create(
        CheckInDay(task=task, number=number, bonus_coins=each)
        for number, each in enumerate(coins or (10, 10, 80, 20, 30, 40, 200), start=1)
    )
    return task


def sign_up_task(*, minutes: int = 5, coins: int = 50, **fields: Any) -> Task:
    task: Task = TaskFactory(
        kind=TaskKind.SIGN_UP,
        period=TaskPeriod.ONCE,
        target_count=minutes * 60,
        bonus_coins=coins,
        **fields,
    )
    return task


def caller(device: Device | None = None, *, environment: str = "production", **of: Any) -> Caller:
    """A viewer who asks, from a device of their own if none is given."""
    device = device or DeviceFactory(**of)
    return Caller(device.viewer, device, environment)


def watch(
    viewer_id: UUID, *, until: datetime, seconds: int, environment: str = "production"
) -> None:
    """The viewer has verifiably watched for so long, up to a moment."""
    end = int(until.timestamp())
    watching.record(
        Stretches(
            viewers=[str(viewer_id)],
            environments=[environment],
            starts=np.array([end - seconds]),
            ends=np.array([end]),
        )
    )


def claim(who: Caller, task: Task, *, now: datetime, **more: Any) -> Claimed:
    return claims.claim(
        who, code=task.code, **{"period": None, "address": "8.8.4.7"} | more, now=now
    )


def invite_of(who: Caller, *, now: datetime) -> str:
    """The viewer's code, made if there is none."""
    referrals.make_code(viewer_id=who.viewer.id, environment=who.environment, now=now)
    return Invite.objects.get(viewer=who.viewer, environment=who.environment).code


def newcomer(*, now: datetime, **of: Any) -> Caller:
    """A viewer who has just come, on a new device."""
    return caller(viewer__created_at=now - timedelta(hours=1), **of)
