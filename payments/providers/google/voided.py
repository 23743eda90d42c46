"""What Google says is voided: by a notification, or in its list. Both name an order and say little more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from payments.providers.google.notifications import (
    FULL_REFUND,
    SUBSCRIPTION_PRODUCT,
    VoidedPurchaseNotification,
    moment,
)
from payments.providers.google.refunds import REASONS, Told
from payments.providers.google.resources import VoidedPurchase


@dataclass(frozen=True)
class Voided:
    """A payment that went back, or some of its units. The list does not say whether of a subscription."""

    purchase_token: str
    order_id: str
    is_subscription: bool | None
    told: Told

    @classmethod
    def notified(cls, notification: VoidedPurchaseNotification, at: datetime) -> Self:
        """By a notification of that moment."""
        return cls(
            purchase_token=notification.purchase_token,
            order_id=notification.order_id,
            is_subscription=notification.product_type == SUBSCRIPTION_PRODUCT,
            told=Told(at, is_whole=notification.refund_type == FULL_REFUND),
        )

    @classmethod
    def listed(cls, purchase: VoidedPurchase, now: datetime) -> Self:
        """By an entry of purchases.voidedpurchases."""
        at = moment(purchase.voided_time_millis) or now
        reason = REASONS.get(purchase.voided_reason, str(purchase.voided_reason))
        return cls(
            purchase_token=purchase.purchase_token,
            order_id=purchase.order_id,
            is_subscription=None,
            told=Told(at, reason=reason, is_whole=not purchase.voided_quantity),
        )
