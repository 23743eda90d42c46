"""Real-time developer notifications: what a Pub/Sub message of Google Play says.

They hint: what happened is asked of Google afterwards. Documentation: "Real-time developer notifications
reference guide".
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from payments.providers.base import Fault, ProviderError
from payments.providers.google.pubsub import Envelope

#: Google's words for the numbers of notificationType. Numbers that are not here are read back like the others.
SUBSCRIPTION_TYPES = {
    1: "SUBSCRIPTION_RECOVERED",
    2: "SUBSCRIPTION_RENEWED",
    3: "SUBSCRIPTION_CANCELED",
    4: "SUBSCRIPTION_PURCHASED",
    5: "SUBSCRIPTION_ON_HOLD",
    6: "SUBSCRIPTION_IN_GRACE_PERIOD",
    7: "SUBSCRIPTION_RESTARTED",
    8: "SUBSCRIPTION_PRICE_CHANGE_CONFIRMED",
    9: "SUBSCRIPTION_DEFERRED",
    10: "SUBSCRIPTION_PAUSED",
    11: "SUBSCRIPTION_PAUSE_SCHEDULE_CHANGED",
    12: "SUBSCRIPTION_REVOKED",
    13: "SUBSCRIPTION_EXPIRED",
    17: "SUBSCRIPTION_ITEMS_CHANGED",
    18: "SUBSCRIPTION_CANCELLATION_SCHEDULED",
    19: "SUBSCRIPTION_PRICE_CHANGE_UPDATED",
    20: "SUBSCRIPTION_PENDING_PURCHASE_CANCELED",
    22: "SUBSCRIPTION_PRICE_STEP_UP_CONSENT_UPDATED",
}
ONE_TIME_TYPES = {1: "ONE_TIME_PRODUCT_PURCHASED", 2: "ONE_TIME_PRODUCT_CANCELED"}
REFUND_TYPES = {
    1: "REFUND_TYPE_FULL_REFUND",
    2: "REFUND_TYPE_QUANTITY_BASED_PARTIAL_REFUND",
}
SUBSCRIPTION_PRODUCT = 1
FULL_REFUND = 1

_LATEST_MILLISECONDS = 2**42  # in the year 2109


class _Part(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    pass


class SubscriptionNotification(_Part, frozen=True):
    """A subscription's state changed."""

    purchase_token: str
    notification_type: int = 0

    @property
    def word(self) -> str:
        return SUBSCRIPTION_TYPES.get(self.notification_type, str(self.notification_type))


class OneTimeProductNotification(_Part, frozen=True):
    """A product was bought, or what waited for its payment is not to be."""

    purchase_token: str
    notification_type: int = 0

    @property
    def word(self) -> str:
        return ONE_TIME_TYPES.get(self.notification_type, str(self.notification_type))


class VoidedPurchaseNotification(_Part, frozen=True):
    """A payment went back. `product_type` is 1 for a subscription and 2 for a product."""

    purchase_token: str
    order_id: str
    product_type: int
    refund_type: int = FULL_REFUND

    @property
    def word(self) -> str:
        return REFUND_TYPES.get(self.refund_type, str(self.refund_type))


class PendingRefundReviewNotification(_Part, frozen=True):
    """Google is asked to refund, and asks what we know of it: within 24 hours."""

    pending_refund_token: str
    order_id: str
    refund_reason: str | int = ""

    @property
    def word(self) -> str:
        return ""


class ConsoleTrial(_Part, frozen=True):
    """The console's trial."""

    @property
    def word(self) -> str:
        return ""


Notification = (
    SubscriptionNotification
    | OneTimeProductNotification
    | VoidedPurchaseNotification
    | PendingRefundReviewNotification
    | ConsoleTrial
)


class _Data(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    package_name: str
    event_time_millis: int | None = None
    subscription_notification: SubscriptionNotification | None = None
    one_time_product_notification: OneTimeProductNotification | None = None
    voided_purchase_notification: VoidedPurchaseNotification | None = None
    pending_refund_review_notification: PendingRefundReviewNotification | None = None
    test_notification: ConsoleTrial | None = None


@dataclass(frozen=True)
class Hint:
    """What a message says. `notification` is None where it is of a kind that is not known, or unreadable."""

    type: str
    occurred_at: datetime
    notification: Notification | None


def read(envelope: Envelope, *, package_name: str, now: datetime) -> Hint:
    """A message's data. Raises ProviderError (FOREIGN) if it is of another app."""
    published_at = envelope.message.publish_time or now
    try:
        data = msgspec.json.decode(envelope.content, type=_Data, strict=False)
    except (ValueError, RecursionError):
        return Hint("unreadable", published_at, None)
    if data.package_name != package_name:
        raise ProviderError(f"of another app: {data.package_name!r:.100}", Fault.FOREIGN)
    kinds = [name for name in _KINDS if getattr(data, name) is not None]
    occurred_at = moment(data.event_time_millis) or published_at
    if len(kinds) != 1:
        return Hint("unknown", occurred_at, None)
    notification: Notification = getattr(data, kinds[0])
    word = notification.word
    return Hint(f"{_KINDS[kinds[0]]}.{word}".rstrip("."), occurred_at, notification)


_KINDS = {
    "subscription_notification": "subscriptionNotification",
    "one_time_product_notification": "oneTimeProductNotification",
    "voided_purchase_notification": "voidedPurchaseNotification",
    "pending_refund_review_notification": "pendingRefundReviewNotification",
    "test_notification": "testNotification",
}


def moment(milliseconds: int | None) -> datetime | None:
    """A moment of Google's; None for what is none."""
    if milliseconds is None or not 0 < milliseconds < _LATEST_MILLISECONDS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
