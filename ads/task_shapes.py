"""What the endpoints of tasks and invitations take and answer."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from ads.models import TaskKind, TaskPeriod
from catalog.shapes import LocaleWanted
from config.bodies import AnswerShape, RequestShape
from payments.shapes import BalanceAnswer

Moment = Annotated[datetime, Meta(tz=True)]
PeriodKey = Annotated[
    str,
    Meta(
        pattern=r"^(once|[0-9]{4}-([0-9]{2}(-[0-9]{2})?|W[0-9]{2}))$(?!\n)",
        description="As GET /v1/tasks names it: `2026-03-14`, `2026-W11`, `2026-03` or `once`.",
    ),
]
ZoneName = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[A-Za-z0-9_+/-]+$(?!\n)",
        description="An IANA name, as `Asia/Shanghai`.",
    ),
]
InviteCode = Annotated[
    str,
    Meta(
        max_length=20,
        pattern=r"^[A-Za-z0-9]+$(?!\n)",
        description="As it was shared; small letters are capitals.",
    ),
]


class TasksQuery(RequestShape):
    locale: LocaleWanted = ""


class TaskState(StrEnum):
    """`claimable` is reached and not claimed yet."""

    OPEN = "open"
    CLAIMABLE = "claimable"
    CLAIMED = "claimed"


class TaskAnswer(AnswerShape):
    """`progress_count` of `target_count`: seconds, where watching counts. `resets_at` is null for what is
    earned once, and `ends_at` for what is on until further notice."""

    code: str
    title: str
    locale: str
    kind: TaskKind
    period: TaskPeriod
    period_key: str
    target_count: int
    progress_count: int
    coins: int
    coins_expire_after_days: int | None
    automatic: bool
    state: TaskState
    resets_at: Moment | None
    ends_at: Moment | None


class CheckInState(StrEnum):
    """`waiting`: the viewer has changed zones, and the next check-in is later than their next midnight."""

    OPEN = "open"
    DONE = "done"
    WAITING = "waiting"


class CheckInDayAnswer(AnswerShape):
    day: int
    coins: int


class CheckInAnswer(AnswerShape):
    """The calendar: `next_day` of `days` is what the next check-in gives, at `available_at`, for `next_date`
    of the viewer's own days. `zone_changes_at` is null while the zone may be changed."""

    code: str
    title: str
    locale: str
    state: CheckInState
    streak: int
    days: list[CheckInDayAnswer]
    next_day: int
    next_date: date
    available_at: Moment
    coins_expire_after_days: int | None
    zone: str
    zone_changes_at: Moment | None


class TasksAnswer(AnswerShape):
    """`check_in` is null where there is none. `watched_today_seconds` are those that were verified."""

    tasks: list[TaskAnswer]
    check_in: CheckInAnswer | None
    watched_today_seconds: int


class ClaimRequest(RequestShape):
    """The period as GET /v1/tasks names it, so that a repetition after its end is still answered as before;
    null is whichever is present."""

    period: PeriodKey | None


class ClaimAnswer(AnswerShape):
    """`streak_day` is the day of the calendar, of a check-in; `claimed_now` is false for a repetition."""

    claim_id: UUID
    code: str
    period: str
    coins: int
    coins_expire_at: Moment | None
    streak_day: int | None
    claimed_now: bool
    balance: BalanceAnswer


class ZoneRequest(RequestShape):
    zone: ZoneName


class ZoneAnswer(AnswerShape):
    zone: str
    zone_changes_at: Moment


class InviteAnswer(AnswerShape):
    """`code` is null before it was made. `pending` wait for the end of their hold."""

    code: str | None
    pending: int
    vested: int
    earned_coins: int
    reward_coins: int


class ReferrerRequest(RequestShape):
    code: InviteCode


class ReferrerAnswer(AnswerShape):
    referral_id: UUID
    due_at: Moment
    bound_now: bool
