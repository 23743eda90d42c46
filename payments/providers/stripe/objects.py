"""Stripe's objects as far as anything is read from them, in the shape of API version 2026-10-28.endive.

Members that Stripe adds are passed over. Where an object of an older version may come in, as an event's may, what
was named otherwise then is read, too.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

Item = TypeVar("Item")

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,255}$")]
#: Seconds since 1970, to the end of the year 9999.
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Amount = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]
Currency = Annotated[str, msgspec.Meta(pattern="^[a-z]{3}$")]
#: Values are strings, of 500 characters at most.
Metadata = Mapping[str, str]


def moment(seconds: int) -> datetime:
    """A moment of Stripe's."""
    return datetime.fromtimestamp(seconds, UTC)


class Reference(msgspec.Struct, frozen=True):
    """An object of which only the name is read, where Stripe was or may have been asked to put it in."""

    id: Id


def name_of(reference: Reference | str | None) -> str:
    """The name, whether or not the object was put in its place; "" for none."""
    if isinstance(reference, Reference):
        return reference.id
    return reference or ""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A page of a list, newest first."""

    data: Sequence[Item]
    has_more: bool = False


class _Live(msgspec.Struct, frozen=True):
    livemode: bool

    @property
    def environment(self) -> str:
        return "production" if self.livemode else "sandbox"


class CheckoutSession(_Live, frozen=True, kw_only=True):
    """A hosted checkout. `payment_intent` is not there before somebody pays."""

    id: Id
    object: Literal["checkout.session"]
    created: Moment
    mode: str
    status: str | None = None
    payment_status: str
    url: str | None = None
    expires_at: Moment | None = None
    amount_total: Amount | None = None
    currency: Currency | None = None
    payment_intent: Reference | Id | None = None
    subscription: Reference | Id | None = None
    customer: Reference | Id | None = None
    metadata: Metadata | None = None


class PaymentIntent(_Live, frozen=True, kw_only=True):
    """A payment, from the first attempt to the one that succeeds."""

    id: Id
    object: Literal["payment_intent"]
    created: Moment
    status: str
    amount: Amount
    amount_received: Amount | None = None
    currency: Currency
    customer: Reference | Id | None = None
    client_secret: str | None = None
    last_payment_error: Any = None
    metadata: Metadata | None = None

    @property
    def paid(self) -> int:
        """What came of a payment that succeeded, all of it where it is not said."""
        return self.amount if self.amount_received is None else self.amount_received


class _Price(msgspec.Struct, frozen=True):
    id: Id


class SubscriptionItem(msgspec.Struct, frozen=True):
    """What is subscribed to. Periods are the item's since 2025-03-31."""

    price: _Price
    current_period_start: Moment
    current_period_end: Moment


class _Items(msgspec.Struct, frozen=True):
    data: Annotated[Sequence[SubscriptionItem], msgspec.Meta(min_length=1)]


class PauseCollection(msgspec.Struct, frozen=True):
    """No money is collected for a while: `void` and `keep_as_draft` close, `mark_uncollectible` gives away."""

    behavior: str
    resumes_at: Moment | None = None


class _Period(msgspec.Struct, frozen=True):
    start: Moment
    end: Moment


class _LineDetails(msgspec.Struct, frozen=True):
    proration: bool = False
    subscription: Reference | Id | None = None


class _LineParent(msgspec.Struct, frozen=True):
    type: str
    subscription_item_details: _LineDetails | None = None
    invoice_item_details: _LineDetails | None = None


class _PriceDetails(msgspec.Struct, frozen=True):
    price: Reference | Id


class _Discounted(msgspec.Struct, frozen=True):
    amount: Amount


class _Pricing(msgspec.Struct, frozen=True):
    price_details: _PriceDetails | None = None


class InvoiceLine(msgspec.Struct, frozen=True):
    """A line of an invoice: of a subscription's item, or of what came beside it. `amount` is before discounts."""

    amount: Amount
    period: _Period
    parent: _LineParent | None = None
    pricing: _Pricing | None = None
    discount_amounts: Sequence[_Discounted] | None = None

    @property
    def is_of_subscription(self) -> bool:
        """Whether it is of a subscription's time. A proration may be an invoice item of its own."""
        parent = self.parent
        return parent is not None and (
            parent.subscription_item_details is not None or self.is_proration
        )

    @property
    def is_proration(self) -> bool:
        """Whether it charges or credits the rest of a period, as the plan was changed."""
        if self.parent is None:
            return False
        item, apart = self.parent.subscription_item_details, self.parent.invoice_item_details
        is_apart = apart is not None and apart.proration and bool(name_of(apart.subscription))
        return is_apart or (item is not None and item.proration)

    @property
    def price(self) -> int:
        """What it costs after discounts."""
        return self.amount - sum(discounted.amount for discounted in self.discount_amounts or ())

    @property
    def price_id(self) -> str:
        details = self.pricing.price_details if self.pricing else None
        return name_of(details.price) if details else ""


class _SubscriptionDetails(msgspec.Struct, frozen=True):
    subscription: Reference | Id
    metadata: Metadata | None = None


class _InvoiceParent(msgspec.Struct, frozen=True):
    subscription_details: _SubscriptionDetails | None = None


class _StatusTransitions(msgspec.Struct, frozen=True):
    paid_at: Moment | None = None


class Invoice(_Live, frozen=True, kw_only=True):
    """A bill. A subscription's hangs below `parent` since 2025-03-31."""

    id: Id
    object: Literal["invoice"]
    created: Moment
    status: str | None
    billing_reason: str | None = None
    amount_paid: Amount
    currency: Currency
    lines: Page[InvoiceLine]
    parent: _InvoiceParent | None = None
    status_transitions: _StatusTransitions = _StatusTransitions()

    @property
    def is_paid(self) -> bool:
        return self.status == "paid"

    @property
    def is_renewal(self) -> bool:
        """Whether it is there because a period was over."""
        return self.billing_reason == "subscription_cycle"

    @property
    def subscription_id(self) -> str:
        details = self.parent.subscription_details if self.parent else None
        return name_of(details.subscription) if details else ""

    @property
    def told(self) -> Metadata | None:
        """What its subscription had for metadata when it was made."""
        details = self.parent.subscription_details if self.parent else None
        return details.metadata if details else None


class Subscription(_Live, frozen=True, kw_only=True):
    """A subscription with its latest invoice put in."""

    id: Id
    object: Literal["subscription"]
    created: Moment
    status: str
    customer: Reference | Id
    items: _Items
    cancel_at_period_end: bool = False
    cancel_at: Moment | None = None
    pause_collection: PauseCollection | None = None
    latest_invoice: Invoice | None = None
    metadata: Metadata | None = None

    @property
    def item(self) -> SubscriptionItem:
        """What is subscribed to: we sell one thing at a time."""
        return self.items.data[0]


class _InvoicePaymentDetails(msgspec.Struct, frozen=True):
    payment_intent: Reference | Id | None = None


class InvoicePayment(_Live, frozen=True, kw_only=True):
    """That a payment paid an invoice, which is put in where that was asked for."""

    invoice: Invoice | Id
    payment: _InvoicePaymentDetails
    status: str


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money on its way back. `status` is pending, requires_action, succeeded, failed or canceled."""

    id: Id
    object: Literal["refund"]
    created: Moment
    amount: Amount
    currency: Currency
    status: str | None = None
    reason: str | None = None
    payment_intent: Reference | Id | None = None
    metadata: Metadata | None = None


class _Moved(msgspec.Struct, frozen=True):
    amount: Amount
    created: Moment | None = None


class Dispute(_Live, frozen=True, kw_only=True):
    """A bank asks for the money back. `balance_transactions` is what it took, and gave back if it did."""

    id: Id
    object: Literal["dispute"]
    created: Moment
    amount: Amount
    currency: Currency
    status: str
    reason: str = ""
    payment_intent: Reference | Id | None = None
    balance_transactions: Sequence[_Moved] = ()

    @property
    def taken_at(self) -> datetime:
        """When the bank last took the money: a dispute that was won may be lost on appeal."""
        taken = [moved.created for moved in self.balance_transactions if moved.amount < 0]
        return moment(max([self.created, *(at for at in taken if at is not None)]))


class PortalSession(_Live, frozen=True, kw_only=True):
    """A page of Stripe's where a subscriber cancels, or pays otherwise."""

    url: str


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A charge, a refund or a dispute, in the buyer's currency."""

    id: str = ""
    amount: Amount | None = None
    currency: Currency | None = None
    payment_intent: Reference | Id | None = None
    metadata: Metadata | None = None


class BalanceTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the account's balance, in the currency that it settles in. `exchange_rate` made it so."""

    id: Id
    object: Literal["balance_transaction"]
    type: str
    amount: Amount
    fee: Amount
    net: Amount
    currency: Currency
    created: Moment
    available_on: Moment
    exchange_rate: Decimal | None = None
    source: _Source | Id | None = None


class Subject(msgspec.Struct, frozen=True):
    """Names inside an event's object, whatever it is and whichever version wrote it."""

    id: Id | None = None  # of what is yet to come there is none
    payment_intent: Reference | Id | None = None
    subscription: Reference | Id | None = None
    parent: _InvoiceParent | None = None

    @property
    def subscription_id(self) -> str:
        details = self.parent.subscription_details if self.parent else None
        return name_of(details.subscription if details else self.subscription)


class _EventData(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class Event(_Live, frozen=True, kw_only=True):
    """That something happened. `account` is there for accounts that are connected to ours."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,200}$")]
    object: Literal["event"]
    created: Moment
    type: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.]{1,100}$")]
    data: _EventData
    account: str | None = None
