"""What Google Play answers: the members that are read here, of androidpublisher v3 (revision 20261026).

Google adds members, and leaves out those that are empty: whatever is not needed for a fact has a default. Whole
numbers of 64 bits come as strings.
"""

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from payments.providers.base import Fault, ProviderError

_REFUNDED, _PARTIALLY_REFUNDED = "REFUNDED", "PARTIALLY_REFUNDED"
_PROCESSED = frozenset({"PROCESSED", "PENDING_REFUND", _REFUNDED, _PARTIALLY_REFUNDED})
_IS_BACK = "PROCESSED_SUCCESSFULLY"
_WHOLE_PHASES = frozenset({"BASE", "INTRODUCTORY"})
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Resource_ = TypeVar("Resource_")

MICROS = 1_000_000
_NANOS = 1_000_000_000
_LARGEST_UNITS = 2**63 // MICROS


class Resource(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Members are named as in Google's documents, in snake case."""


class Money(Resource, frozen=True):
    """`units` whole units of a currency and `nanos` thousand-millionths of one."""

    currency_code: str = ""
    units: int = 0
    nanos: int = 0

    @property
    def micros(self) -> int:
        """The amount, exact; less than a micro, which no currency has, is rounded half up.

        Raises ProviderError (UNAVAILABLE) for what is no amount that anybody pays.
        """
        if not (0 <= self.units < _LARGEST_UNITS and 0 <= self.nanos < _NANOS):
            raise unreadable(f"an amount of {self.units} units and {self.nanos} nanos")
        return self.units * MICROS + (self.nanos + 500) // 1000

    @property
    def currency(self) -> str:
        """The ISO 4217 code. Raises ProviderError (UNAVAILABLE) if it is none."""
        code = self.currency_code
        if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
            raise unreadable(f"a currency {code!r:.20}")
        return code


class Empty(Resource, frozen=True):
    """A member that says all by being there."""


# --- purchases.productsv2 ---------------------------------------------------------------------------


class ProductOfferDetails(Resource, frozen=True):
    """`refundable_quantity` is what of `quantity` has not been refunded; absent where Google leaves it out."""

    quantity: int = 1
    refundable_quantity: int | None = None
    consumption_state: str = ""


class ProductLineItem(Resource, frozen=True):
    product_id: str
    product_offer_details: ProductOfferDetails = ProductOfferDetails()


class PurchaseStateContext(Resource, frozen=True):
    purchase_state: str = ""


class ProductPurchase(Resource, frozen=True):
    """ProductPurchaseV2."""

    product_line_item: tuple[ProductLineItem, ...] = ()
    purchase_state_context: PurchaseStateContext = PurchaseStateContext()
    test_purchase_context: Empty | None = None
    order_id: str = ""
    obfuscated_external_account_id: str = ""
    obfuscated_external_profile_id: str = ""
    purchase_completion_time: Moment | None = None
    acknowledgement_state: str = ""


# --- purchases.subscriptionsv2 ----------------------------------------------------------------------


class PriceChange(Resource, frozen=True):
    price_change_mode: str = ""
    price_change_state: str = ""


class PriceStepUp(Resource, frozen=True):
    state: str = ""


class AutoRenewingPlan(Resource, frozen=True):
    auto_renew_enabled: bool = False
    recurring_price: Money | None = None
    price_change_details: PriceChange | None = None
    price_step_up_consent_details: PriceStepUp | None = None


class DeferredItemReplacement(Resource, frozen=True):
    product_id: str = ""


class SubscriptionLineItem(Resource, frozen=True):
    """`latest_successful_order_id` is absent while the item is not owned yet."""

    product_id: str
    expiry_time: Moment | None = None
    latest_successful_order_id: str = ""
    auto_renewing_plan: AutoRenewingPlan | None = None
    deferred_item_replacement: DeferredItemReplacement | None = None
    deferred_item_removal: Empty | None = None


class AccountIdentifiers(Resource, frozen=True):
    obfuscated_external_account_id: str = ""
    obfuscated_external_profile_id: str = ""


class OutOfAppPurchaseContext(Resource, frozen=True):
    expired_external_account_identifiers: AccountIdentifiers = AccountIdentifiers()


class SubscriptionPurchase(Resource, frozen=True):
    """SubscriptionPurchaseV2."""

    subscription_state: str = ""
    line_items: tuple[SubscriptionLineItem, ...] = ()
    start_time: Moment | None = None
    linked_purchase_token: str = ""
    acknowledgement_state: str = ""
    external_account_identifiers: AccountIdentifiers = AccountIdentifiers()
    out_of_app_purchase_context: OutOfAppPurchaseContext = OutOfAppPurchaseContext()
    test_purchase: Empty | None = None


# --- orders -----------------------------------------------------------------------------------------


class OneTimePurchaseDetails(Resource, frozen=True):
    quantity: int = 1


class ProrationPeriodDetails(Resource, frozen=True):
    """`original_offer_phase` is the phase that a period has in it beside the rest of one: it was paid as a whole."""

    original_offer_phase: str = ""


class OfferPhaseDetails(Resource, frozen=True):
    proration_period_details: ProrationPeriodDetails | None = None


class SubscriptionDetails(Resource, frozen=True):
    """The period that an order paid, as it was when the order was processed."""

    service_period_start_time: Moment | None = None
    service_period_end_time: Moment | None = None
    offer_phase_details: OfferPhaseDetails = OfferPhaseDetails()

    @property
    def is_prorated(self) -> bool:
        """Whether it is only the rest of a period that was begun with another plan."""
        proration = self.offer_phase_details.proration_period_details
        return proration is not None and proration.original_offer_phase not in _WHOLE_PHASES


class OrderLine(Resource, frozen=True):
    """`total` is what was paid for the line, with tax and after discounts."""

    product_id: str = ""
    total: Money | None = None
    one_time_purchase_details: OneTimePurchaseDetails | None = None
    subscription_details: SubscriptionDetails | None = None


class ProcessedEvent(Resource, frozen=True):
    event_time: Moment | None = None


class RefundDetails(Resource, frozen=True):
    total: Money | None = None


class RefundEvent(Resource, frozen=True):
    event_time: Moment | None = None
    refund_reason: str = ""


class PartialRefundEvent(Resource, frozen=True):
    create_time: Moment | None = None
    process_time: Moment | None = None
    state: str = ""
    refund_details: RefundDetails = RefundDetails()


class OrderHistory(Resource, frozen=True):
    processed_event: ProcessedEvent | None = None
    refund_event: RefundEvent | None = None
    partial_refund_events: tuple[PartialRefundEvent, ...] = ()


class Order(Resource, frozen=True):
    order_id: str = ""
    purchase_token: str = ""
    state: str = ""
    create_time: Moment | None = None
    line_items: tuple[OrderLine, ...] = ()
    order_history: OrderHistory = OrderHistory()

    @property
    def is_of_subscription(self) -> bool:
        """Whether it paid a period of a subscription."""
        return any(line.subscription_details is not None for line in self.line_items)

    @property
    def was_processed(self) -> bool:
        """Whether it was paid."""
        return self.order_history.processed_event is not None or self.state in _PROCESSED

    @property
    def is_back_as_a_whole(self) -> bool:
        """Whether all of it was refunded at once."""
        return self.order_history.refund_event is not None or self.state == _REFUNDED

    @property
    def parts_back(self) -> tuple[PartialRefundEvent, ...]:
        """Refunds of a part that have arrived: one that is pending, or failed, took nothing."""
        events = self.order_history.partial_refund_events
        return tuple(event for event in events if event.state == _IS_BACK)

    @property
    def has_gone_back(self) -> bool:
        """Whether any of it was refunded by now."""
        return self.is_back_as_a_whole or bool(self.parts_back)

    @property
    def may_go_back_in_part(self) -> bool:
        """Whether it speaks of a part that is refunded, arrived or not."""
        events = self.order_history.partial_refund_events
        return bool(events) or self.state == _PARTIALLY_REFUNDED

    @property
    def product_ids(self) -> tuple[str, ...]:
        """Of all lines, in their order."""
        return tuple(line.product_id for line in self.line_items)

    def line(self, product_id: str) -> OrderLine | None:
        """The line of a product, if it has one."""
        return next((line for line in self.line_items if line.product_id == product_id), None)


class Orders(Resource, frozen=True):
    """BatchGetOrdersResponse."""

    orders: tuple[Order, ...] = ()


# --- purchases.voidedpurchases ----------------------------------------------------------------------


class VoidedPurchase(Resource, frozen=True):
    """`voided_quantity` is there for a refund of some of a quantity."""

    purchase_token: str = ""
    order_id: str = ""
    voided_time_millis: int = 0
    voided_reason: int = 0
    voided_quantity: int = 0


class TokenPagination(Resource, frozen=True):
    next_page_token: str = ""


class VoidedPurchases(Resource, frozen=True):
    """VoidedPurchasesListResponse."""

    voided_purchases: tuple[VoidedPurchase, ...] = ()
    token_pagination: TokenPagination | None = None


def decoded(body: bytes, kind: type[Resource_]) -> Resource_:
    """An answer's body. Raises ProviderError (UNAVAILABLE): what cannot be read now may be later."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"not a {kind.__name__}: {error!s:.200}") from error


def unreadable(what: str) -> ProviderError:
    """Google answered well and we cannot read it: it is no verdict on what was asked about."""
    return ProviderError(f"Google Play answered with {what}", Fault.UNAVAILABLE)
