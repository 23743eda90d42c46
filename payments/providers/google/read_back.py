"""What became of a purchase, asked of Google: its own answer and its order's, as facts."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from payments.providers.base import (
    Facts,
    Fault,
    ProviderError,
    RefundQuestion,
    StoreRefund,
    SubscriptionSnapshot,
)
from payments.providers.google import purchases, refunds, subscriptions
from payments.providers.google.api import AndroidPublisher
from payments.providers.google.names import line_names, token_of
from payments.providers.google.notifications import PendingRefundReviewNotification
from payments.providers.google.refunds import Told
from payments.providers.google.resources import Order, SubscriptionPurchase, unreadable
from payments.providers.google.settings import GoogleSettings
from payments.providers.google.voided import Voided

Found = TypeVar("Found")


class ReadBack:
    """Reads through one app's API. Everything raises ProviderError as `AndroidPublisher` does.

    OTHER_ENVIRONMENT is a test purchase, or a true one, where such are not served.
    """

    def __init__(self, settings: GoogleSettings, api: AndroidPublisher) -> None:
        self._settings = settings
        self._api = api

    def product(self, token: str, told: Told) -> Facts:
        """What a token bought once, and what of that went back."""
        purchase = self._api.product(token)
        self._check_served(purchases.environment(purchase))
        order = self._order(purchase.order_id)
        return purchases.facts(purchase, token=token, order=order, told=told)

    def subscription(
        self, token: str, now: datetime, *, heard_at: datetime | None = None
    ) -> tuple[SubscriptionSnapshot, ...]:
        """A subscription; and if it was to replace another and never will, the other, which goes on. `heard_at`
        is when Google said that something happened to it."""
        purchase = self._api.subscription(token)
        found = self._snapshots(purchase, token, now, heard_at)
        other = purchase.linked_purchase_token
        if purchase.subscription_state == subscriptions.NEVER_TO_BE and other:
            replaced = if_known(lambda: self._api.subscription(other))
            if replaced is not None:
                found += self._snapshots(replaced, other, now)
        return found

    def of_order(self, order: Order, now: datetime) -> Facts:
        """What an order bought, and what of it went back, whichever of a subscription's periods it paid."""
        if not order.is_of_subscription:
            return self.product(token_of(order.purchase_token), Told(now))
        purchase = if_known(lambda: self._api.subscription(token_of(order.purchase_token)))
        if purchase is not None:
            self._check_served(subscriptions.environment(purchase))
        environment = self._settings.environment
        if purchase is not None:
            environment = subscriptions.environment(purchase)
        return self.of_known_order(order, environment, now, purchase=purchase)

    def of_known_order(
        self,
        order: Order,
        environment: str,
        now: datetime,
        *,
        purchase: SubscriptionPurchase | None = None,
    ) -> Facts:
        """The same of a subscription's order of which it is known where it was sold. Asks nobody, and says whose
        the subscription is only where that is handed in."""
        found: Facts = ()
        if order.was_processed:
            found = subscriptions.earlier(order, environment=environment, purchase=purchase)
        if order.has_gone_back:
            found += refunds.of_order(order, environment=environment, told=Told(now))
        return found

    def voided(self, voided: Voided, now: datetime) -> Facts:
        """What went back, and what it went back of, as far as Google still knows that."""
        order = self._order(voided.order_id)
        is_subscription = voided.is_subscription
        if is_subscription is None and order is not None:
            is_subscription = order.is_of_subscription
        if is_subscription:
            return self._voided_period(voided, order, now)
        facts = if_known(lambda: self.product(token_of(voided.purchase_token), voided.told))
        if facts is None and is_subscription is None:
            return self._voided_period(voided, order, now)
        if facts is None and voided.told.is_whole:
            return (self._all_of(token_of(voided.purchase_token), voided.told),)
        if not any(isinstance(fact, StoreRefund) for fact in facts or ()):
            raise unreadable("a purchase that does not show its refund yet")
        return facts or ()

    def question(
        self, asked: PendingRefundReviewNotification, at: datetime, now: datetime
    ) -> RefundQuestion:
        """A question of one order, of whose several lines the first stands for all."""
        order = self._api.order(asked.order_id)
        token = token_of(order.purchase_token)
        if order.is_of_subscription:
            snapshots = if_known(lambda: self.subscription(token, now))
            environment = snapshots[0].environment if snapshots else self._settings.environment
            name = line_names(order.order_id, order.product_ids)[0]
        else:
            purchase = if_known(lambda: self._api.product(token))
            environment = self._settings.environment
            if purchase is not None:
                environment = purchases.environment(purchase)
            name = line_names(token, order.product_ids)[0]
        return RefundQuestion(
            environment=environment,
            transaction_id=name,
            question_id=f"{order.order_id} {asked.pending_refund_token}",
            asked_at=at,
            reason=str(asked.refund_reason),
        )

    def _voided_period(self, voided: Voided, order: Order | None, now: datetime) -> Facts:
        snapshots = if_known(lambda: self.subscription(token_of(voided.purchase_token), now)) or ()
        if order is None:
            return (self._all_of(voided.order_id, voided.told), *snapshots)
        environment = snapshots[0].environment if snapshots else self._settings.environment
        return (*refunds.of_order(order, environment=environment, told=voided.told), *snapshots)

    def _all_of(self, name: str, told: Told) -> StoreRefund:
        """A refund of which nothing is known any more but that it was."""
        return refunds.of_all(name, environment=self._settings.environment, order=None, told=told)

    def _snapshots(
        self,
        purchase: SubscriptionPurchase,
        token: str,
        now: datetime,
        heard_at: datetime | None = None,
    ) -> tuple[SubscriptionSnapshot, ...]:
        self._check_served(subscriptions.environment(purchase))
        ids = {line.latest_successful_order_id for line in subscriptions.owned(purchase)}
        orders = {order_id: order for order_id in sorted(ids) if (order := self._order(order_id))}
        return subscriptions.snapshots(
            purchase, token=token, orders=orders, now=now, heard_at=heard_at
        )

    def _order(self, order_id: str) -> Order | None:
        """None where there is no order: of a promotion, or of some test."""
        return if_known(lambda: self._api.order(order_id)) if order_id else None

    def _check_served(self, environment: str) -> None:
        if environment not in self._settings.environments:
            raise ProviderError(f"of {environment}, not served here", Fault.OTHER_ENVIRONMENT)


def if_known(ask: Callable[[], Found]) -> Found | None:
    """What Google answers; None where it does not know what it is asked about, or not any more."""
    try:
        return ask()
    except ProviderError as error:
        if error.fault in {Fault.GONE, Fault.MALFORMED}:
            return None
        raise
