"""Claiming what a task gives: once for each of its periods, and answered the same however often.

The SQL functions decide, under the wallet's lock; docs/growth.md has the rules.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from ads.growth import check_ins, limits, offered, periods
from ads.growth.limits import Limit
from ads.growth.offered import Caller
from ads.growth.periods import Window
from ads.models import Task, TaskClaim, TaskKind
from config.problems import Problem
from viewers import flags

_CLAIM = "SELECT ads_claim_task(%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)::text"


class TaskUnknown(Problem):
    code = "task_unknown"
    title = "The viewer is offered no such task"


class TaskNotReached(Problem):
    code = "task_not_reached"
    title = "There is not enough of it yet"


class TaskPeriodOver(Problem):
    code = "task_period_over"
    title = "That period is over, or has not begun, and nothing was claimed for it"


class TaskBudgetSpent(Problem):
    code = "task_budget_spent"
    title = "All that could be earned with this has been earned"


class TaskWithheld(Problem):
    code = "task_withheld"
    title = "This cannot be earned with this device or from here now"


@dataclass(frozen=True)
class Claimed:
    """What a task gave. `is_new` is False where it had been claimed before."""

    claim_id: UUID
    code: str
    period: str
    coins: int
    coins_expire_at: datetime | None
    streak_day: int | None
    is_new: bool


class _Outcome(msgspec.Struct, frozen=True):
    """What the SQL function decided."""

    outcome: str
    claim_id: UUID | None = None
    period: str = ""
    coins: int = 0
    coins_expire_at: datetime | None = None
    streak_day: int | None = None


_REFUSALS: dict[str, type[Problem]] = {
    "off": TaskUnknown,
    "not_reached": TaskNotReached,
    "budget_spent": TaskBudgetSpent,
    "limited": TaskWithheld,
}


def claim(
    caller: Caller, *, code: str, period: str | None, address: str | None, now: datetime
) -> Claimed:
    """Gives a task's coins to a viewer for the present period.

    With `period` it is for that one alone: what was claimed then is answered again, also after it is over.
    Raises TaskUnknown, TaskPeriodOver, TaskNotReached, CheckInNotYet, TaskBudgetSpent, and TaskWithheld
    where a device or a part of the network has had enough; nothing is given then.
    """
    if period is not None and (earlier := _earlier(caller, code, period)) is not None:
        return earlier
    task = offered.find(caller, code=code, now=now)
    if task is None:
        raise TaskUnknown
    if task.kind == TaskKind.CHECK_IN:
        if period is not None and period != check_ins.today(caller, now=now).isoformat():
            raise TaskPeriodOver
        return _told(task, check_ins.check_in(caller, task, now=now))
    window = periods.window(task.period, at=now)
    if period is not None and period != window.key:
        raise TaskPeriodOver
    return _told(task, _ask(caller, task, window, address=address, now=now))


def give(caller: Caller, task: Task, window: Window, *, now: datetime) -> bool:
    """Gives a task that is not waited for to be claimed; whether it did.

    The period may be over by now: what was watched in its last seconds is known a little later.
    """
    try:
        return _told(task, _ask(caller, task, window, address=None, now=now)).is_new
    except (TaskUnknown, TaskNotReached, TaskBudgetSpent):
        return False


def _ask(caller: Caller, task: Task, window: Window, *, address: str | None, now: datetime) -> str:
    """What `ads_claim_task` answers."""
    held = limits.encoded(_limits(caller, task, address=address, now=now))
    arguments: list[Any] = [
        caller.viewer.id,
        caller.environment,
        task.id,
        window.key,
        window.first_day,
        window.until_day,
        window.starts_at,
        window.ends_at,
        held,
        now,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, arguments)
        (text,) = cursor.fetchone()
    return str(text)


def _earlier(caller: Caller, code: str, period: str) -> Claimed | None:
    """What was claimed for a period, whatever has become of the task since."""
    found = TaskClaim.objects.filter(
        viewer_id=caller.viewer.id,
        environment=caller.environment,
        task__code=code,
        period=period,
    ).first()
    if found is None:
        return None
    return Claimed(
        claim_id=found.id,
        code=code,
        period=period,
        coins=found.coins,
        coins_expire_at=found.coins_expire_at,
        streak_day=found.streak_day,
        is_new=False,
    )


def _limits(caller: Caller, task: Task, *, address: str | None, now: datetime) -> list[Limit]:
    """What is held against a bonus that whoever makes many accounts would have many times."""
    if task.kind != TaskKind.SIGN_UP:
        return []
    if flags.stands_on(caller.viewer.id):
        raise TaskWithheld
    return [
        limits.per_device(
            "sign_up_device", caller.device.install_id, at_most=settings.SIGN_UP_PER_DEVICE
        ),
        limits.per_block(
            "sign_up_block", address, at_most=settings.SIGN_UP_PER_BLOCK_DAILY, now=now
        ),
        limits.per_day("sign_up_day", at_most=settings.SIGN_UP_DAILY, now=now),
    ]


def _told(task: Task, text: str) -> Claimed:
    decided = msgspec.json.decode(text, type=_Outcome)
    if decided.claim_id is None:
        raise _REFUSALS[decided.outcome]
    return Claimed(
        claim_id=decided.claim_id,
        code=task.code,
        period=decided.period,
        coins=decided.coins,
        coins_expire_at=decided.coins_expire_at,
        streak_day=decided.streak_day,
        is_new=decided.outcome == "paid",
    )
