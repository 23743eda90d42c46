"""A subscription as Google has it, and what paid its last period, as facts.

Google's name of a subscription is its purchase token. A new token that names an old one takes its place: after
an upgrade, another plan, a top-up, or when the viewer came back before the end.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from payments.providers.base import Owed, PaidPeriod, PriceConsent, State, SubscriptionSnapshot
from payments.providers.google.names import RENEWAL, line_name
from payments.providers.google.purchases import ours
from payments.providers.google.resources import (
    Order,
    SubscriptionLineItem,
    SubscriptionPurchase,
    unreadable,
)
from payments.providers.google.settings import PRODUCTION, SANDBOX

#: subscriptionState of SubscriptionPurchaseV2. What is open is so until its line's end.
STATES = {
    "SUBSCRIPTION_STATE_PENDING": State.PENDING,
    "SUBSCRIPTION_STATE_ACTIVE": State.ACTIVE,
    # The end is that of the grace.
    "SUBSCRIPTION_STATE_IN_GRACE_PERIOD": State.GRACE,
    "SUBSCRIPTION_STATE_CANCELED": State.CANCELLED,
    # An end may be ahead, by which the payment is still tried.
    "SUBSCRIPTION_STATE_ON_HOLD": State.ON_HOLD,
    "SUBSCRIPTION_STATE_PAUSED": State.PAUSED,
    # Revoked ones, too.
    "SUBSCRIPTION_STATE_EXPIRED": State.EXPIRED,
    # Was never paid. What it was to replace goes on.
    "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED": State.EXPIRED,
}
NEVER_TO_BE = "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED"
_NEVER_PAID = frozenset({"SUBSCRIPTION_STATE_PENDING", NEVER_TO_BE})
_OPEN = frozenset({State.ACTIVE, State.GRACE, State.CANCELLED})
#: In grace the last paid period is over.
_RUNNING = frozenset({State.ACTIVE, State.CANCELLED})
#: So long after a period began its order may not be visible yet.
ORDERS_APPEAR_WITHIN = timedelta(hours=2)


def environment(purchase: SubscriptionPurchase) -> str:
    """Test purchases are of the sandbox, though Google keeps them beside the others."""
    return PRODUCTION if purchase.test_purchase is None else SANDBOX


def owned(purchase: SubscriptionPurchase) -> tuple[SubscriptionLineItem, ...]:
    """The lines that the viewer has, or all of them while nothing is paid.

    What a plan is to become at the next renewal has a line, too, which no order has paid yet.
    """
    paid = tuple(line for line in purchase.line_items if line.latest_successful_order_id)
    return paid or purchase.line_items or (SubscriptionLineItem(product_id=""),)


def snapshots(
    purchase: SubscriptionPurchase,
    *,
    token: str,
    orders: Mapping[str, Order],
    now: datetime,
    heard_at: datetime | None = None,
) -> tuple[SubscriptionSnapshot, ...]:
    """One for each line. `orders` are those that paid the lines' last periods, as far as Google knows them.
    `heard_at` is when Google said that something happened, if it did.

    Without its order a period is not told of: no other answer says what was paid. For a test purchase, whose
    orders Google need not keep, it is estimated. Raises ProviderError (UNAVAILABLE), also while an order may be
    late: nobody asks again for a period of which it was not told.
    """
    state = STATES.get(purchase.subscription_state)
    if state is None:
        raise unreadable(f"a subscription that is {purchase.subscription_state!r:.60}")
    lines = owned(purchase)
    if state in _RUNNING and environment(purchase) == PRODUCTION:
        for line in lines:
            if line.latest_successful_order_id and line.latest_successful_order_id not in orders:
                _refuse_early(purchase, line, now, heard_at)
    account, intent_id = _told(purchase)
    waits = purchase.acknowledgement_state == "ACKNOWLEDGEMENT_STATE_PENDING"
    is_paid = purchase.subscription_state not in _NEVER_PAID
    return tuple(
        SubscriptionSnapshot(
            environment=environment(purchase),
            subscription_id=line_name(token, line.product_id, lines=len(lines)),
            store_product_id=line.product_id,
            state=state,
            account_token=account,
            intent_id=intent_id,
            access_until=_access_until(line) if state in _OPEN else None,
            renews_as=_renews_as(line, state),
            as_of=now,
            period=_period(purchase, line, orders.get(line.latest_successful_order_id)),
            price_consent=_price_consent(line),
            replaces=purchase.linked_purchase_token if is_paid else "",
            owed=Owed.ACKNOWLEDGE if waits and is_paid and state is not State.EXPIRED else None,
        )
        for line in lines
    )


def earlier(
    order: Order, *, environment: str, purchase: SubscriptionPurchase | None
) -> tuple[SubscriptionSnapshot, ...]:
    """A subscription as it was when an order paid a period of it, one for each line. Nobody is named where
    `purchase` is not handed in."""
    token = order.purchase_token
    account, intent_id = _told(purchase) if purchase is not None else (None, None)
    found = []
    for line in order.line_items:
        period = _paid(order, line.product_id, order.order_id)
        if period is not None:
            found.append(
                SubscriptionSnapshot(
                    environment=environment,
                    subscription_id=line_name(token, line.product_id, lines=len(order.line_items)),
                    store_product_id=line.product_id,
                    state=State.ACTIVE,
                    account_token=account,
                    intent_id=intent_id,
                    access_until=period.ends_at,
                    renews_as=line.product_id,
                    as_of=period.purchased_at,
                    period=period,
                )
            )
    return tuple(found)


def _told(purchase: SubscriptionPurchase) -> tuple[UUID | None, UUID | None]:
    """Our account token and intent, as Google was told them; or when what this goes on from was bought."""
    now = purchase.external_account_identifiers
    before = purchase.out_of_app_purchase_context.expired_external_account_identifiers
    return (
        ours(now.obfuscated_external_account_id or before.obfuscated_external_account_id),
        ours(now.obfuscated_external_profile_id or before.obfuscated_external_profile_id),
    )


def _access_until(line: SubscriptionLineItem) -> datetime:
    if line.expiry_time is None:
        raise unreadable("an open subscription without an end")
    return line.expiry_time


def _renews_as(line: SubscriptionLineItem, state: State) -> str:
    plan = line.auto_renewing_plan
    if state is State.EXPIRED or plan is None or not plan.auto_renew_enabled:
        return ""
    if line.deferred_item_replacement is not None:
        return line.deferred_item_replacement.product_id
    return "" if line.deferred_item_removal is not None else line.product_id


def _price_consent(line: SubscriptionLineItem) -> PriceConsent:
    """Whether a higher price waits for the viewer's word. One that a viewer can only leave for asks nothing."""
    plan = line.auto_renewing_plan
    change = plan.price_change_details if plan is not None else None
    step = plan.price_step_up_consent_details if plan is not None else None
    asked = change is not None and change.price_change_mode == "PRICE_INCREASE"
    states = {step.state if step is not None else ""}
    if change is not None and asked:
        states.add(change.price_change_state)
    if states & {"OUTSTANDING", "PENDING"}:
        return PriceConsent.PENDING
    return PriceConsent.AGREED if "CONFIRMED" in states else PriceConsent.NONE


def _period(
    purchase: SubscriptionPurchase, line: SubscriptionLineItem, order: Order | None
) -> PaidPeriod | None:
    """The last that is paid: `latestOrderId` would be that of a renewal that is still to be."""
    found = _paid(order, line.product_id, line.latest_successful_order_id)
    if found is None and environment(purchase) == SANDBOX:
        return _estimated(purchase, line)
    return found


def _paid(order: Order | None, product_id: str, order_id: str) -> PaidPeriod | None:
    """The period that an order's line paid, if it says all of it."""
    paid = order.line(product_id) if order is not None else None
    details = paid.subscription_details if paid is not None else None
    if (
        order is None
        or paid is None
        or paid.total is None
        or details is None
        or details.service_period_start_time is None
        or details.service_period_end_time is None
    ):
        return None
    processed = order.order_history.processed_event
    processed_at = processed.event_time if processed is not None else None
    return PaidPeriod(
        transaction_id=line_name(order_id, product_id, lines=len(order.line_items)),
        store_product_id=product_id,
        starts_at=details.service_period_start_time,
        ends_at=details.service_period_end_time,
        price_micros=paid.total.micros,
        currency=paid.total.currency,
        purchased_at=processed_at or order.create_time or details.service_period_start_time,
        is_prorated=details.is_prorated,
    )


def _refuse_early(
    purchase: SubscriptionPurchase,
    line: SubscriptionLineItem,
    now: datetime,
    heard_at: datetime | None,
) -> None:
    """Raises UNAVAILABLE while the period of a line may have begun so lately that its order is still to come."""
    length = _length(purchase, line)
    ends_at = line.expiry_time
    estimated = ends_at - length if ends_at is not None and length is not None else None
    begun = [at for at in (heard_at, purchase.start_time, estimated) if at is not None]
    if any(at <= now < at + ORDERS_APPEAR_WITHIN for at in begun):
        raise unreadable("a period whose order is not there yet")


def _length(purchase: SubscriptionPurchase, line: SubscriptionLineItem) -> timedelta | None:
    """Of a period, as if all were as long. `..3` ends the fifth's order id."""
    if purchase.start_time is None or line.expiry_time is None:
        return None
    renewal = RENEWAL.fullmatch(line.latest_successful_order_id)
    return (line.expiry_time - purchase.start_time) / (int(renewal[2]) + 2 if renewal else 1)


def _estimated(purchase: SubscriptionPurchase, line: SubscriptionLineItem) -> PaidPeriod | None:
    """At the price of the plan, before tax."""
    plan, order_id = line.auto_renewing_plan, line.latest_successful_order_id
    price = plan.recurring_price if plan is not None else None
    length, ends_at = _length(purchase, line), line.expiry_time
    if not order_id or price is None or length is None or ends_at is None:
        return None
    return PaidPeriod(
        transaction_id=line_name(order_id, line.product_id, lines=len(owned(purchase))),
        store_product_id=line.product_id,
        starts_at=ends_at - length,
        ends_at=ends_at,
        price_micros=price.micros,
        currency=price.currency,
        purchased_at=ends_at - length,
    )
