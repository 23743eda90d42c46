"""The coins that a subscription's period brings."""

from payments.models import PassProduct
from payments.providers.base import PaidPeriod
from payments.store import exchange, purchases
from payments.store.exchange import Rate, RateMissing


def brought_by(period: PaidPeriod, product: PassProduct, *, rate: Rate) -> int:
    """The coins of a period of a product, whose money is worth `rate`: known by the period alone, whatever else is
    told of its subscription and in whatever order.

    A whole one brings all of them, by a credit of the store's as well, and none where it is free. One that is
    prorated brings as large a part of them as what was charged is of the list price, rounded down: who changes plans
    often is charged differences alone, and a change back is charged nothing.
    """
    if not period.is_prorated:
        is_paid = period.price_micros > 0 or period.is_paid_by_credit
        return product.period_coins if is_paid else 0
    charged, whole = _beside_each_other(period, product, rate)
    return product.period_coins * min(charged, whole) // whole


def _beside_each_other(period: PaidPeriod, product: PassProduct, rate: Rate) -> tuple[int, int]:
    """What was charged and the list price, in one currency: (0, 1) where no rate says how much one is of the other.
    One that was made of the list price does not."""
    if period.currency == product.currency:
        return period.price_micros, product.price_micros
    if rate.source == exchange.BY_LIST:
        return 0, 1
    try:
        listed = purchases.rate_of(
            product.currency, product.price_micros, product=product, at=period.purchased_at
        )
    except RateMissing:
        return 0, 1
    return rate.micros(period.price_micros), max(1, listed.micros(product.price_micros))
