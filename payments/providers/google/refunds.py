"""What went back of a payment. Google has no reversal of a refund.

A one-time purchase of several units is refunded by the unit, and each unit's refund has a name of its own: so
the same facts come of it whether one is told of each, or late of all. A subscription is refunded by the order.
"""

from dataclasses import dataclass
from datetime import datetime

from payments.providers.base import ALL, RefundOrigin, StoreRefund
from payments.providers.google.names import line_names
from payments.providers.google.resources import MICROS, Order, PartialRefundEvent, unreadable

#: voidedReason of purchases.voidedpurchases.
REASONS = {
    0: "other",
    1: "remorse",
    2: "not_received",
    3: "defective",
    4: "accidental_purchase",
    5: "fraud",
    6: "friendly_fraud",
    7: "chargeback",
    8: "unacknowledged_purchase",
}
CHARGEBACK = "chargeback"


@dataclass(frozen=True)
class Told:
    """What a message or the list of voided purchases says of a refund: when, why, and whether all went back.

    A message of anything else says when, and nothing of a refund.
    """

    at: datetime
    reason: str = ""
    is_whole: bool = False


def of_units(
    *,
    environment: str,
    name: str,
    quantity: int,
    refunded: int,
    price_micros: int | None,
    order: Order | None,
    told: Told,
) -> tuple[StoreRefund, ...]:
    """The first `refunded` of `quantity` units, of which one alone is all of its transaction.

    The units' amounts, or shares where no price is known, differ by one at most and add up to the whole.
    """
    origin, at, reason = _why(order, told)
    whole = MICROS if price_micros is None else price_micros
    facts = []
    for unit in range(1, refunded + 1):
        part = None if quantity == 1 else _part(whole, unit, quantity)
        facts.append(
            StoreRefund(
                environment=environment,
                transaction_id=name,
                refund_id=ALL if part is None else f"unit-{unit}",
                origin=origin,
                refunded_at=at,
                amount_micros=None if price_micros is None else part,
                share_parts_per_million=part if price_micros is None else None,
                reason=reason,
            )
        )
    return tuple(facts)


def of_order(order: Order, *, environment: str, told: Told) -> tuple[StoreRefund, ...]:
    """What went back of a subscription's order, of which Google says that it is voided.

    Parts, where the order has them and is not refunded as a whole; else all of each line, for a voided purchase
    is a whole one until the order says otherwise. Parts of which none has arrived are no verdict: raises
    ProviderError (UNAVAILABLE).
    """
    parts = order.parts_back
    if not order.has_gone_back and order.may_go_back_in_part:
        raise unreadable("a partial refund that has not arrived yet")
    if order.is_back_as_a_whole or not parts:
        return tuple(
            of_all(name, environment=environment, order=order, told=told)
            for name in line_names(order.order_id, order.product_ids)
        )
    return tuple(_of_part(order, part, environment, told) for part in parts)


def of_all(name: str, *, environment: str, order: Order | None, told: Told) -> StoreRefund:
    """All of a transaction."""
    origin, at, reason = _why(order, told)
    return StoreRefund(
        environment=environment,
        transaction_id=name,
        origin=origin,
        refunded_at=at,
        reason=reason,
    )


def _of_part(order: Order, part: PartialRefundEvent, environment: str, told: Told) -> StoreRefund:
    """A part is of the line that cost as much, else of the first: Google does not say of which."""
    total = part.refund_details.total
    if total is None or part.create_time is None:
        raise unreadable("a partial refund without amount or moment")
    names = line_names(order.order_id, order.product_ids)
    places = [place for place, line in enumerate(order.line_items) if line.total == total]
    return StoreRefund(
        environment=environment,
        transaction_id=names[places[0] if places else 0],
        refund_id=f"part-{round(part.create_time.timestamp() * MICROS)}",
        refunded_at=part.process_time or part.create_time,
        amount_micros=total.micros,
        reason=told.reason,
    )


def _why(order: Order | None, told: Told) -> tuple[RefundOrigin, datetime, str]:
    """Whose refund it is, when, and why."""
    event = order.order_history.refund_event if order is not None else None
    at, reason = told.at, told.reason
    if event is not None:
        at = event.event_time or at
        if not reason and event.refund_reason == "CHARGEBACK":
            reason = CHARGEBACK
    origin = RefundOrigin.CHARGEBACK if reason == CHARGEBACK else RefundOrigin.STORE
    return origin, at, reason


def _part(whole: int, place: int, parts: int) -> int:
    """One of equal parts of a whole, which add up to it exactly."""
    return whole * place // parts - whole * (place - 1) // parts
