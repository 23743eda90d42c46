"""Why coins moved, as a line of the statement tells it: one function for each code of the chart."""

from collections.abc import Callable, Mapping
from typing import Any

from payments.chart import LotOrigin, TransferCode
from payments.ledger.wallets import Movement
from payments.models import GrantReason, PassPurchase, RefundOrigin, Unlock, UnlockWay
from payments.statement_shapes import (
    Cause,
    MovedByExpiry,
    MovedByGrant,
    MovedByGrantReversal,
    MovedByPeriod,
    MovedByPeriodReversal,
    MovedByPromo,
    MovedByPurchase,
    MovedByRefund,
    MovedByRefundReversal,
    MovedByRepayment,
    MovedByReward,
    MovedByUnlock,
    MovedByUnlockReversal,
    UndoneBecause,
)


def of(movement: Movement) -> Cause:
    """The cause of a movement. Reads no row: the statement has brought what it takes."""
    return _TELLERS[TransferCode(movement.transfer.code)](movement)


def _purchase(movement: Movement) -> MovedByPurchase:
    bought = movement.transfer.purchase
    return MovedByPurchase(
        purchase_id=bought.id,
        provider=bought.provider,
        pack_code=bought.pack.code,
        pack_title=bought.pack.title,
    )


def _unlock(movement: Movement) -> MovedByUnlock:
    unlock = movement.transfer.unlock
    undone = getattr(unlock, "restores", None)
    return MovedByUnlock(
        unlock_id=unlock.id,
        way=UnlockWay(unlock.way),
        bundle_id=unlock.bundle_id,
        series_id=unlock.episode.series_id,
        episode_id=unlock.episode_id,
        number=_number(unlock),
        restores_unlock_id=undone.unlock_id if undone else None,
    )


def _unlock_reversal(movement: Movement) -> MovedByUnlockReversal:
    reversal = movement.transfer.unlock_reversal
    by_operator = reversal.asked_by_id is not None
    because = UndoneBecause.OPERATOR if by_operator else UndoneBecause.VIEWER
    return MovedByUnlockReversal(
        unlock_id=reversal.unlock_id,
        series_id=reversal.unlock.episode.series_id,
        episode_id=reversal.unlock.episode_id,
        number=_number(reversal.unlock),
        because=UndoneBecause.REFUND if reversal.booking_id is not None else because,
    )


def _refund(movement: Movement) -> MovedByRefund:
    booking = movement.transfer.refund_booking
    return MovedByRefund(
        refund_id=booking.refund_id,
        purchase_id=booking.purchase_id,
        provider=booking.purchase.provider,
        pack_code=booking.purchase.pack.code,
        origin=RefundOrigin(booking.refund.origin),
        taken_coins=booking.taken_coins,
        debt_coins=booking.debt_coins,
    )


def _refund_reversal(movement: Movement) -> MovedByRefundReversal:
    booking = movement.transfer.refund_booking
    return MovedByRefundReversal(
        refund_id=booking.refund_id,
        purchase_id=booking.purchase_id,
        provider=booking.purchase.provider,
        pack_code=booking.purchase.pack.code,
        origin=RefundOrigin(booking.refund.origin),
        # The booking that undoes another has its figures with the other sign.
        returned_coins=-booking.taken_coins,
        debt_coins=-booking.debt_coins,
    )


def _grant(movement: Movement) -> MovedByGrant:
    grant = movement.transfer.grant
    return MovedByGrant(
        grant_id=grant.id, reason=GrantReason(grant.reason), words=grant.get_reason_display()
    )


def _grant_reversal(movement: Movement) -> MovedByGrantReversal:
    grant = movement.transfer.revoked_grant
    return MovedByGrantReversal(
        grant_id=grant.id, reason=GrantReason(grant.reason), words=grant.get_reason_display()
    )


def _reward(movement: Movement) -> MovedByReward:
    return MovedByReward(reference=movement.transfer.reference, earned=movement.earned)


def _promo(movement: Movement) -> MovedByPromo:
    redemption = movement.transfer.promo_redemption
    return MovedByPromo(redemption_id=redemption.id, promo_code=redemption.promo_code.code)


def _period(movement: Movement) -> MovedByPeriod:
    return MovedByPeriod(**_of_period(movement))


def _period_reversal(movement: Movement) -> MovedByPeriodReversal:
    return MovedByPeriodReversal(**_of_period(movement))


def _of_period(movement: Movement) -> dict[str, Any]:
    """The members of both. Coins that come again are of the refund that did not stand."""
    booking = getattr(movement.transfer, "period_booking", None)
    period: PassPurchase = booking.purchase if booking else movement.transfer.period
    return {
        "purchase_id": period.id,
        "subscription_id": period.subscription_id,
        "provider": period.provider,
        "pass_code": period.product.code,
        "pass_title": period.product.title,
        "starts_at": period.store_starts_at,
        "ends_at": period.store_ends_at,
    }


def _expiry(movement: Movement) -> MovedByExpiry:
    lot = movement.lapsed
    if lot is None:
        raise RuntimeError(f"no lot has moved by the expiry {movement.transfer.id}")
    return MovedByExpiry(
        lot_id=lot.id,
        origin=LotOrigin(lot.origin),
        granted_coins=lot.granted_coins,
        granted_at=lot.granted_at,
        expires_at=lot.expires_at,
    )


def _repayment(movement: Movement) -> MovedByRepayment:
    return MovedByRepayment()


def _number(unlock: Unlock) -> int:
    """The episode's number when it was unlocked; the first unlocks did not keep it."""
    return unlock.number if unlock.number is not None else unlock.episode.number


_TELLERS: Mapping[TransferCode, Callable[[Movement], Cause]] = {
    TransferCode.PURCHASE: _purchase,
    TransferCode.UNLOCK: _unlock,
    TransferCode.UNLOCK_REVERSAL: _unlock_reversal,
    TransferCode.REFUND: _refund,
    TransferCode.REFUND_REVERSAL: _refund_reversal,
    TransferCode.GRANT: _grant,
    TransferCode.GRANT_REVERSAL: _grant_reversal,
    TransferCode.REWARD: _reward,
    TransferCode.PROMO: _promo,
    TransferCode.PERIOD: _period,
    TransferCode.PERIOD_REVERSAL: _period_reversal,
    TransferCode.EXPIRY: _expiry,
    TransferCode.REPAYMENT: _repayment,
}
