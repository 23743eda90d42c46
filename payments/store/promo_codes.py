"""Promo codes: coins for whoever types the right one, so often in all and once for each viewer.

Wrong codes are counted by viewer and by address and day, in the database, under locks: a right code is no
use either to somebody who has guessed too often that day. The SQL function decides; docs/money.md has the
rules.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from config import keyring
from config.problems import Problem
from payments.models import PromoAttempt
from payments.models.promo_codes import MAXIMUM_CODE

PRUNED_AT_ONCE = 1000

_PURPOSE = "promo-attempts"
_REDEEM = "SELECT payments_redeem_promo_code(%s, %s, %s, %s, %s, %s, %s)::text"
_IGNORED = re.compile(r"[\s-]+")
_WRITTEN = re.compile(rf"[A-Z0-9]{{4,{MAXIMUM_CODE}}}")


class PromoCodeUnknown(Problem):
    code = "promo_code_unknown"
    title = "There is no such promo code"


class PromoCodeOver(Problem):
    code = "promo_code_over"
    title = "The promo code is not valid any more"


class PromoCodeUsedUp(Problem):
    code = "promo_code_used_up"
    title = "The promo code has been redeemed as often as it may be"


class TooManyAttempts(Problem):
    code = "too_many_attempts"
    title = "Too many wrong codes were typed here today; try again tomorrow"


_REFUSALS = {
    refusal.code: refusal for refusal in (PromoCodeUnknown, PromoCodeOver, PromoCodeUsedUp)
}


@dataclass(frozen=True)
class Redeemed:
    """What a viewer got for a code. `is_new` is False where they had redeemed it before."""

    redemption_id: UUID
    code: str
    coins: int
    coins_expire_at: datetime | None
    is_new: bool


class _Outcome(msgspec.Struct, frozen=True):
    """What the SQL function decided."""

    outcome: str
    redemption_id: UUID | None = None
    code: str = ""
    coins: int = 0
    coins_expire_at: datetime | None = None


def redeem(
    *, viewer_id: UUID, environment: str, typed: str, address: str | None, now: datetime
) -> Redeemed:
    """Gives a code's coins to a viewer, once; the same again is answered the same, whatever has become
    of the code since.

    Raises PromoCodeUnknown, PromoCodeOver, PromoCodeUsedUp, and TooManyAttempts after
    PROMO_WRONG_PER_VIEWER or PROMO_WRONG_PER_ADDRESS unknown codes in a day; nothing is given then.
    """
    limits = {_subject("viewer", str(viewer_id), now): settings.PROMO_WRONG_PER_VIEWER}
    if address is not None:
        limits[_subject("address", address, now)] = settings.PROMO_WRONG_PER_ADDRESS
    with connection.cursor() as cursor:
        cursor.execute(
            _REDEEM,
            [
                viewer_id,
                environment,
                written(typed),
                list(limits),
                list(limits.values()),
                _day(now),
                now,
            ],
        )
        (text,) = cursor.fetchone()
    decided = msgspec.json.decode(text, type=_Outcome)
    if decided.outcome == TooManyAttempts.code:
        raise _until_tomorrow(now)
    if decided.redemption_id is None:
        raise _REFUSALS[decided.outcome]
    return Redeemed(
        redemption_id=decided.redemption_id,
        code=decided.code,
        coins=decided.coins,
        coins_expire_at=decided.coins_expire_at,
        is_new=decided.outcome == "redeemed",
    )


def written(typed: str) -> str:
    """A code as it is kept: in capitals, without spaces and hyphens; empty for what cannot be one."""
    bare = _IGNORED.sub("", typed)
    code = bare.upper() if bare.isascii() else ""
    return code if _WRITTEN.fullmatch(code) else ""


def folded(code: str) -> str:
    """What two codes that are easily confused have in common, as the database compares them."""
    return code.translate(str.maketrans("OIL", "011"))


def grouped(code: str) -> str:
    """A code as it is printed: in groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def prune(*, now: datetime) -> int:
    """Deletes the counts of wrong codes of days that are over; returns how many."""
    old = PromoAttempt.objects.filter(day__lt=_day(now)).values("subject")[:PRUNED_AT_ONCE]
    deleted, _ = PromoAttempt.objects.filter(subject__in=old).delete()
    return deleted


def _subject(kind: str, value: str, now: datetime) -> str:
    """Who is asking, as a hash that tells nobody who it was."""
    keys = keyring.keys_for(_PURPOSE)
    message = f"{_day(now)} {kind} {value}".encode()
    return keys.mac(message, key_id=keys.signing_id).hex()


def _day(now: datetime) -> date:
    return now.astimezone(settings.REPORTING_ZONE).date()


def _until_tomorrow(now: datetime) -> TooManyAttempts:
    tomorrow = datetime.combine(_day(now) + timedelta(days=1), time.min, settings.REPORTING_ZONE)
    refusal = TooManyAttempts()
    seconds = int((tomorrow - now).total_seconds()) + 1
    refusal.headers = {"Retry-After": str(seconds)}
    return refusal
