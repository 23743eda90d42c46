"""Inviting others: a code of one's own, who came by it, and what that earns after a while.

A referral is bound once, soon after the invited viewer came; what it earns is paid only at the end of a
hold, when the invited viewer has proven to be one. Until then nothing is in the ledger, so what does not
hold has nothing to be taken back. docs/growth.md has the limits.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from ads.growth import limits
from ads.growth.limits import Limit
from ads.growth.offered import Caller
from ads.models import Invite, Referral, ReferralState, VoidReason
from ads.models.referrals import CODE_CHARACTERS
from config.problems import Problem
from viewers import flags

#: Without those that are taken for one another.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
TRIES = 5
VESTED_AT_ONCE = 200
#: How soon an invited viewer who has not proven to be one is looked at again.
AGAIN = timedelta(hours=12)
#: Over which time a family's referrals are counted.
FAMILY_PERIOD = timedelta(days=30)

_BIND = "SELECT ads_bind_referral(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)::text"
_VEST = "SELECT ads_vest_referral(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
_VOID = "SELECT ads_void_referral(%s, %s, %s)"


class ReferralsOff(Problem):
    code = "referrals_off"
    title = "Nothing is given here for inviting others"


class InviteUnknown(Problem):
    code = "invite_unknown"
    title = "There is no such invitation"


class ReferralTooLate(Problem):
    code = "referral_too_late"
    title = "The viewer has been here for too long to say who brought them"


class ReferredByAnother(Problem):
    code = "referred_by_another"
    title = "The viewer has named somebody else before"


class ReferralRefused(Problem):
    code = "referral_refused"
    title = "This invitation is not for this viewer"


@dataclass(frozen=True)
class Invited:
    """What has come of a viewer's code, which is None before the first was made."""

    code: str | None
    pending_count: int
    vested_count: int
    earned_coins: int


@dataclass(frozen=True)
class Bound:
    """A referral, and when it is due to be paid. `is_new` is False where it had been bound before."""

    referral_id: UUID
    due_at: datetime
    is_new: bool


class _Outcome(msgspec.Struct, frozen=True):
    """What the SQL function decided."""

    outcome: str
    referral_id: UUID | None = None
    due_at: datetime | None = None


_REFUSALS: dict[str, type[Problem]] = {
    "unknown": InviteUnknown,
    "too_late": ReferralTooLate,
    "bound_to_another": ReferredByAnother,
    "related": ReferralRefused,
}


def invited(*, viewer_id: UUID, environment: str) -> Invited:
    """What a viewer's code has brought so far."""
    invite = Invite.objects.filter(viewer_id=viewer_id, environment=environment).first()
    referrals = Referral.objects.filter(referrer_id=viewer_id, environment=environment)
    rows = list(referrals.exclude(state=ReferralState.VOIDED).prefetch_related("transfer__entries"))
    vested = [row for row in rows if row.transfer is not None]
    return Invited(
        code=invite.code if invite else None,
        pending_count=len(rows) - len(vested),
        vested_count=len(vested),
        earned_coins=sum(_earned(row) for row in vested),
    )


def make_code(*, viewer_id: UUID, environment: str, now: datetime) -> bool:
    """Makes the viewer's code if there is none; whether it did. Raises ReferralsOff."""
    if not settings.REFERRAL_COINS:
        raise ReferralsOff
    for _ in range(TRIES):
        code = "".join(secrets.choice(LETTERS) for _ in range(CODE_CHARACTERS))
        if Invite.objects.filter(code=code).exists():
            continue
        try:
            with transaction.atomic():
                _, is_new = Invite.objects.get_or_create(
                    viewer_id=viewer_id,
                    environment=environment,
                    defaults={"code": code, "created_at": now},
                )
        except IntegrityError as error:
            if "ads_invite_code" not in str(error):
                raise
            continue
        return is_new
    raise RuntimeError("five codes in a row were taken")


def bind(caller: Caller, *, code: str, address: str | None, now: datetime) -> Bound:
    """Keeps by whose code a viewer came, once; the same again is answered the same.

    Raises ReferralsOff, InviteUnknown, ReferredByAnother, ReferralTooLate after REFERRAL_BIND_DAYS, and
    ReferralRefused for relations of one's own. What is over a limit is bound, and voided at once.
    """
    if not settings.REFERRAL_COINS:
        raise ReferralsOff
    with connection.cursor() as cursor:
        cursor.execute(
            _BIND,
            [
                caller.viewer.id,
                caller.environment,
                code.upper(),
                now - timedelta(days=settings.REFERRAL_BIND_DAYS),
                now + timedelta(days=settings.REFERRAL_HOLD_DAYS),
                settings.REFERRAL_MAXIMUM,
                settings.REFERRAL_DAILY,
                settings.REFERRAL_FAMILY_MAXIMUM,
                _day_starts_at(now),
                now - FAMILY_PERIOD,
                limits.encoded(_limits(caller, address, now)),
                now,
            ],
        )
        (text,) = cursor.fetchone()
    decided = msgspec.json.decode(text, type=_Outcome)
    if decided.outcome not in {"bound", "repeated"} or decided.referral_id is None:
        raise _REFUSALS[decided.outcome]
    return Bound(decided.referral_id, decided.due_at or now, decided.outcome == "bound")


def vest_due(*, now: datetime) -> int:
    """Pays or voids some of the referrals that are due; returns how many it looked at, 0 at the end.

    While REFERRAL_COINS is 0 there is nothing to pay them with: they wait.
    """
    if not settings.REFERRAL_COINS:
        return 0
    due = Referral.objects.filter(state=ReferralState.PENDING, due_at__lte=now).order_by("due_at")
    found = list(due[:VESTED_AT_ONCE])
    return sum(_vest(referral, now) for referral in found)


def void(referral: Referral, *, reason: VoidReason, now: datetime) -> bool:
    """Has a referral pay nothing; whether it had not been closed before."""
    with connection.cursor() as cursor:
        cursor.execute(_VOID, [referral.id, reason, now])
        (was_open,) = cursor.fetchone()
    return bool(was_open)


def _vest(referral: Referral, now: datetime) -> bool:
    """Whether it was still to be settled."""
    if flags.stands_on(referral.referrer_id, referral.invitee_id):
        return void(referral, reason=VoidReason.SUSPECT, now=now)
    expires_at = None
    if settings.REFERRAL_EXPIRY_DAYS:
        expires_at = now + timedelta(days=settings.REFERRAL_EXPIRY_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            _VEST,
            [
                referral.id,
                settings.REFERRAL_COINS,
                expires_at,
                settings.REFERRAL_WATCH_SECONDS,
                now - timedelta(days=settings.REFERRAL_IDLE_DAYS),
                now + AGAIN,
                settings.REFERRAL_FAMILY_MAXIMUM,
                now - FAMILY_PERIOD,
                now,
            ],
        )
        (outcome,) = cursor.fetchone()
    return bool(outcome != "settled")


def _limits(caller: Caller, address: str | None, now: datetime) -> list[Limit]:
    return [
        limits.per_device("referral_device", caller.device.install_id, at_most=1),
        limits.per_block(
            "referral_block", address, at_most=settings.REFERRAL_PER_BLOCK_DAILY, now=now
        ),
    ]


def _earned(referral: Referral) -> int:
    """The coins of its transfer, those that repaid a debt included."""
    assert referral.transfer is not None  # noqa: S101  the database says so of vested ones
    return sum(
        -entry.amount_coins
        for entry in referral.transfer.entries.all()
        if entry.account == "rewards"
    )


def _day_starts_at(now: datetime) -> datetime:
    today = now.astimezone(settings.REPORTING_ZONE).date()
    return datetime.combine(today, time.min, settings.REPORTING_ZONE)
