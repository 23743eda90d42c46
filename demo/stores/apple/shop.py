"""The store itself: sells, renews, takes back, and tells of it."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from demo.stores.apple.authority import Authority
from demo.stores.apple.books import (
    ACTIVE,
    AUTO_RENEWABLE,
    BILLING_RETRY,
    CONSUMABLE,
    EXPIRED,
    FAMILY_SHARED,
    GRACE,
    REVOKED,
    Books,
    Notice,
    Purchase,
    Subscription,
)
from demo.stores.deliveries import Deliveries
from demo.stores.kept import Kept
from demo.stores.messages import Answer, Rejected

DAY = 24 * 3600 * 1000
#: The store gives up on a payment after so long.
RETRIES_FOR = 60 * DAY
WHOLE = 100_000
CANCELLED, UNPAID, NO_CONSENT = 1, 2, 3


class App(msgspec.Struct, frozen=True):
    """Whose store it is, and where notifications go, by environment."""

    bundle_id: str
    app_apple_id: int
    notify: dict[str, str]


class Sale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody buys. The price is in thousandths, of all of the quantity; `period_days` makes it a
    subscription, and `grace_days` is what an unpaid renewal of it leaves open."""

    product_id: str
    price: int
    currency: str = "USD"
    environment: str = "Production"
    account_token: str | None = None
    quantity: int = 1
    type: str = CONSUMABLE
    period_days: int | None = None
    group: str = "21000000"
    is_family_shared: bool = False
    discount: str | None = None
    renewal_price: int | None = None
    grace_days: int = 0


class Shop:
    """Every command is done at once, on top of what time has brought about before it."""

    def __init__(
        self,
        *,
        app: App,
        authority: Authority,
        books: Kept[Books],
        clock: Callable[[], datetime],
        deliveries: Deliveries,
    ) -> None:
        self.app = app
        self.authority = authority
        self.books = books
        self._clock = clock
        self._deliveries = deliveries

    def notify(self, addresses: dict[str, str]) -> None:
        """Where notifications go from now on, by environment."""
        self.app = msgspec.structs.replace(self.app, notify=addresses)

    def arrived(self) -> set[str]:
        """The notifications that were answered with success."""
        told = self._deliveries.told()
        return {one.name for one in told.attempts if 200 <= one.status < 300}

    def now(self) -> int:
        """UNIX milliseconds."""
        return int(self._clock().timestamp() * 1000)

    def sell(self, sale: Sale) -> Purchase:
        """Something new to this buyer."""
        with self.books.changing() as books:
            now = self._catch_up(books)
            purchase = self._purchase(books, sale, now)
            if sale.period_days is None:
                self._tell(books, now, "ONE_TIME_CHARGE", None, purchase)
                return purchase
            subscription = Subscription(
                original_transaction_id=purchase.transaction_id,
                last=purchase.transaction_id,
                renews_as=sale.product_id,
                renewal_price=sale.price if sale.renewal_price is None else sale.renewal_price,
                period_days=sale.period_days,
                grace_days=sale.grace_days,
            )
            books.subscriptions[purchase.transaction_id] = subscription
            self._tell(books, now, "SUBSCRIBED", "INITIAL_BUY", purchase)
            return purchase

    def catch_up(self) -> None:
        """Everything that time has brought about."""
        with self.books.reading() as books:
            now = self.now()
            if all((_due(books, one) or now + 1) > now for one in books.subscriptions.values()):
                return
        with self.books.changing() as books:
            self._catch_up(books)

    def renew(self, original_id: str) -> Purchase:
        """The next period now, beginning where the last ends."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            return self._renew(books, subscription, now, None)

    def fail(self, original_id: str, grace_days: int | None) -> None:
        """The period ends now and its renewal is not paid."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            subscription.pays = False
            if grace_days is not None:
                subscription.grace_days = grace_days
            self._end(books, subscription, now)

    def recover(self, original_id: str) -> Purchase:
        """What was not paid is paid now."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            _require(subscription.status in {BILLING_RETRY, GRACE}, "nothing is unpaid")
            subscription.pays = True
            starts = now if subscription.status == BILLING_RETRY else None
            return self._renew(books, subscription, now, "BILLING_RECOVERY", starts=starts)

    def expire(self, original_id: str) -> None:
        """The period ends now and there is none after it."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            subscription.auto_renews = False
            self._end(books, subscription, now)

    def set_renewal(self, original_id: str, *, is_on: bool) -> None:
        """A subscriber cancels, or has thought better of it."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            subscription.auto_renews = is_on
            subtype = "AUTO_RENEW_ENABLED" if is_on else "AUTO_RENEW_DISABLED"
            last = books.last_of(subscription)
            self._tell(books, now, "DID_CHANGE_RENEWAL_STATUS", subtype, last)

    def resubscribe(self, original_id: str) -> Purchase:
        """After it has ended."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            _require(subscription.status in {EXPIRED, REVOKED}, "it has not ended")
            return self._begin(books, subscription, now, "SUBSCRIBED", "RESUBSCRIBE")

    def change(self, original_id: str, product_id: str, price: int, *, is_upgrade: bool) -> None:
        """Another product of the group: at once, or from the next period."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            last = books.last_of(subscription)
            subscription.renews_as, subscription.renewal_price = product_id, price
            if is_upgrade:
                last.is_upgraded = True
                self._begin(books, subscription, now, "DID_CHANGE_RENEWAL_PREF", "UPGRADE")
            else:
                self._tell(books, now, "DID_CHANGE_RENEWAL_PREF", "DOWNGRADE", last)

    def raise_price(self, original_id: str, price: int) -> None:
        """The next period costs more, and the subscriber is asked."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            subscription.renewal_price, subscription.price_increase_status = price, 0
            last = books.last_of(subscription)
            self._tell(books, now, "PRICE_INCREASE", "PENDING", last)

    def consent(self, original_id: str) -> None:
        """The subscriber agrees to that."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            _require(subscription.price_increase_status == 0, "nobody was asked")
            subscription.price_increase_status = 1
            last = books.last_of(subscription)
            self._tell(books, now, "PRICE_INCREASE", "ACCEPTED", last)

    def revoke_family(self, original_id: str) -> None:
        """Whoever shared it shares no more."""
        with self.books.changing() as books:
            now, subscription = self._found(books, original_id)
            last = books.last_of(subscription)
            _require(last.ownership == FAMILY_SHARED, "it is not shared")
            last.revocation = {
                "revocationDate": now,
                "revocationReason": 0,
                "revocationType": "FAMILY_REVOKE",
            }
            subscription.status, subscription.auto_renews = REVOKED, False
            self._tell(books, now, "REVOKE", None, last)

    def refund(self, transaction_id: str, percentage: int, reason: int) -> None:
        """Money goes back: all of it, or so many thousandths of a per cent."""
        with self.books.changing() as books:
            now, purchase = self._bought(books, transaction_id)
            _require(not purchase.revocation, "it is refunded")
            _require(0 < percentage <= WHOLE, "the percentage is in thousandths")
            purchase.revocation = {
                "revocationDate": now,
                "revocationReason": reason,
                "revocationType": "REFUND_FULL" if percentage == WHOLE else "REFUND_PRORATED",
                "revocationPercentage": percentage,
            }
            subscription = self._lives_by(books, purchase)
            if subscription:
                subscription.status, subscription.auto_renews = REVOKED, False
            self._tell(books, now, "REFUND", None, purchase)

    def reverse_refund(self, transaction_id: str) -> None:
        """The refund is taken back."""
        with self.books.changing() as books:
            now, purchase = self._bought(books, transaction_id)
            _require(bool(purchase.revocation), "it is not refunded")
            purchase.revocation = {}
            subscription = self._lives_by(books, purchase)
            if subscription and (purchase.expires_at or 0) > now:
                subscription.status = ACTIVE
            self._tell(books, now, "REFUND_REVERSED", None, purchase)

    def decline_refund(self, transaction_id: str) -> None:
        """Somebody asked for a refund and gets none."""
        with self.books.changing() as books:
            now, purchase = self._bought(books, transaction_id)
            self._tell(books, now, "REFUND_DECLINED", None, purchase)

    def ask(self, transaction_id: str, reason: str) -> None:
        """Somebody asks for a refund, and the store asks what became of the purchase."""
        with self.books.changing() as books:
            now, purchase = self._bought(books, transaction_id)
            self._tell(books, now, "CONSUMPTION_REQUEST", None, purchase, reason=reason)

    def test(self, environment: str) -> str:
        """A notification about nothing; its name."""
        with self.books.changing() as books:
            return self._tell(books, self.now(), "TEST", None, None, environment=environment)

    def signed(self, transaction_id: str) -> str:
        """The transaction as a device would have it now."""
        with self.books.changing() as books:
            now, purchase = self._bought(books, transaction_id)
            return self.authority.sign(purchase.payload(now))

    def signed_payload(self, notice: Notice) -> str:
        """A notification, signed, with all that is in it."""
        about: dict[str, Any] = {
            "appAppleId": self.app.app_apple_id,
            "bundleId": self.app.bundle_id,
            "bundleVersion": "1",
            "environment": notice.environment,
        }
        if notice.transaction is not None:
            about["signedTransactionInfo"] = self.authority.sign(notice.transaction)
        if notice.renewal is not None:
            about |= {
                "signedRenewalInfo": self.authority.sign(notice.renewal),
                "status": notice.status,
            }
        if notice.request_reason is not None:
            about["consumptionRequestReason"] = notice.request_reason
        payload = {
            "notificationType": notice.type,
            "notificationUUID": notice.uuid,
            "version": "2.0",
            "signedDate": notice.signed_at,
            "data": about,
        }
        if notice.subtype:
            payload["subtype"] = notice.subtype
        return self.authority.sign(payload)

    def _purchase(self, books: Books, sale: Sale, now: int) -> Purchase:
        name = books.next_id()
        is_subscription = sale.period_days is not None
        books.purchases[name] = purchase = Purchase(
            transaction_id=name,
            original_transaction_id=name,
            environment=sale.environment,
            bundle_id=self.app.bundle_id,
            product_id=sale.product_id,
            type=AUTO_RENEWABLE if is_subscription else sale.type,
            purchased_at=now,
            price=sale.price,
            currency=sale.currency,
            account_token=sale.account_token,
            quantity=sale.quantity,
            expires_at=now + sale.period_days * DAY if sale.period_days is not None else None,
            group=sale.group if is_subscription else None,
            ownership=FAMILY_SHARED if sale.is_family_shared else "PURCHASED",
            discount=sale.discount,
        )
        return purchase

    def _catch_up(self, books: Books) -> int:
        """What was due by now, in its order; the time."""
        now = self.now()
        while True:
            due = [(at, one) for one in books.subscriptions.values() if (at := _due(books, one))]
            at, subscription = min(due, key=lambda each: each[0], default=(now + 1, None))
            if subscription is None or at > now:
                return now
            self._go_on(books, subscription, at)

    def _go_on(self, books: Books, subscription: Subscription, at: int) -> None:
        """What happens to a subscription at a moment that is due."""
        last = books.last_of(subscription)
        if subscription.status == BILLING_RETRY:
            self._close(books, subscription, at, "BILLING_RETRY", UNPAID)
        elif subscription.status == GRACE:
            subscription.status, subscription.grace_until = BILLING_RETRY, None
            self._tell(books, at, "GRACE_PERIOD_EXPIRED", None, last)
        elif not subscription.auto_renews:
            self._close(books, subscription, at, "VOLUNTARY", CANCELLED)
        elif subscription.price_increase_status == 0:
            self._close(books, subscription, at, "PRICE_INCREASE", NO_CONSENT)
        elif subscription.pays:
            self._renew(books, subscription, at, None)
        else:
            has_grace = subscription.grace_days > 0
            subscription.failed_at = at
            subscription.status = GRACE if has_grace else BILLING_RETRY
            subscription.grace_until = at + subscription.grace_days * DAY if has_grace else None
            subtype = "GRACE_PERIOD" if has_grace else None
            self._tell(books, at, "DID_FAIL_TO_RENEW", subtype, last)

    def _end(self, books: Books, subscription: Subscription, now: int) -> None:
        _require(subscription.status == ACTIVE, "it is not active")
        books.last_of(subscription).expires_at = now
        self._go_on(books, subscription, now)

    def _close(
        self, books: Books, subscription: Subscription, at: int, subtype: str, intent: int
    ) -> None:
        subscription.status, subscription.expiration_intent = EXPIRED, intent
        subscription.auto_renews, subscription.grace_until = False, None
        self._tell(books, at, "EXPIRED", subtype, books.last_of(subscription))

    def _renew(
        self,
        books: Books,
        subscription: Subscription,
        at: int,
        subtype: str | None,
        *,
        starts: int | None = None,
    ) -> Purchase:
        starts = books.last_of(subscription).expires_at if starts is None else starts
        return self._begin(
            books, subscription, at, "DID_RENEW", subtype, starts=starts, reason="RENEWAL"
        )

    def _begin(
        self,
        books: Books,
        subscription: Subscription,
        at: int,
        type_: str,
        subtype: str | None,
        *,
        starts: int | None = None,
        reason: str = "PURCHASE",
    ) -> Purchase:
        """A new period, which is paid."""
        last, name = books.last_of(subscription), books.next_id()
        starts = at if starts is None else starts
        books.purchases[name] = purchase = msgspec.structs.replace(
            last,
            transaction_id=name,
            product_id=subscription.renews_as,
            purchased_at=starts,
            price=subscription.renewal_price,
            expires_at=starts + subscription.period_days * DAY,
            reason=reason,
            discount=None,
            is_upgraded=False,
            revocation={},
        )
        subscription.last, subscription.status = name, ACTIVE
        subscription.auto_renews, subscription.pays = True, True
        subscription.grace_until = subscription.failed_at = None
        subscription.expiration_intent = subscription.price_increase_status = None
        self._tell(books, at, type_, subtype, purchase)
        return purchase

    def _tell(
        self,
        books: Books,
        at: int,
        type_: str,
        subtype: str | None,
        purchase: Purchase | None,
        *,
        reason: str | None = None,
        environment: str = "Production",
    ) -> str:
        notice = Notice(
            uuid=str(uuid.uuid4()),
            environment=purchase.environment if purchase else environment,
            type=type_,
            subtype=subtype,
            signed_at=at,
            transaction=purchase.payload(at) if purchase else None,
            request_reason=reason,
        )
        subscription = purchase and books.subscriptions.get(purchase.original_transaction_id)
        if subscription:
            notice.renewal = subscription.payload(books.last_of(subscription), at)
            notice.status = subscription.status
        books.notices.append(notice)
        self._deliveries.send(
            name=notice.uuid,
            url=self.app.notify.get(notice.environment, ""),
            headers=lambda body, sent_at: {},
            body=msgspec.json.encode({"signedPayload": self.signed_payload(notice)}),
            at=datetime.fromtimestamp(at / 1000, UTC),
        )
        return notice.uuid

    def _found(self, books: Books, original_id: str) -> tuple[int, Subscription]:
        now = self._catch_up(books)
        if original_id not in books.subscriptions:
            raise Rejected(Answer.of({"error": "no such subscription"}, status=404))
        return now, books.subscriptions[original_id]

    def _bought(self, books: Books, transaction_id: str) -> tuple[int, Purchase]:
        now = self._catch_up(books)
        if transaction_id not in books.purchases:
            raise Rejected(Answer.of({"error": "no such transaction"}, status=404))
        return now, books.purchases[transaction_id]

    def _lives_by(self, books: Books, purchase: Purchase) -> Subscription | None:
        """The subscription whose last period this is."""
        found = books.subscriptions.get(purchase.original_transaction_id)
        return found if found and found.last == purchase.transaction_id else None


def _due(books: Books, subscription: Subscription) -> int | None:
    """When something happens to a subscription by itself."""
    if subscription.status == ACTIVE:
        return books.last_of(subscription).expires_at
    if subscription.status == GRACE:
        return subscription.grace_until
    if subscription.status == BILLING_RETRY and subscription.failed_at is not None:
        return subscription.failed_at + RETRIES_FOR
    return None


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Rejected(Answer.of({"error": otherwise}, status=409))
