"""What is bought once: paid at once or later, acknowledged and consumed, given back whole or by the unit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from demo.stores.google.books import Line, OrderLine, Purchase
from demo.stores.google.refusals import invalid
from demo.stores.google.till import (
    GOOGLE,
    ONE_TIME,
    UNACKNOWLEDGED,
    USER,
    Till,
    new_order_id,
    new_token,
)

ACKNOWLEDGE_WITHIN = timedelta(days=3)
_PAID, _CANCELLED = 1, 2


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    product_id: str
    price_micros: int
    quantity: int = 1


class Sale(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody buys; `price_micros` is that of one. A pending one is paid, or not, by another command."""

    lines: Sequence[Wanted]
    currency: str = "USD"
    account: str = ""
    profile: str = ""
    is_test: bool = False
    is_pending: bool = False


class Return(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes back: `quantity` units of a purchase of one product, or all. Not `revoke`d, all stays bought."""

    quantity: int | None = None
    reason: int = 1
    source: int = USER
    revoke: bool = True


def sell(till: Till, sale: Sale) -> Purchase:
    if not sale.lines or any(line.quantity < 1 or line.price_micros < 0 for line in sale.lines):
        raise invalid("nothing is sold")
    lines = [
        Line(line.product_id, line.quantity, line.price_micros * line.quantity)
        for line in sale.lines
    ]
    purchase = Purchase(
        token=new_token(),
        order_id=new_order_id(),
        lines=lines,
        currency=sale.currency,
        account=sale.account,
        profile=sale.profile,
        is_test=sale.is_test,
        state="PENDING",
        created_at=till.now,
    )
    till.books.purchases[purchase.token] = purchase
    ordered = [
        OrderLine(product_id=one.product_id, total_micros=one.total_micros, quantity=one.quantity)
        for one in lines
    ]
    till.new_order(purchase.order_id, purchase.token, purchase.currency, ordered, is_paid=False)
    if not sale.is_pending:
        complete(till, purchase)
    return purchase


def complete(till: Till, purchase: Purchase) -> None:
    """What was pending is paid."""
    if purchase.state != "PENDING":
        raise invalid("the purchase is not pending")
    purchase.state, purchase.completed_at = "PURCHASED", till.now
    till.order(purchase.order_id).processed_at = till.now
    till.tell_of_purchase(purchase, _PAID)


def cancel(till: Till, purchase: Purchase) -> None:
    """What was pending is never paid."""
    if purchase.state != "PENDING":
        raise invalid("the purchase is not pending")
    purchase.state = "CANCELLED"
    till.order(purchase.order_id).cancelled_at = till.now
    till.tell_of_purchase(purchase, _CANCELLED)


def give_back(till: Till, purchase: Purchase, back: Return) -> None:
    order = till.order(purchase.order_id)
    if purchase.state != "PURCHASED" or order.refunded_at is not None:
        raise invalid("there is nothing to give back")
    if back.quantity is not None:
        _give_back_units(till, purchase, back.quantity, back)
        return
    for line in purchase.lines:
        line.refunded = line.quantity
    if back.revoke:
        purchase.state = "CANCELLED"
    till.give_back(order, kind=ONE_TIME, reason=back.reason, source=back.source)


def _give_back_units(till: Till, purchase: Purchase, quantity: int, back: Return) -> None:
    line, *others = purchase.lines
    if others or not 0 < quantity <= line.quantity - line.refunded:
        raise invalid("so many cannot be given back")
    before = line.total_micros * line.refunded // line.quantity
    line.refunded += quantity
    till.give_back(
        till.order(purchase.order_id),
        kind=ONE_TIME,
        reason=back.reason,
        source=back.source,
        micros=line.total_micros * line.refunded // line.quantity - before,
        quantity=quantity,
    )


def acknowledge(purchase: Purchase) -> None:
    if purchase.state != "PURCHASED":
        raise invalid("The purchase is not in a valid state to be acknowledged.")
    purchase.is_acknowledged = True


def consume(purchase: Purchase, product_id: str) -> None:
    line = next((line for line in purchase.lines if line.product_id == product_id), None)
    if purchase.state != "PURCHASED" or line is None or line.is_consumed:
        raise invalid("The purchase is not owned by the user.")
    line.is_consumed = purchase.is_acknowledged = True


def forgotten_at(till: Till, purchase: Purchase) -> datetime | None:
    """When Google gives back what nobody acknowledges."""
    if purchase.is_acknowledged or purchase.state != "PURCHASED" or not purchase.completed_at:
        return None
    is_back = till.order(purchase.order_id).refunded_at is not None
    return None if is_back else purchase.completed_at + ACKNOWLEDGE_WITHIN


def forget_unacknowledged(till: Till, purchase: Purchase) -> None:
    """Nobody said that it was delivered: Google gives all of it back."""
    give_back(till, purchase, Return(reason=UNACKNOWLEDGED, source=GOOGLE))
