"""What Stripe's objects stand for: objects as they are now in, facts out, nobody asked.

The name of the money is the payment intent's for what is bought once and the invoice's for a period, whichever
event tells of it, so that a payment of which five events tell is one fact.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from payments.providers.base import (
    PaidPeriod,
    Payment,
    RefundOrigin,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.stripe import metadata
from payments.providers.stripe.currencies import micros
from payments.providers.stripe.objects import (
    CheckoutSession,
    Dispute,
    Invoice,
    InvoiceLine,
    PaymentIntent,
    Refund,
    Subscription,
    moment,
)

#: `requires_payment_method` is where a payment begins and where it comes back to when an attempt failed: the
#: buyer may try again, and what failed may be paid yet.
_PAYMENTS: Mapping[str, Payment] = {
    "succeeded": Payment.PAID,
    "processing": Payment.PENDING,
    "requires_action": Payment.PENDING,
    "requires_capture": Payment.PENDING,
    "requires_confirmation": Payment.PENDING,
    "canceled": Payment.FAILED,
}
#: Refunds that will never arrive: the money is ours again.
_REFUNDS_THAT_FAILED = frozenset({"failed", "canceled"})
#: The bank has the money while it asks. An inquiry (`warning_…`) takes none, and `prevented` is decided by what
#: the balance shows.
_DISPUTES_THAT_TAKE = frozenset(
    {"needs_response", "under_review", "appeal_needs_response", "appeal_under_review", "lost"}
)


def of_payment(intent: PaymentIntent) -> StoreTransaction | None:
    """What a payment bought; None when it was not sold by us, or nobody has tried to pay yet."""
    told = metadata.read(intent.metadata)
    payment = _PAYMENTS.get(intent.status)
    if payment is None and intent.status == "requires_payment_method" and intent.last_payment_error:
        payment = Payment.FAILED
    if told is None or payment is None:
        return None
    amount = intent.paid if payment is Payment.PAID else intent.amount
    return StoreTransaction(
        environment=intent.environment,
        transaction_id=intent.id,
        store_product_id=told.store_product_id,
        account_token=told.account_token,
        price_micros=micros(amount, intent.currency),
        currency=intent.currency.upper(),
        purchased_at=moment(intent.created),
        quantity=told.quantity,
        payment=payment,
        intent_id=told.intent_id,
    )


def of_checkout_alone(session: CheckoutSession) -> StoreTransaction | None:
    """What a checkout without a payment stands for: given away by a discount, or let go unpaid.

    Its own name is the money's then, as there is no other.
    """
    told = metadata.read(session.metadata)
    is_free = session.payment_status == "no_payment_required" and session.status == "complete"
    if told is None or session.mode != "payment" or not (is_free or session.status == "expired"):
        return None
    return StoreTransaction(
        environment=session.environment,
        transaction_id=session.id,
        store_product_id=told.store_product_id,
        account_token=told.account_token,
        price_micros=micros(session.amount_total or 0, session.currency or "usd"),
        currency=(session.currency or "usd").upper(),
        purchased_at=moment(session.created),
        quantity=told.quantity,
        payment=Payment.PAID if is_free else Payment.FAILED,
        intent_id=told.intent_id,
    )


def period_of(invoice: Invoice, store_product_id: str = "") -> PaidPeriod | None:
    """The period that a paid invoice is of; None when it is not paid, or of no subscription's time.

    `store_product_id` is the product whatever price the invoice names, see `product_of`.
    """
    line = _line_of_period(invoice.lines.data)
    if not invoice.is_paid or not invoice.subscription_id or line is None:
        return None
    is_prorated = _is_prorated(line, invoice)
    return PaidPeriod(
        transaction_id=invoice.id,
        store_product_id=store_product_id or line.price_id,
        starts_at=moment(line.period.start),
        ends_at=moment(line.period.end),
        price_micros=micros(invoice.amount_paid, invoice.currency),
        currency=invoice.currency.upper(),
        purchased_at=moment(invoice.status_transitions.paid_at or invoice.created),
        is_prorated=is_prorated,
        is_paid_by_credit=not is_prorated and invoice.amount_paid == 0 and line.price > 0,
    )


def own_product_of(subscription: Subscription) -> str:
    """The product's name where it is ours and no price's at Stripe: sold at a price made for the sale."""
    told = metadata.read(subscription.metadata)
    if told is None or told.store_product_id.startswith("price_"):
        return ""
    return told.store_product_id


def of_subscription(
    subscription: Subscription, period: PaidPeriod | None, *, grace: timedelta, now: datetime
) -> SubscriptionSnapshot:
    """A subscription read now. `period` is the last that was paid.

    Stripe names its product by the price's id, which changes with the plan; one sold at a price made for the
    sale keeps the name that we gave it.
    """
    item = subscription.item
    product = own_product_of(subscription) or item.price.id
    state, access_until = _standing(subscription, period, grace=grace, now=now)
    told = metadata.read(subscription.metadata)
    return SubscriptionSnapshot(
        environment=subscription.environment,
        subscription_id=subscription.id,
        store_product_id=product,
        state=state,
        account_token=told.account_token if told else None,
        access_until=access_until,
        renews_as=product if state in _RENEWING and not _ends(subscription) else "",
        as_of=now,
        period=period,
    )


def of_earlier_period(snapshot: SubscriptionSnapshot, period: PaidPeriod) -> SubscriptionSnapshot:
    """The same subscription as it was when a period was paid that is not the last any more."""
    return SubscriptionSnapshot(
        environment=snapshot.environment,
        subscription_id=snapshot.subscription_id,
        store_product_id=period.store_product_id,
        state=State.ACTIVE,
        account_token=snapshot.account_token,
        access_until=period.ends_at,
        renews_as=period.store_product_id,
        as_of=period.purchased_at,
        period=period,
    )


def of_refund(
    refund: Refund, *, transaction_id: str, environment: str, now: datetime
) -> StoreRefund:
    """Money that went back, or is on its way; or one that failed, and the money is ours again.

    It goes by the name that we gave it when we asked for it, else by Stripe's.
    """
    failed = refund.status in _REFUNDS_THAT_FAILED
    return StoreRefund(
        environment=environment,
        transaction_id=transaction_id,
        refund_id=metadata.refund_named(refund.metadata) or refund.id,
        refunded_at=None if failed else moment(refund.created),
        reversed_at=now if failed else None,
        amount_micros=micros(refund.amount, refund.currency),
        reason=refund.reason or "",
    )


def of_dispute(
    dispute: Dispute, *, payment: PaymentIntent, transaction_id: str, now: datetime
) -> StoreRefund | None:
    """What a bank took or gave back. None while it has only asked.

    No more than was paid; all of it when the bank reckons in another currency.
    """
    balance = sum(moved.amount for moved in dispute.balance_transactions)
    taken = dispute.status in _DISPUTES_THAT_TAKE or (dispute.status != "won" and balance < 0)
    was_taken = bool(dispute.balance_transactions) or dispute.status == "won"
    if not taken and not was_taken:
        return None
    is_comparable = dispute.currency == payment.currency
    amount = min(dispute.amount, payment.paid)
    return StoreRefund(
        environment=dispute.environment,
        transaction_id=transaction_id,
        refund_id=dispute.id,
        origin=RefundOrigin.CHARGEBACK,
        refunded_at=dispute.taken_at if taken else None,
        reversed_at=None if taken else now,
        amount_micros=micros(amount, payment.currency) if is_comparable else None,
        reason=dispute.reason,
    )


_RENEWING = frozenset({State.ACTIVE, State.GRACE, State.BILLING_RETRY, State.PENDING})
_CLOSED: Mapping[str, State] = {
    "incomplete": State.PENDING,
    "incomplete_expired": State.EXPIRED,
    "unpaid": State.ON_HOLD,
    "canceled": State.EXPIRED,
    # A trial that ended without a means to pay; not pause_collection, which changes no status.
    "paused": State.PAUSED,
}


def _standing(
    subscription: Subscription, period: PaidPeriod | None, *, grace: timedelta, now: datetime
) -> tuple[State, datetime | None]:
    """Where it stands, and until when it is open."""
    item, pause = subscription.item, subscription.pause_collection
    if subscription.status in _CLOSED:
        return _CLOSED[subscription.status], None
    paid_until = period.ends_at if period else moment(item.current_period_start)
    if subscription.status == "past_due":
        is_open = now < paid_until + grace
        return (State.GRACE, paid_until + grace) if is_open else (State.BILLING_RETRY, None)
    is_known = subscription.status in {"active", "trialing"}
    if not is_known or (pause and pause.behavior != "mark_uncollectible"):
        # What is paid stays open, also under a status of a later version.
        return (State.CANCELLED, paid_until) if now < paid_until else (State.PAUSED, None)
    ends = moment(item.current_period_end)
    if _ends(subscription):
        return State.CANCELLED, min(ends, moment(subscription.cancel_at or item.current_period_end))
    return State.ACTIVE, ends


def _ends(subscription: Subscription) -> bool:
    """Whether the running period is the last."""
    item = subscription.item
    cancel_at = subscription.cancel_at
    return subscription.cancel_at_period_end or (
        cancel_at is not None and cancel_at <= item.current_period_end
    )


def _line_of_period(lines: Iterable[InvoiceLine]) -> InvoiceLine | None:
    """The line that says what time was paid.

    A change of plan has two lines of the rest of the period, one of them credited, and sometimes one of the next.
    """
    own = [
        line
        for line in lines
        if line.is_of_subscription and line.amount >= 0 and line.period.start < line.period.end
    ]
    return max(own, key=lambda line: (line.period.end, line.amount), default=None)


def _is_prorated(period: InvoiceLine, invoice: Invoice) -> bool:
    """Whether a period is the rest of one, or takes the place of one whose rest is credited: with it, or as the
    customer's balance before.

    A renewal may settle a change of the period before, or be paid by the balance. The time before it is over: it is
    a whole period all the same.
    """
    if period.is_proration or (not invoice.is_renewal and invoice.amount_paid < period.price):
        return True
    return any(
        line.is_proration
        and line.amount < 0
        and line.period.start < period.period.end
        and period.period.start < line.period.end
        for line in invoice.lines.data
    )
