"""Where everything is sold and given back: it keeps the books of one moment, and what is to be told."""

import secrets
import string
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from demo.stores.google.books import Books, Order, OrderLine, Part, Purchase, Subscription, Void
from demo.stores.google.refusals import unknown

#: notificationType of a subscription.
RECOVERED, RENEWED, CANCELED, PURCHASED, ON_HOLD, IN_GRACE, RESTARTED = 1, 2, 3, 4, 5, 6, 7
PAUSED, PAUSE_SCHEDULED, REVOKED, EXPIRED, ITEMS_CHANGED, PENDING_CANCELED = 10, 11, 12, 13, 17, 20
#: productType and refundType of a voided purchase.
SUBSCRIPTION, ONE_TIME = 1, 2
FULL, PARTIAL = 1, 2

USER, DEVELOPER, GOOGLE = 0, 1, 2
CHARGEBACK, UNACKNOWLEDGED = 7, 8


class Till:
    """`told` is a list of notifications, each with the moment of what it tells."""

    def __init__(self, books: Books, now: datetime) -> None:
        self.books = books
        self.now = now
        self.told: list[tuple[datetime, Mapping[str, Any]]] = []

    def purchase(self, token: str) -> Purchase:
        """Raises Rejected."""
        found = self.books.purchases.get(token)
        if found is None:
            raise unknown("purchaseTokenNotFound")
        return found

    def subscription(self, token: str) -> Subscription:
        """Raises Rejected."""
        found = self.books.subscriptions.get(token)
        if found is None:
            raise unknown("purchaseTokenNotFound")
        return found

    def order(self, order_id: str) -> Order:
        """Raises Rejected."""
        found = self.books.orders.get(order_id)
        if found is None:
            raise unknown("orderNotFound")
        return found

    def new_order(
        self,
        order_id: str,
        token: str,
        currency: str,
        lines: Sequence[OrderLine],
        *,
        is_paid: bool,
    ) -> None:
        """An order of now."""
        self.books.orders[order_id] = Order(
            order_id=order_id,
            token=token,
            currency=currency,
            lines=list(lines),
            created_at=self.now,
            processed_at=self.now if is_paid else None,
        )

    def tell_of_subscription(self, subscription: Subscription, kind: int) -> None:
        self._tell(
            "subscriptionNotification",
            {
                "version": "1.0",
                "notificationType": kind,
                "purchaseToken": subscription.token,
                "subscriptionId": subscription.plan.product_id,
            },
        )

    def tell_of_purchase(self, purchase: Purchase, kind: int) -> None:
        self._tell(
            "oneTimeProductNotification",
            {
                "version": "1.0",
                "notificationType": kind,
                "purchaseToken": purchase.token,
                "sku": purchase.lines[0].product_id,
            },
        )

    def tell(self, kind: str, content: Mapping[str, Any]) -> None:
        """A notification of another kind."""
        self._tell(kind, content)

    def give_back(
        self,
        order: Order,
        *,
        kind: int,
        reason: int,
        source: int,
        micros: int | None = None,
        quantity: int | None = None,
    ) -> None:
        """All of an order, or some of it: in the books, in the list, and told of."""
        if micros is None:
            order.refunded_at = self.now
            order.is_chargeback = reason == CHARGEBACK
        else:
            order.parts.append(Part(self.now, micros))
        entry = Void(
            *(order.token, order.order_id, order.created_at, self.now, reason, source, quantity)
        )
        self.books.voided.append(entry)
        self._tell(
            "voidedPurchaseNotification",
            {
                "purchaseToken": order.token,
                "orderId": order.order_id,
                "productType": kind,
                "refundType": FULL if quantity is None else PARTIAL,
            },
        )

    def _tell(self, kind: str, content: Mapping[str, Any]) -> None:
        self.told.append((self.now, {kind: content}))


def new_token() -> str:
    """As long as Google's."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(24))
    return f"{letters}.AO-J1O{secrets.token_urlsafe(84)}"


def new_order_id() -> str:
    """`GPA.1234-1234-1234-12345`."""
    digits = "".join(secrets.choice(string.digits) for _ in range(17))
    return f"GPA.{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:]}"
