"""What is bought once: Google's answer about a purchase token, and about its order, as facts."""

from uuid import UUID

from payments.providers.base import Fact, Facts, Owed, Payment, StoreTransaction
from payments.providers.google import refunds
from payments.providers.google.names import line_name
from payments.providers.google.refunds import Told
from payments.providers.google.resources import (
    Order,
    ProductLineItem,
    ProductPurchase,
    unreadable,
)
from payments.providers.google.settings import PRODUCTION, SANDBOX

MAXIMUM_QUANTITY = 10_000
ACKNOWLEDGED = "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED"
CONSUMED = "CONSUMPTION_STATE_CONSUMED"

_PURCHASED, _CANCELLED, _PENDING = "PURCHASED", "CANCELLED", "PENDING"


def environment(purchase: ProductPurchase) -> str:
    """Test purchases are of the sandbox, though Google keeps them beside the others."""
    return PRODUCTION if purchase.test_purchase_context is None else SANDBOX


def facts(purchase: ProductPurchase, *, token: str, order: Order | None, told: Told) -> Facts:
    """A transaction for each line, and a refund for each unit that went back.

    Google cancels both what was never paid and what was, and went back: the first failed, the second is a
    transaction and its refund. The obfuscated account and profile ids are our account token and intent, where
    they are UUIDs. `told` is the moment of what we do not know a better one for, and why. Raises ProviderError
    (UNAVAILABLE).
    """
    lines = purchase.product_line_item
    if not lines or len({line.product_id for line in lines}) < len(lines):
        raise unreadable("a purchase of nothing, or twice of the same")
    found: list[Fact] = []
    for line in lines:
        transaction = _transaction(purchase, line, token, order, told)
        found.append(transaction)
        if transaction.payment is Payment.PAID:
            found += refunds.of_units(
                environment=transaction.environment,
                name=transaction.transaction_id,
                quantity=transaction.quantity,
                refunded=_refunded(purchase, line, order, told),
                price_micros=transaction.price_micros,
                order=order,
                told=told,
            )
    return tuple(found)


def is_cancelled(purchase: ProductPurchase) -> bool:
    """Whether nobody has it any more: it was never paid, or went back."""
    return purchase.purchase_state_context.purchase_state == _CANCELLED


def ours(identifier: str) -> UUID | None:
    """An id that our app gave to Google; anything but a UUID is not from us."""
    try:
        return UUID(identifier) if len(identifier) in {32, 36} else None
    except ValueError:
        return None


def _transaction(
    purchase: ProductPurchase,
    line: ProductLineItem,
    token: str,
    order: Order | None,
    told: Told,
) -> StoreTransaction:
    paid = order.line(line.product_id) if order is not None else None
    total = paid.total if paid is not None else None
    quantity = line.product_offer_details.quantity
    if not 0 < quantity <= MAXIMUM_QUANTITY:
        raise unreadable(f"a quantity of {quantity}")
    began_at = order.create_time if order is not None else None
    return StoreTransaction(
        environment=environment(purchase),
        transaction_id=line_name(token, line.product_id, lines=len(purchase.product_line_item)),
        store_product_id=line.product_id,
        account_token=ours(purchase.obfuscated_external_account_id),
        intent_id=ours(purchase.obfuscated_external_profile_id),
        price_micros=total.micros if total is not None else None,
        currency=total.currency if total is not None else "",
        purchased_at=purchase.purchase_completion_time or began_at or told.at,
        quantity=quantity,
        payment=_payment(purchase, order, told),
        owed=_owed(purchase, line),
    )


def _owed(purchase: ProductPurchase, line: ProductLineItem) -> Owed | None:
    """What is bought once may be bought again, once Google hears that it is used up: that acknowledges, too."""
    is_bought = purchase.purchase_state_context.purchase_state == _PURCHASED
    is_consumed = line.product_offer_details.consumption_state == CONSUMED
    return Owed.CONSUME if is_bought and not is_consumed else None


def _payment(purchase: ProductPurchase, order: Order | None, told: Told) -> Payment:
    """What went back was paid."""
    state = purchase.purchase_state_context.purchase_state
    if state == _PURCHASED:
        return Payment.PAID
    if state == _PENDING:
        return Payment.PENDING
    if state == _CANCELLED:
        was_processed = order is not None and order.order_history.processed_event is not None
        was_paid = purchase.purchase_completion_time is not None or was_processed
        return Payment.PAID if was_paid or told.is_whole else Payment.FAILED
    raise unreadable(f"a purchase that is {state!r:.60}")


def _refunded(
    purchase: ProductPurchase, line: ProductLineItem, order: Order | None, told: Told
) -> int:
    """How many units went back. Google leaves out what it has no value for, and may leave out a zero."""
    details = line.product_offer_details
    is_back = told.is_whole or (order is not None and order.is_back_as_a_whole)
    if is_back or purchase.purchase_state_context.purchase_state == _CANCELLED:
        return details.quantity
    if details.refundable_quantity is None:
        return 0
    if not 0 <= details.refundable_quantity <= details.quantity:
        raise unreadable(f"{details.refundable_quantity} refundable of {details.quantity}")
    return details.quantity - details.refundable_quantity
