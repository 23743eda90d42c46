"""Refunds, chargebacks and their reversals: facts in any order, and what they do to a wallet.

docs/money.md has the rules and worked examples.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import msgspec
from django.db import connection
from django.db.models import Sum

from config.problems import Problem
from payments.models import LotMovement, Purchase, Refund, RefundOrigin, Unlock

#: A store's refund of the whole transaction that has no name of its own.
ALL = "all"

_RECORD = "SELECT payments_record_refund(" + ", ".join(["%s"] * 11) + ")::text"
_UNDO = "SELECT payments_undo_unlock(%s, %s, %s, %s) ->> 'outcome'"


class RefundRefused(Problem):
    code = "refund_refused"
    title = "There is nothing of this purchase left to refund"


class UnlockUndone(Problem):
    code = "unlock_undone"
    title = "This unlock was undone before"


class UnlockRefunded(Problem):
    code = "unlock_refunded"
    title = "The money behind this unlock went back; its coins have been taken already"


class Effect(StrEnum):
    """What a recorded fact has led to."""

    TAKEN = "taken"
    REVERSED = "reversed"
    WAITING = "waiting"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The refund's row, and where its facts put it now."""

    refund_id: UUID
    outcome: Effect


@dataclass(frozen=True)
class RefundFact:
    """What a store, a bank or an operator says of one refund of one store transaction.

    `refund_id` is the store's own name for it, ALL where it has none. `amount_micros` is gross in the
    purchase's currency, None for all that was paid. One of `refunded_at` and `reversed_at` is set, or
    both.
    """

    provider: str
    environment: str
    transaction_id: str
    refund_id: str
    origin: RefundOrigin
    refunded_at: datetime | None = None
    reversed_at: datetime | None = None
    amount_micros: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Consumption:
    """What became of the coins of one purchase. All of them together are `granted_coins`."""

    granted_coins: int
    spent_coins: int
    expired_coins: int
    refunded_coins: int
    remaining_coins: int

    @property
    def consumed_parts_per_million(self) -> int:
        """The share of its coins that was spent on episodes, rounded down."""
        return self.spent_coins * 1_000_000 // self.granted_coins


def record(fact: RefundFact, *, now: datetime, operator_id: int | None = None) -> Recorded:
    """Keeps a fact and lets the refund take effect as far as it stands; safe to repeat.

    What it takes is at most what the purchase gave: coins left in its lots, then unlocks that nobody
    has played, then a debt. A reversal gives it back. The order in which facts come does not matter.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [
                fact.provider,
                fact.environment,
                fact.transaction_id,
                fact.refund_id,
                fact.origin,
                fact.amount_micros,
                fact.reason,
                operator_id,
                fact.refunded_at,
                fact.reversed_at,
                now,
            ],
        )
        (answer,) = cursor.fetchone()
    return msgspec.json.decode(answer, type=Recorded)


def refund_by_operator(
    purchase: Purchase,
    *,
    operator_id: int,
    reason: str,
    now: datetime,
    amount_micros: int | None = None,
    request_id: UUID | None = None,
) -> Recorded:
    """An operator says that money goes back; `request_id` makes a repeated request one refund.

    Raises RefundRefused when all of it has gone back already, or more than is left was asked for.
    """
    left = purchase.gross_micros - _refunded_micros(purchase)
    if amount_micros is not None and not 0 < amount_micros <= left:
        raise RefundRefused(f"At most {left} micros can go back.")
    if left == 0 and purchase.gross_micros:
        raise RefundRefused
    fact = RefundFact(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
        refund_id=f"operator:{request_id or uuid4()}",
        origin=RefundOrigin.OPERATOR,
        refunded_at=now,
        amount_micros=amount_micros,
        reason=reason,
    )
    return record(fact, now=now, operator_id=operator_id)


def reverse(refund: Refund, *, operator_id: int | None, now: datetime) -> Recorded:
    """The refund did not stand after all: what it took goes back. Safe to repeat."""
    fact = RefundFact(
        provider=refund.provider,
        environment=refund.environment,
        transaction_id=refund.transaction_id,
        refund_id=refund.refund_id,
        origin=RefundOrigin(refund.origin),
        reversed_at=now,
    )
    return record(fact, now=now, operator_id=operator_id)


def undo_unlock(unlock: Unlock, *, operator_id: int, reason: str, now: datetime) -> None:
    """An operator undoes an unlock: the coins are back where they came from, the episode is closed.

    Raises UnlockUndone, and UnlockRefunded where a refund has taken some of its coins.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNDO, [unlock.id, operator_id, reason, now])
        (outcome,) = cursor.fetchone()
    if outcome == "undone_before":
        raise UnlockUndone
    if outcome == "refunded":
        raise UnlockRefunded


def consumption(purchase: Purchase) -> Consumption:
    """What became of a purchase's coins, from the lineage of its lots."""
    moved = LotMovement.objects.filter(lot__transfer_id=purchase.transfer_id)
    by_code = dict(moved.values_list("transfer__code").annotate(Sum("coins")))
    spent = -by_code.get("unlock", 0) - by_code.get("unlock_reversal", 0)
    expired = -by_code.get("expiry", 0)
    refunded = -by_code.get("refund", 0) - by_code.get("refund_reversal", 0)
    granted = purchase.paid_coins + purchase.bonus_coins
    return Consumption(
        granted_coins=granted,
        spent_coins=spent,
        expired_coins=expired,
        refunded_coins=refunded,
        remaining_coins=granted - spent - expired - refunded,
    )


def _refunded_micros(purchase: Purchase) -> int:
    total: int | None = purchase.refund_bookings.aggregate(total=Sum("gross_micros"))["total"]
    return total or 0
