"""Tasks and invitations as the API answers them."""

from collections.abc import Sequence

from django.conf import settings

from ads.growth import check_ins, offered
from ads.growth.claims import Claimed
from ads.growth.referrals import Bound, Invited
from ads.models import Task, TaskKind, TaskPeriod
from ads.task_shapes import (
    CheckInAnswer,
    CheckInDayAnswer,
    CheckInState,
    ClaimAnswer,
    InviteAnswer,
    ReferrerAnswer,
    TaskAnswer,
    TaskState,
)
from catalog import locales
from payments import rendering
from payments.ledger.wallets import Balance


def task(value: offered.Standing, *, asked: Sequence[str]) -> TaskAnswer:
    shown, window = value.task, value.window
    title, locale = _title(shown, asked)
    state = TaskState.CLAIMABLE if value.is_reached else TaskState.OPEN
    return TaskAnswer(
        code=shown.code,
        title=title,
        locale=locale,
        kind=TaskKind(shown.kind),
        period=TaskPeriod(shown.period),
        period_key=window.key,
        target_count=shown.target_count,
        progress_count=min(value.progress_count, shown.target_count),
        coins=value.claim.coins if value.claim else shown.bonus_coins,
        coins_expire_after_days=shown.coins_expire_after_days,
        automatic=shown.is_automatic,
        state=TaskState.CLAIMED if value.claim else state,
        resets_at=window.resets_at,
        ends_at=shown.ends_at,
    )


def check_in(value: check_ins.Standing, *, asked: Sequence[str]) -> CheckInAnswer:
    title, locale = _title(value.task, asked)
    turn = value.next_turn
    later = CheckInState.DONE if value.claim else CheckInState.WAITING
    return CheckInAnswer(
        code=value.task.code,
        title=title,
        locale=locale,
        state=CheckInState.OPEN if turn.is_open else later,
        streak=value.streak,
        days=[
            CheckInDayAnswer(day=place, coins=day.bonus_coins)
            for place, day in enumerate(value.task.days.all(), start=1)
        ],
        next_day=value.next_day,
        next_date=turn.date,
        available_at=turn.available_at,
        coins_expire_after_days=value.task.coins_expire_after_days,
        zone=value.zone,
        zone_changes_at=value.zone_changes_at,
    )


def claim(value: Claimed, *, now_spendable: Balance) -> ClaimAnswer:
    return ClaimAnswer(
        claim_id=value.claim_id,
        code=value.code,
        period=value.period,
        coins=value.coins,
        coins_expire_at=value.coins_expire_at,
        streak_day=value.streak_day,
        claimed_now=value.is_new,
        balance=rendering.balance(now_spendable),
    )


def invite(value: Invited) -> InviteAnswer:
    return InviteAnswer(
        code=value.code,
        pending=value.pending_count,
        vested=value.vested_count,
        earned_coins=value.earned_coins,
        reward_coins=settings.REFERRAL_COINS,
    )


def referrer(value: Bound) -> ReferrerAnswer:
    return ReferrerAnswer(
        referral_id=value.referral_id, due_at=value.due_at, bound_now=value.is_new
    )


def _title(value: Task, asked: Sequence[str]) -> tuple[str, str]:
    """The text that suits the reader, with its locale; without any, the code."""
    titles = {text.locale: text.title for text in value.texts.all()}
    locale = locales.negotiate(titles, asked=asked, original=value.original_locale)
    return titles.get(locale, value.code), locale
