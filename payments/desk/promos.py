"""Promo codes that operators make: alone up to a limit a day, beyond it with a second person's word."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import BigIntegerField, F, Sum
from django.db.models.functions import Cast

from payments.models import PromoBatch, PromoCode

#: Thirty-two letters and digits without I, L, O and U. Sixteen of them are 80 bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GENERATED_CHARACTERS = 16
MAXIMUM_BATCH = 10_000

_ASKED = ("asked_by", "asked_at", "needs_second", "agreed_by", "agreed_at")


class PromoRefused(Exception):
    """Nothing was agreed to; the message tells an operator why."""


class SamePerson(PromoRefused):
    """Nobody is their own second person."""


class NothingWaits(PromoRefused):
    """None of the codes waits for a second person."""


@dataclass(frozen=True)
class CodeTerms:
    """What each code of a batch gives, and when."""

    bonus_coins: int
    coins_expire_after_seconds: int | None
    starts_at: datetime
    ends_at: datetime | None


def left_today_coins(*, operator_id: int, now: datetime, apart_from: Collection[UUID] = ()) -> int:
    """What codes that an operator makes alone may still give in this day of the reporting zone, all of
    their redemptions together."""
    today = now.astimezone(settings.REPORTING_ZONE).date()
    alone = PromoCode.objects.filter(
        asked_by_id=operator_id,
        asked_at__gte=datetime.combine(today, time.min, settings.REPORTING_ZONE),
        needs_second=False,
    ).exclude(id__in=apart_from)
    worth = Cast("bonus_coins", BigIntegerField()) * F("maximum_redemptions")
    made: int = alone.aggregate(total=Sum(worth, default=0))["total"]
    return max(settings.PROMO_SOLO_COINS - int(made), 0)


def make(code: PromoCode, *, operator_id: int, now: datetime) -> None:
    """Keeps a new code. One that gives more than the operator may let codes give alone today `is_waiting`:
    it redeems nothing until somebody else agrees."""
    with transaction.atomic():
        _ask([code], operator_id, now)
        code.created_at = now
        code.save(force_insert=True)


def change(code: PromoCode, *, fields: Sequence[str], operator_id: int, now: datetime) -> None:
    """Writes these fields of a code. To let it be redeemed more often is to ask for all of it anew: it may
    be waiting afterwards, whoever has agreed to less."""
    with transaction.atomic():
        kept = PromoCode.objects.select_for_update(no_key=True).get(id=code.id)
        if code.maximum_redemptions > kept.maximum_redemptions:
            _ask([code], operator_id, now)
            fields = (*fields, *_ASKED)
        code.save(update_fields=fields)


def generate(
    *, name: str, prefix: str, count: int, terms: CodeTerms, operator_id: int, now: datetime
) -> PromoBatch:
    """Codes for one redemption each, that nobody can guess. All are made, or none, and all of them wait for
    a second person where they give more together than the operator may let codes give alone today.

    `prefix` is as `promo_codes.written` answers it, or empty, and `count` from 1 to MAXIMUM_BATCH.
    """
    with transaction.atomic():
        batch = PromoBatch.objects.create(
            name=name, prefix=prefix, code_count=count, made_by_id=operator_id, created_at=now
        )
        codes = [
            PromoCode(
                code=prefix + _random(),
                name=name,
                bonus_coins=terms.bonus_coins,
                coins_expire_after_seconds=terms.coins_expire_after_seconds,
                maximum_redemptions=1,
                starts_at=terms.starts_at,
                ends_at=terms.ends_at,
                batch=batch,
                created_at=now,
            )
            for _ in range(count)
        ]
        _ask(codes, operator_id, now)
        PromoCode.objects.bulk_create(codes, batch_size=1000)
    return batch


def agree(code_ids: Collection[UUID], *, operator_id: int, now: datetime) -> Sequence[PromoCode]:
    """A second person agrees to those of some codes that wait for one; returns them.

    Raises SamePerson, and NothingWaits, with nothing agreed to.
    """
    with transaction.atomic():
        held = list(
            PromoCode.objects.filter(id__in=code_ids, needs_second=True, agreed_by=None)
            .order_by("id")
            .select_for_update(no_key=True)
        )
        if not held:
            raise NothingWaits("None of them waits for a second person.")
        if any(code.asked_by_id == operator_id for code in held):
            raise SamePerson("You asked for this yourself: somebody else has to agree.")
        PromoCode.objects.filter(id__in=[code.id for code in held]).update(
            agreed_by_id=operator_id, agreed_at=now
        )
    return held


def _ask(codes: Sequence[PromoCode], operator_id: int, now: datetime) -> None:
    """Notes on codes who asks for them, and whether that takes a second person. What an operator makes at
    one moment waits for each other, so that it cannot pass the limit together."""
    get_user_model().objects.select_for_update(no_key=True).get(id=operator_id)
    left_coins = left_today_coins(
        operator_id=operator_id, now=now, apart_from=[code.id for code in codes]
    )
    needs_second = sum(code.worth_coins for code in codes) > left_coins
    for code in codes:
        code.asked_by_id, code.asked_at = operator_id, now
        code.needs_second = needs_second
        code.agreed_by = code.agreed_at = None


def _random() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(GENERATED_CHARACTERS))
