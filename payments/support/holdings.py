"""A viewer's wallet as support sees it: coins with their lots, the debt, and what purchases came to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from config.bodies import AnswerShape
from payments.chart import LotKind, LotOrigin
from payments.ledger import wallets
from payments.models import Lot, Purchase, RefundBooking, Wallet
from payments.store import consumption
from payments.store.consumption import Consumption
from payments.support import why
from payments.support.explanations import Moment, SubscriptionCause

#: How many lots and purchases are listed at most.
LISTED = 200


class HeldLot(AnswerShape):
    """Coins of one origin that are left, with the value they carry. Past `expires_at` they wait to lapse."""

    lot_id: UUID
    transfer_id: UUID
    lot_kind: LotKind
    origin: LotOrigin
    remaining_coins: int
    granted_coins: int
    remaining_value_micros: int
    granted_at: Moment
    expires_at: Moment | None


class HeldPurchase(AnswerShape):
    """A purchase, and what became of its coins: the last four together are all it granted."""

    purchase_id: UUID
    provider: str
    transaction_id: str
    pack_code: str
    currency: str
    gross_micros: int
    net_micros: int
    refunded_net_micros: int
    purchased_at: Moment
    granted_coins: int
    spent_coins: int
    expired_coins: int
    refunded_coins: int
    remaining_coins: int
    consumed_parts_per_million: int


class Holdings(AnswerShape):
    """A wallet now. `paid_coins` and `bonus_coins` can be spent, `debt_coins` are owed. Nothing
    is spent while it is held: a rule of the ledger would have broken, and somebody has to look.

    `lots` are those with coins left, in the order in which they are spent, and `purchases` the newest
    first; of each the first 200.
    """

    viewer_id: UUID
    environment: str
    at: Moment
    paid_coins: int
    bonus_coins: int
    debt_coins: int
    deferred_micros: int
    held_at: Moment | None
    held_because: str
    covered_until: Moment | None
    cover: SubscriptionCause | None
    lots: list[HeldLot]
    purchases: list[HeldPurchase]


def show(*, viewer_id: UUID, environment: str, now: datetime) -> Holdings:
    """The wallet, empty for a viewer who has had no coins yet."""
    wallet = Wallet.objects.filter(viewer_id=viewer_id, environment=environment).first()
    balance = wallets.balance(viewer_id=viewer_id, environment=environment, at=now)
    cover = why.cover_at(viewer_id=viewer_id, environment=environment, at=now)
    return Holdings(
        viewer_id=viewer_id,
        environment=environment,
        at=now,
        paid_coins=balance.paid_coins,
        bonus_coins=balance.bonus_coins,
        debt_coins=-wallet.debt_coins if wallet else 0,
        deferred_micros=wallets.deferred_micros(wallet) if wallet else 0,
        held_at=wallet.held_at if wallet else None,
        held_because=wallet.held_because if wallet else "",
        covered_until=wallets.covered_until(wallet, now) if wallet else None,
        cover=cover,
        lots=[_lot(lot) for lot in wallets.lots_left(wallet)[:LISTED]] if wallet else [],
        purchases=_purchases(viewer_id, environment),
    )


def _lot(lot: Lot) -> HeldLot:
    return HeldLot(
        lot_id=lot.id,
        transfer_id=lot.transfer_id,
        lot_kind=LotKind(lot.kind),
        origin=LotOrigin(lot.origin),
        remaining_coins=lot.remaining_coins,
        granted_coins=lot.granted_coins,
        remaining_value_micros=lot.remaining_value_micros,
        granted_at=lot.granted_at,
        expires_at=lot.expires_at,
    )


def _purchases(viewer_id: UUID, environment: str) -> list[HeldPurchase]:
    newest = (
        Purchase.objects.filter(viewer_id=viewer_id, environment=environment)
        .select_related("pack")
        .order_by("-id")[:LISTED]
    )
    purchases = list(newest)
    consumed, refunded = consumption.of_purchases(purchases), _refunded(purchases)
    return [
        _purchase(purchase, consumed[purchase.id], refunded.get(purchase.id, 0))
        for purchase in purchases
    ]


def _refunded(purchases: Sequence[Purchase]) -> Mapping[UUID, int]:
    """How much of their net has gone back."""
    bookings = RefundBooking.objects.filter(purchase__in=purchases).order_by()
    return dict(bookings.values_list("purchase_id").annotate(Sum("net_micros")))


def _purchase(purchase: Purchase, consumed: Consumption, refunded: int) -> HeldPurchase:
    return HeldPurchase(
        purchase_id=purchase.id,
        provider=purchase.provider,
        transaction_id=purchase.transaction_id,
        pack_code=purchase.pack.code,
        currency=purchase.currency,
        gross_micros=purchase.gross_micros,
        net_micros=purchase.net_micros,
        refunded_net_micros=refunded,
        purchased_at=purchase.purchased_at,
        granted_coins=consumed.granted_coins,
        spent_coins=consumed.spent_coins,
        expired_coins=consumed.expired_coins,
        refunded_coins=consumed.refunded_coins,
        remaining_coins=consumed.remaining_coins,
        consumed_parts_per_million=consumed.consumed_parts_per_million,
    )
