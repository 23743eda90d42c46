"""What the store knows: purchases, subscriptions, and what it told of them."""

from typing import Any

import msgspec

CONSUMABLE = "Consumable"
AUTO_RENEWABLE = "Auto-Renewable Subscription"
FAMILY_SHARED = "FAMILY_SHARED"

#: Statuses of subscriptions.
ACTIVE, EXPIRED, BILLING_RETRY, GRACE, REVOKED = 1, 2, 3, 4, 5


class Purchase(msgspec.Struct):
    """A transaction. Times are UNIX milliseconds, the price is in thousandths."""

    transaction_id: str
    original_transaction_id: str
    environment: str
    bundle_id: str
    product_id: str
    type: str
    purchased_at: int
    price: int
    currency: str
    account_token: str | None = None
    quantity: int = 1
    expires_at: int | None = None
    group: str | None = None
    ownership: str = "PURCHASED"
    reason: str = "PURCHASE"
    discount: str | None = None
    is_upgraded: bool = False
    revocation: dict[str, Any] = msgspec.field(default_factory=dict)

    def payload(self, signed_at: int) -> dict[str, Any]:
        """As the store signs it at a moment."""
        told = {
            "transactionId": self.transaction_id,
            "originalTransactionId": self.original_transaction_id,
            "bundleId": self.bundle_id,
            "productId": self.product_id,
            "purchaseDate": self.purchased_at,
            "originalPurchaseDate": self.purchased_at,
            "quantity": self.quantity,
            "type": self.type,
            "inAppOwnershipType": self.ownership,
            "signedDate": signed_at,
            "environment": self.environment,
            "transactionReason": self.reason,
            "storefront": "USA",
            "storefrontId": "143441",
            "price": self.price,
            "currency": self.currency,
            "subscriptionGroupIdentifier": self.group,
            "expiresDate": self.expires_at,
            "appAccountToken": self.account_token,
            "offerDiscountType": self.discount,
            "isUpgraded": self.is_upgraded or None,
            **self.revocation,
        }
        return {name: value for name, value in told.items() if value is not None}


class Subscription(msgspec.Struct):
    """What is to become of the purchase `last`. `pays` is whether the next charge will go through."""

    original_transaction_id: str
    last: str
    renews_as: str
    renewal_price: int
    period_days: int
    status: int = ACTIVE
    auto_renews: bool = True
    pays: bool = True
    grace_days: int = 0
    grace_until: int | None = None
    failed_at: int | None = None
    expiration_intent: int | None = None
    price_increase_status: int | None = None

    def payload(self, last: Purchase, signed_at: int) -> dict[str, Any]:
        """The renewal information as the store signs it at a moment."""
        told = {
            "originalTransactionId": self.original_transaction_id,
            "productId": last.product_id,
            "autoRenewProductId": self.renews_as,
            "autoRenewStatus": int(self.auto_renews),
            "renewalPrice": self.renewal_price if self.auto_renews else None,
            "currency": last.currency if self.auto_renews else None,
            "signedDate": signed_at,
            "environment": last.environment,
            "renewalDate": last.expires_at,
            "isInBillingRetryPeriod": self.status in {BILLING_RETRY, GRACE},
            "gracePeriodExpiresDate": self.grace_until,
            "expirationIntent": self.expiration_intent,
            "priceIncreaseStatus": self.price_increase_status,
            "appAccountToken": last.account_token,
        }
        return {name: value for name, value in told.items() if value is not None}


class Notice(msgspec.Struct):
    """A notification, with what it carries not yet signed."""

    uuid: str
    environment: str
    type: str
    subtype: str | None
    signed_at: int
    status: int | None = None
    transaction: dict[str, Any] | None = None
    renewal: dict[str, Any] | None = None
    request_reason: str | None = None


class Books(msgspec.Struct):
    """Everything, as it is kept."""

    number: int = 2_000_000_000_000_000
    purchases: dict[str, Purchase] = msgspec.field(default_factory=dict)
    subscriptions: dict[str, Subscription] = msgspec.field(default_factory=dict)
    notices: list[Notice] = msgspec.field(default_factory=list)
    consumption: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def next_id(self) -> str:
        self.number += 1
        return str(self.number)

    def last_of(self, subscription: Subscription) -> Purchase:
        return self.purchases[subscription.last]
