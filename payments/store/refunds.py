"""Refunds, chargebacks and their reversals: facts in any order, and what they do to a wallet.

docs/money.md has the rules and worked examples.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import QuerySet, Sum

from payments.ledger import wallets
from payments.models import (
    LotMovement,
    PassPurchase,
    PassRefundBooking,
    Purchase,
    Refund,
    RefundBooking,
    RefundOrigin,
    Unlock,
    UnlockCorrection,
    UnlockReversal,
    Wallet,
)

#: A store's refund of the whole transaction that has no name of its own.
ALL = "all"

_TICK = timedelta(microseconds=1)

_RECORD = "SELECT payments_record_refund(" + ", ".join(["%s"] * 12) + ")::text"
_UNDO = "SELECT payments_undo_unlock(%s, %s, %s, %s) ->> 'outcome'"


class UnlockUndone(Exception):
    """The unlock was undone before."""


class UnlockRefunded(Exception):
    """The money behind the unlock went back, and its coins have been taken already."""


class Effect(StrEnum):
    """What a recorded fact has led to."""

    TAKEN = "taken"
    REVERSED = "reversed"
    WAITING = "waiting"
    REPEATED = "repeated"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The refund's row, and where its facts put it now."""

    refund_id: UUID
    outcome: Effect


@dataclass(frozen=True)
class RefundFact:
    """What a store, a bank or an operator says of one refund of one store transaction.

    `refund_id` is the store's own name for it, ALL where it has none. `amount_micros` is gross in the
    purchase's currency, or `share_parts_per_million` of what was paid; all of it where neither is given. One of
    `refunded_at` and `reversed_at` is set, or both.
    """

    provider: str
    environment: str
    transaction_id: str
    refund_id: str
    origin: RefundOrigin
    refunded_at: datetime | None = None
    reversed_at: datetime | None = None
    amount_micros: int | None = None
    share_parts_per_million: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Effects:
    """What a refund took, and how it left the wallet.

    `lots`: coins taken out of each. `undone`: unlocks that nobody had played, whose coins went back
    into lots first. `owed`: coins of unlocks that the viewer keeps.
    """

    gross_micros: int
    net_micros: int
    deferred_micros: int
    recognised_micros: int
    difference_micros: int
    due_coins: int
    taken_coins: int
    debt_coins: int
    lots: tuple[tuple[UUID, int], ...]
    undone: tuple[UUID, ...]
    owed: tuple[tuple[UUID, int], ...]
    paid_coins_after: int
    bonus_coins_after: int
    debt_coins_after: int


@dataclass(frozen=True)
class PassEffects:
    """What a refund of a pass took, and whether the viewer is covered by it still.

    `recognised_micros` of the net had been earned by the time that went by, the rest was ahead.
    """

    gross_micros: int
    net_micros: int
    deferred_micros: int
    recognised_micros: int
    is_closed: bool
    covered_until_after: datetime | None


def record(fact: RefundFact, *, now: datetime, operator_id: int | None = None) -> Recorded:
    """Keeps a fact and lets the refund take effect as far as it stands; safe to repeat.

    What it takes is at most what the purchase gave: coins left in its lots, then unlocks that nobody
    has played, then a debt. A pass covers no more when all of its money has gone back. A reversal gives
    it back. The order in which facts come does not matter.
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
                fact.share_parts_per_million,
                fact.reason,
                operator_id,
                fact.refunded_at,
                fact.reversed_at,
                now,
            ],
        )
        (answer,) = cursor.fetchone()
    return msgspec.json.decode(answer, type=Recorded)


def effects(refund_id: UUID) -> Effects:
    """What a refund that stands took. Raises RefundBooking.DoesNotExist if it does not stand."""
    booking = RefundBooking.objects.select_related("purchase").get(standing_for__id=refund_id)
    of_transfer = {"transfer_id": booking.transfer_id}
    wallet = Wallet.objects.get(
        viewer_id=booking.purchase.viewer_id, environment=booking.purchase.environment
    )
    taken = LotMovement.objects.filter(**of_transfer).order_by("id")
    undone = UnlockReversal.objects.filter(booking=booking).order_by("id")
    owed = UnlockCorrection.objects.filter(**of_transfer).values_list("unlock_id")
    return Effects(
        gross_micros=booking.gross_micros,
        net_micros=booking.net_micros,
        deferred_micros=booking.deferred_micros,
        recognised_micros=booking.recognised_micros,
        difference_micros=booking.difference_micros,
        due_coins=booking.due_coins,
        taken_coins=booking.taken_coins,
        debt_coins=booking.debt_coins,
        lots=tuple((lot_id, -coins) for lot_id, coins in taken.values_list("lot_id", "coins")),
        undone=tuple(undone.values_list("unlock_id", flat=True)),
        owed=tuple(
            (unlock_id, -coins)
            for unlock_id, coins in owed.annotate(Sum("coins")).order_by("-unlock_id")
        ),
        paid_coins_after=wallet.paid_coins,
        bonus_coins_after=wallet.bonus_coins,
        debt_coins_after=-wallet.debt_coins,
    )


def effects_on_pass(refund_id: UUID, *, now: datetime) -> PassEffects:
    """What a refund of a pass that stands took, as of now. Raises PassRefundBooking.DoesNotExist if it
    does not stand."""
    booking = PassRefundBooking.objects.select_related("purchase").get(standing_for__id=refund_id)
    purchase = booking.purchase
    left = purchase.net_micros - refunded_net_micros(purchase)
    before = earned_micros(left + booking.net_micros, purchase, at=now)
    recognised = before - earned_micros(left, purchase, at=now)
    wallet = Wallet.objects.get(viewer_id=purchase.viewer_id, environment=purchase.environment)
    return PassEffects(
        gross_micros=booking.gross_micros,
        net_micros=booking.net_micros,
        deferred_micros=booking.net_micros - recognised,
        recognised_micros=recognised,
        is_closed=is_refunded(purchase),
        covered_until_after=wallets.covered_until(wallet, now),
    )


def earned_micros(worth_micros: int, purchase: PassPurchase, *, at: datetime) -> int:
    """How much of what a pass is worth its time has earned up to a moment, rounded down."""
    elapsed = min(max(at, purchase.starts_at), purchase.ends_at) - purchase.starts_at
    return int(worth_micros * Fraction(elapsed // _TICK, purchase.length // _TICK))


def undo_unlock(unlock: Unlock, *, operator_id: int, reason: str, now: datetime) -> None:
    """An operator undoes an unlock: the coins are back where they came from, the episode is closed.

    Raises UnlockUndone, and UnlockRefunded where a refund has taken some of its coins.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNDO, [unlock.id, operator_id, reason, now])
        (outcome,) = cursor.fetchone()
    if outcome == "undone_before":
        raise UnlockUndone("This unlock was undone before.")
    if outcome == "refunded":
        raise UnlockRefunded("Money behind this unlock went back, and with it its coins.")


def refunded_micros(purchase: Purchase | PassPurchase) -> int:
    """How much of a purchase's gross price has gone back."""
    total: int | None = purchase.refund_bookings.aggregate(total=Sum("gross_micros"))["total"]
    return total or 0


def is_refunded(purchase: PassPurchase) -> bool:
    """Whether all of a pass's money has gone back, and stays there."""
    if refunded_micros(purchase) != purchase.gross_micros:
        return False
    return Refund.objects.filter(pass_purchase=purchase, pass_booking__isnull=False).exists()


def refunded_net_micros(purchase: PassPurchase) -> int:
    """How much of a pass's net has gone back."""
    total: int | None = purchase.refund_bookings.aggregate(total=Sum("net_micros"))["total"]
    return total or 0


def of(purchase: Purchase | PassPurchase) -> QuerySet[Refund]:
    """The refunds of a purchase, by the store's name for it."""
    return Refund.objects.filter(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
    )
