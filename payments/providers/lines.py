"""Facts as the lines of a list: what a store says of money when it is asked by name."""

from collections.abc import Iterator

from payments.providers.base import (
    Fact,
    Facts,
    Listed,
    ListedKind,
    Payment,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)


def of_facts(facts: Facts) -> Iterator[Listed]:
    """A line for each payment, refund and reversal. What is not paid has none, nor what costs nothing by the
    store's word to a family's members."""
    for fact in facts:
        line = _line(fact)
        if line is not None:
            yield line


def _line(fact: Fact) -> Listed | None:
    match fact:
        case StoreTransaction(payment=Payment.PAID):
            return Listed(
                kind=ListedKind.SALE,
                environment=fact.environment,
                line_id=fact.transaction_id,
                transaction_id=fact.transaction_id,
                amount_micros=fact.price_micros,
                currency=fact.currency,
                occurred_at=fact.purchased_at,
            )
        case SubscriptionSnapshot(period=period) if period is not None:
            return Listed(
                kind=ListedKind.SALE,
                environment=fact.environment,
                line_id=period.transaction_id,
                transaction_id=period.transaction_id,
                subscription_id=fact.subscription_id,
                amount_micros=period.price_micros,
                currency=period.currency,
                occurred_at=period.purchased_at,
            )
        case StoreRefund():
            return _refund(fact)
    return None


def _refund(fact: StoreRefund) -> Listed | None:
    at = fact.reversed_at or fact.refunded_at
    if at is None:
        return None
    return Listed(
        kind=ListedKind.REVERSAL if fact.reversed_at else ListedKind.REFUND,
        environment=fact.environment,
        line_id=fact.refund_id,
        transaction_id=fact.transaction_id,
        amount_micros=fact.amount_micros,
        has_amount=fact.share_parts_per_million is None,
        currency="",
        occurred_at=at,
    )
