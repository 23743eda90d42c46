"""What each of Stripe's events stands for: a hint, read back from Stripe as it is now.

Events come late, twice and in any order, and those of Stripe's history in the shape of another version. So whatever
the order, all events of one object say the same. One is believed as it is: `payment_intent.succeeded` is the end of
its object's life, and the coins of a buyer who waits need not wait for Stripe's API.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from payments.providers.base import (
    Fact,
    Facts,
    Fault,
    PaidPeriod,
    ProviderError,
    SubscriptionSnapshot,
)
from payments.providers.stripe import facts, metadata
from payments.providers.stripe.api import StripeApi
from payments.providers.stripe.objects import (
    CheckoutSession,
    Event,
    Invoice,
    PaymentIntent,
    Subject,
    Subscription,
    name_of,
)


class Reader:
    """Asks Stripe what became of what an event names. `grace` is how long an unpaid period stays open."""

    def __init__(self, api: StripeApi, *, environment: str, grace: timedelta) -> None:
        self._api = api
        self._environment = environment
        self._grace = grace

    def facts_of(self, event: Event, *, now: datetime) -> Facts:
        """Raises ProviderError. An event that is not known stands for nothing."""
        tell = _TOLD.get(event.type)
        return tell(self, event, now) if tell else ()

    def of_checkout(self, session: CheckoutSession, now: datetime) -> Facts:
        """What came of a checkout; nothing if it is not ours, or nobody has paid yet."""
        if metadata.read(session.metadata) is None:
            return ()
        subscription_id = name_of(session.subscription)
        if subscription_id:
            return (self.snapshot(subscription_id, now),)
        payment_id = name_of(session.payment_intent)
        if payment_id:
            return _some(facts.of_payment(self._api.payment(payment_id)))
        return _some(facts.of_checkout_alone(session))

    def snapshot(self, subscription_id: str, now: datetime) -> SubscriptionSnapshot:
        """A subscription as it is now, with the last period that was paid."""
        return self._snapshot(subscription_id, now)[1]

    def _ours(self, subscription_id: str, now: datetime) -> Facts:
        """The same as facts: none where somebody else sold it with the same account."""
        subscription, snapshot = self._snapshot(subscription_id, now)
        return () if metadata.read(subscription.metadata) is None else (snapshot,)

    def _snapshot(
        self, subscription_id: str, now: datetime
    ) -> tuple[Subscription, SubscriptionSnapshot]:
        subscription = self._api.subscription(subscription_id)
        latest = subscription.latest_invoice
        period = _period(latest, subscription) if latest else None
        if period is None and latest is not None:
            paid = self._api.paid_invoices(subscription_id).data
            period = next(filter(None, (_period(one, subscription) for one in paid)), None)
        return subscription, facts.of_subscription(subscription, period, grace=self._grace, now=now)

    def _money(self, payment_id: str) -> tuple[PaymentIntent | None, str]:
        """A payment and the name of its money: "" if it is none of ours."""
        if not payment_id:
            return None, ""
        payment = self._api.payment(payment_id)
        if metadata.read(payment.metadata):
            return payment, payment.id
        invoice = self._api.invoice_paid_by(payment_id)
        is_ours = invoice is not None and metadata.read(invoice.told) is not None
        return payment, invoice.id if invoice is not None and is_ours else ""

    def of_money(self, name: str, now: datetime) -> Facts:
        """All of a payment, by its name or that of the invoice which it paid: what it bought, and what of it went
        back. Raises ProviderError, FOREIGN for what was not sold by us."""
        if name.startswith("in_"):
            invoice, payment_id = self._api.invoice(name), self._api.payment_of(name)
            bought = self._of_invoice(invoice, now)
            if not bought:
                raise ProviderError("an invoice of no subscription of ours", Fault.FOREIGN)
            payment = self._api.payment(payment_id) if payment_id else None
        else:
            payment = self._api.payment(name)
            if metadata.read(payment.metadata) is None:
                raise ProviderError("a payment that we did not open", Fault.FOREIGN)
            bought = _some(facts.of_payment(payment))
        return bought if payment is None else (*bought, *self._gone_back(payment, name, now))

    def _gone_back(self, payment: PaymentIntent, name: str, now: datetime) -> Facts:
        refunds = [
            facts.of_refund(refund, transaction_id=name, environment=self._environment, now=now)
            for refund in self._api.refunds_of(payment.id)
        ]
        disputes = [
            facts.of_dispute(dispute, payment=payment, transaction_id=name, now=now)
            for dispute in self._api.disputes_of(payment.id)
        ]
        return (*refunds, *filter(None, disputes))

    def checkout(self, event: Event, now: datetime) -> Facts:
        return self.of_checkout(self._api.checkout(_named(event)), now)

    def payment(self, event: Event, now: datetime) -> Facts:
        return _some(facts.of_payment(self._api.payment(_named(event))))

    def succeeded_payment(self, event: Event, now: datetime) -> Facts:
        try:
            payment = msgspec.json.decode(event.data.object, type=PaymentIntent)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self.payment(event, now)
        if payment.environment != self._environment or payment.status != "succeeded":
            return self.payment(event, now)
        return _some(facts.of_payment(payment))

    def paid_invoice(self, event: Event, now: datetime) -> Facts:
        return self._of_invoice(self._api.invoice(_named(event)), now)

    def _of_invoice(self, invoice: Invoice, now: datetime) -> Facts:
        """Nothing of an invoice of no subscription of ours."""
        if not invoice.subscription_id:
            return ()
        subscription, snapshot = self._snapshot(invoice.subscription_id, now)
        if metadata.read(subscription.metadata) is None:
            return ()
        period = _period(invoice, subscription)
        if period is None or period == snapshot.period:
            return (snapshot,)
        return (facts.of_earlier_period(snapshot, period), snapshot)

    def unpaid_invoice(self, event: Event, now: datetime) -> Facts:
        subscription_id = _subject(event).subscription_id
        return self._ours(subscription_id, now) if subscription_id else ()

    def subscription(self, event: Event, now: datetime) -> Facts:
        return self._ours(_named(event), now)

    def refunds(self, event: Event, now: datetime) -> Facts:
        """A charge says only how much went back of it in all; its refunds say of which each was."""
        payment_id = name_of(_subject(event).payment_intent)
        _, name = self._money(payment_id)
        if not name:
            return ()
        return tuple(
            facts.of_refund(refund, transaction_id=name, environment=self._environment, now=now)
            for refund in self._api.refunds_of(payment_id)
        )

    def refund(self, event: Event, now: datetime) -> Facts:
        refund = self._api.refund(_named(event))
        _, name = self._money(name_of(refund.payment_intent))
        if not name:
            return ()
        environment = self._environment
        return (facts.of_refund(refund, transaction_id=name, environment=environment, now=now),)

    def dispute(self, event: Event, now: datetime) -> Facts:
        dispute = self._api.dispute(_named(event))
        payment, name = self._money(name_of(dispute.payment_intent))
        if payment is None or not name:
            return ()
        return _some(facts.of_dispute(dispute, payment=payment, transaction_id=name, now=now))


def is_known(event_type: str) -> bool:
    """Whether it is known what an event stands for, be it nothing."""
    return event_type in _TOLD or event_type in _SILENT


def is_ours(event_type: str) -> bool:
    """Whether an event is of a family that is about what we sell, known or new; so is one that does not say."""
    return not event_type or event_type.startswith(FAMILIES)


def _period(invoice: Invoice, subscription: Subscription) -> PaidPeriod | None:
    return facts.period_of(invoice, facts.own_product_of(subscription))


def _some(fact: Fact | None) -> Facts:
    return () if fact is None else (fact,)


def _subject(event: Event) -> Subject:
    try:
        return msgspec.json.decode(event.data.object, type=Subject)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProviderError(f"an event of nothing: {error}"[:200], Fault.MALFORMED) from error


def _named(event: Event) -> str:
    """The name of what an event is about."""
    name = _subject(event).id
    if not name:
        raise ProviderError("an event of something without a name", Fault.MALFORMED)
    return name


_Tell = Callable[[Reader, Event, datetime], Facts]

#: What a webhook is to be sent (docs/stores/stripe.md), by how its types begin. Stripe has some hundred others, of
#: payouts and balances among them, that no sale of ours is told by.
FAMILIES = (
    "charge.dispute.",
    "charge.refund",
    "checkout.session.",
    "customer.subscription.",
    "invoice.",
    "payment_intent.",
    "refund.",
)

#: What stands for facts, and how they are found.
_TOLD: Mapping[str, _Tell] = {
    "checkout.session.completed": Reader.checkout,
    "checkout.session.async_payment_succeeded": Reader.checkout,
    "checkout.session.async_payment_failed": Reader.checkout,
    "checkout.session.expired": Reader.checkout,
    "payment_intent.succeeded": Reader.succeeded_payment,
    "payment_intent.processing": Reader.payment,
    "payment_intent.payment_failed": Reader.payment,
    "payment_intent.canceled": Reader.payment,
    "invoice.paid": Reader.paid_invoice,
    "invoice.payment_succeeded": Reader.paid_invoice,
    "invoice.payment_failed": Reader.unpaid_invoice,
    "invoice.payment_action_required": Reader.unpaid_invoice,
    "invoice.marked_uncollectible": Reader.unpaid_invoice,
    "invoice.voided": Reader.unpaid_invoice,
    "customer.subscription.created": Reader.subscription,
    "customer.subscription.updated": Reader.subscription,
    "customer.subscription.deleted": Reader.subscription,
    "customer.subscription.paused": Reader.subscription,
    "customer.subscription.resumed": Reader.subscription,
    "customer.subscription.trial_will_end": Reader.subscription,
    "customer.subscription.pending_update_applied": Reader.subscription,
    "customer.subscription.pending_update_expired": Reader.subscription,
    "charge.refunded": Reader.refunds,
    "charge.refund.updated": Reader.refund,
    "refund.created": Reader.refund,
    "refund.updated": Reader.refund,
    "refund.failed": Reader.refund,
    "charge.dispute.created": Reader.dispute,
    "charge.dispute.updated": Reader.dispute,
    "charge.dispute.closed": Reader.dispute,
    "charge.dispute.funds_withdrawn": Reader.dispute,
    "charge.dispute.funds_reinstated": Reader.dispute,
}
#: What is known, and tells nothing that the others do not.
_SILENT = frozenset(
    {
        "charge.captured",
        "charge.expired",
        "charge.failed",
        "charge.pending",
        "charge.succeeded",
        "charge.updated",
        "billing_portal.session.created",
        "customer.created",
        "customer.deleted",
        "customer.updated",
        "invoice.created",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.sent",
        "invoice.upcoming",
        "invoice.updated",
        "invoice.will_be_due",
        "invoice_payment.paid",
        "invoiceitem.created",
        "payment_intent.amount_capturable_updated",
        "payment_intent.created",
        "payment_intent.partially_funded",
        "payment_intent.requires_action",
        "payment_method.attached",
        "payment_method.detached",
        "plan.created",
        "price.created",
        "product.created",
        "radar.early_fraud_warning.created",
        "radar.early_fraud_warning.updated",
        "setup_intent.created",
        "setup_intent.succeeded",
    }
)
