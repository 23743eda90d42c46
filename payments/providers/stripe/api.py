"""Calls to Stripe's API, version pinned, each asked once: when to ask again is the caller's to know.

Every POST carries the caller's idempotency key, so that asking again does nothing twice: Stripe keeps keys for a
day at least (docs.stripe.com/api/idempotent_requests). All calls raise ProviderError: UNAVAILABLE for everything
that may pass, an answer that cannot be read among it; GONE for what Stripe knows no more; MALFORMED for what it
refuses.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

import httpx
import msgspec
import stripe
from stripe.params import (
    BalanceTransactionListParams,
    DisputeListParams,
    EventListParams,
    PaymentIntentCreateParams,
    RefundCreateParams,
    RefundListParams,
)
from stripe.params.billing_portal import SessionCreateParams as PortalCreateParams
from stripe.params.checkout import SessionCreateParams as CheckoutCreateParams
from stripe.params.checkout import (
    SessionCreateParamsLineItem,
    SessionCreateParamsLineItemPriceData,
)

from payments.providers.base import Fault, ProviderError
from payments.providers.stripe import metadata
from payments.providers.stripe.currencies import smallest_units
from payments.providers.stripe.http import BoundedClient
from payments.providers.stripe.objects import (
    BalanceTransaction,
    CheckoutSession,
    Dispute,
    Invoice,
    InvoicePayment,
    Page,
    PaymentIntent,
    PortalSession,
    Reference,
    Refund,
    Subscription,
    name_of,
)
from payments.providers.stripe.sales import Sale

#: What the shapes in `objects` are of, and what webhook endpoints are to be created with.
API_VERSION = "2026-10-28.endive"
ADDRESS = "https://api.stripe.com"
#: Events carry whole objects, of which a page has to stay below the bound of an answer.
EVENTS_PER_PAGE = 25
LINES_PER_PAGE = 100
MAXIMUM_PAGES = 10_000

#: What Stripe's library raises, beside its own errors, when an answer's members are not what they should be.
_SURPRISES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_SECONDS = re.compile(r"[0-9]{1,6}")
_KEY = re.compile(r"[!-~]{1,255}")

Shape = TypeVar("Shape")


class _Kept(Protocol):
    @property
    def environment(self) -> str: ...


Found = TypeVar("Found", bound=_Kept)


class _Answered(Protocol):
    @property
    def last_response(self) -> stripe.StripeResponse | None: ...


class StripeApi:
    """Stripe, or a peer at another address. `key` is secret or restricted, of one environment."""

    def __init__(
        self,
        *,
        key: str,
        environment: str,
        address: str = ADDRESS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._environment = environment
        self._wire = BoundedClient(transport)
        self._v1 = stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": address},
            max_network_retries=0,
            http_client=self._wire,
        ).v1

    def close(self) -> None:
        """Ends all connections; nothing can be asked after."""
        self._wire.close()

    def create_checkout(
        self,
        sale: Sale,
        *,
        success_url: str,
        cancel_url: str,
        customer_id: str = "",
        expires_at: datetime | None = None,
        idempotency_key: str,
    ) -> CheckoutSession:
        """A hosted checkout of coins, a pass or a subscription.

        `expires_at` lies half an hour to a day ahead, a day if it is not given.
        """
        told = metadata.of_sale(
            account_token=sale.account_token,
            intent_id=sale.intent_id,
            store_product_id=sale.store_product_id,
            quantity=sale.quantity,
        )
        params: CheckoutCreateParams = {
            "mode": "subscription" if sale.every else "payment",
            "line_items": [_line(sale)],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "client_reference_id": str(sale.intent_id),
            "metadata": told,
            # Else Stripe may charge in a currency that we did not quote.
            "adaptive_pricing": {"enabled": False},
        }
        if customer_id:
            params["customer"] = customer_id
        if expires_at is not None:
            params["expires_at"] = int(expires_at.timestamp())
        if sale.every is None:
            params["payment_intent_data"] = {"metadata": told}
        else:
            params["subscription_data"] = {"metadata": told}
            if sale.trial_days:
                params["subscription_data"]["trial_period_days"] = sale.trial_days
        options = _once(idempotency_key)
        return self._ours(
            self._ask(lambda: self._v1.checkout.sessions.create(params, options), CheckoutSession)
        )

    def create_payment(self, sale: Sale, *, idempotency_key: str) -> PaymentIntent:
        """A payment to be made inside a page or an app of ours. Its client secret is for the buyer alone."""
        params: PaymentIntentCreateParams = {
            "amount": smallest_units(sale.unit_price_micros * sale.quantity, sale.currency),
            "currency": sale.currency.lower(),
            "description": sale.title,
            "automatic_payment_methods": {"enabled": True},
            "metadata": metadata.of_sale(
                account_token=sale.account_token,
                intent_id=sale.intent_id,
                store_product_id=sale.store_product_id,
                quantity=sale.quantity,
            ),
        }
        options = _once(idempotency_key)
        return self._ours(
            self._ask(lambda: self._v1.payment_intents.create(params, options), PaymentIntent)
        )

    def create_portal(
        self, *, customer_id: str, return_url: str, configuration: str = "", idempotency_key: str
    ) -> PortalSession:
        """A link for one customer to Stripe's page about their subscriptions. It is short-lived."""
        params: PortalCreateParams = {"customer": customer_id, "return_url": return_url}
        if configuration:
            params["configuration"] = configuration
        options = _once(idempotency_key)
        return self._ours(
            self._ask(
                lambda: self._v1.billing_portal.sessions.create(params, options), PortalSession
            )
        )

    def create_refund(
        self,
        *,
        payment_intent_id: str,
        amount: int | None,
        told: Mapping[str, str],
        idempotency_key: str,
    ) -> Refund:
        """Gives back `amount` smallest units of a payment, or all that is left of it."""
        params: RefundCreateParams = {
            "payment_intent": payment_intent_id,
            "metadata": dict(told),
        }
        if amount is not None:
            params["amount"] = amount
        options = _once(idempotency_key)
        return self._ask(lambda: self._v1.refunds.create(params, options), Refund)

    def checkout(self, session_id: str) -> CheckoutSession:
        """A checkout as it is now."""
        return self._ours(
            self._ask(lambda: self._v1.checkout.sessions.retrieve(session_id), CheckoutSession)
        )

    def payment(self, payment_intent_id: str) -> PaymentIntent:
        """A payment as it is now."""
        return self._ours(
            self._ask(lambda: self._v1.payment_intents.retrieve(payment_intent_id), PaymentIntent)
        )

    def subscription(self, subscription_id: str) -> Subscription:
        """A subscription as it is now, with its latest invoice. One that ended is there as well."""
        return self._ours(
            self._ask(
                lambda: self._v1.subscriptions.retrieve(
                    subscription_id, {"expand": ["latest_invoice"]}
                ),
                Subscription,
            )
        )

    def invoice(self, invoice_id: str) -> Invoice:
        """An invoice as it is now."""
        return self._ours(self._ask(lambda: self._v1.invoices.retrieve(invoice_id), Invoice))

    def paid_invoices(self, subscription_id: str) -> Page[Invoice]:
        """The latest ten of a subscription's invoices that were paid, newest first."""
        return self._ask(
            lambda: self._v1.invoices.list(
                {"subscription": subscription_id, "status": "paid", "limit": 10}
            ),
            Page[Invoice],
        )

    def invoice_paid_by(self, payment_intent_id: str) -> Invoice | None:
        """The invoice that a payment was for, if it was for one."""
        page = self._ask(
            lambda: self._v1.invoice_payments.list(
                {
                    "payment": {"type": "payment_intent", "payment_intent": payment_intent_id},
                    "expand": ["data.invoice"],
                }
            ),
            Page[InvoicePayment],
        )
        if not page.data:
            return None
        found = page.data[0].invoice
        return self.invoice(found) if isinstance(found, str) else found

    def payment_of(self, invoice_id: str) -> str:
        """The payment intent that paid an invoice, "" if none did."""
        page = self._ask(
            lambda: self._v1.invoice_payments.list({"invoice": invoice_id, "status": "paid"}),
            Page[InvoicePayment],
        )
        paid = [name_of(entry.payment.payment_intent) for entry in page.data]
        return next(filter(None, paid), "")

    def refund(self, refund_id: str) -> Refund:
        """A refund as it is now."""
        return self._ask(lambda: self._v1.refunds.retrieve(refund_id), Refund)

    def refunds_of(self, payment_intent_id: str) -> Iterator[Refund]:
        """Every refund of a payment."""

        def page(after: str) -> _Answered:
            params: RefundListParams = {
                "payment_intent": payment_intent_id,
                "limit": LINES_PER_PAGE,
            }
            if after:
                params["starting_after"] = after
            return self._v1.refunds.list(params)

        return self._all(page, Refund, lambda refund: refund.id)

    def dispute(self, dispute_id: str) -> Dispute:
        """A dispute as it is now."""
        return self._ours(self._ask(lambda: self._v1.disputes.retrieve(dispute_id), Dispute))

    def disputes_of(self, payment_intent_id: str) -> Iterator[Dispute]:
        """Every dispute of a payment."""

        def page(after: str) -> _Answered:
            params: DisputeListParams = {
                "payment_intent": payment_intent_id,
                "limit": LINES_PER_PAGE,
            }
            if after:
                params["starting_after"] = after
            return self._v1.disputes.list(params)

        return self._all(page, Dispute, lambda dispute: dispute.id)

    def events(self, *, since: datetime, until: datetime) -> Iterator[bytes]:
        """Every event of a time that Stripe still has, newest first, as bytes. It keeps them for 30 days."""

        def page(after: str) -> _Answered:
            params: EventListParams = {
                "created": {"gte": _floor(since), "lt": _ceiling(until)},
                "limit": EVENTS_PER_PAGE,
            }
            if after:
                params["starting_after"] = after
            return self._v1.events.list(params)

        return map(
            bytes,
            self._all(
                page, msgspec.Raw, lambda event: msgspec.json.decode(event, type=Reference).id
            ),
        )

    def balance_transactions(
        self, *, since: datetime, until: datetime
    ) -> Iterator[BalanceTransaction]:
        """Every line of the balance of a time, newest first, each with the charge or refund it is of."""

        def page(after: str) -> _Answered:
            params: BalanceTransactionListParams = {
                "created": {"gte": _floor(since), "lt": _ceiling(until)},
                "limit": LINES_PER_PAGE,
                "expand": ["data.source"],
            }
            if after:
                params["starting_after"] = after
            return self._v1.balance_transactions.list(params)

        return self._all(page, BalanceTransaction, lambda line: line.id)

    def _all(
        self,
        list_after: Callable[[str], _Answered],
        shape: type[Shape],
        id_of: Callable[[Shape], str],
    ) -> Iterator[Shape]:
        """Page by page. A list that never ends is an answer that cannot be read."""
        after = ""
        for _ in range(MAXIMUM_PAGES):
            page = self._ask(partial(list_after, after), Page[shape])  # type: ignore[valid-type]
            yield from page.data
            if not page.has_more or not page.data:
                return
            before, after = after, _read(partial(id_of, page.data[-1]))
            if after == before:
                break
        raise ProviderError("a list without an end", Fault.UNAVAILABLE)

    def _ask(self, call: Callable[[], _Answered], shape: type[Shape]) -> Shape:
        try:
            response = call().last_response
        except stripe.StripeError as error:
            raise refusal(error) from error
        except _SURPRISES as error:
            raise ProviderError(
                f"an answer of no shape: {error!r}"[:200], Fault.UNAVAILABLE
            ) from error
        body = response.body if response else ""
        return _read(lambda: msgspec.json.decode(body, type=shape))

    def _ours(self, found: Found) -> Found:
        if found.environment != self._environment:
            raise ProviderError(f"of {found.environment}", Fault.OTHER_ENVIRONMENT)
        return found


def refusal(error: stripe.StripeError) -> ProviderError:
    """Stripe's error as one of ours.

    Our own key being refused says nothing of what was asked: it passes when the key is put right.
    """
    told = error.json_body if isinstance(error.json_body, Mapping) else {}
    details = told.get("error")
    code = details.get("code") if isinstance(details, Mapping) else None
    reason = f"{error.http_status or ''} {code or ''} {error.user_message or ''}"[:300].strip()
    if error.http_status == 404 or code == "resource_missing":
        return ProviderError(reason, Fault.GONE)
    if isinstance(error, stripe.IdempotencyError | stripe.InvalidRequestError | stripe.CardError):
        return ProviderError(reason, Fault.MALFORMED)
    return ProviderError(reason, Fault.UNAVAILABLE, retry_after_seconds=_retry_after(error))


def _retry_after(error: stripe.StripeError) -> int | None:
    value = httpx.Headers(error.headers or {}).get("Retry-After", "")
    return int(value) if _SECONDS.fullmatch(value) else None


def _read(parse: Callable[[], Shape]) -> Shape:
    try:
        return parse()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProviderError(f"an answer of no shape: {error}"[:200], Fault.UNAVAILABLE) from error


def _once(idempotency_key: str) -> stripe.RequestOptions:
    if not _KEY.fullmatch(idempotency_key):
        raise ValueError("an idempotency key has 1 to 255 visible ASCII characters")
    return {"idempotency_key": idempotency_key}


def _floor(at: datetime) -> int:
    return math.floor(at.timestamp())


def _ceiling(at: datetime) -> int:
    return math.ceil(at.timestamp())


def _line(sale: Sale) -> SessionCreateParamsLineItem:
    if sale.price_id:
        return {"price": sale.price_id, "quantity": sale.quantity}
    price: SessionCreateParamsLineItemPriceData = {
        "currency": sale.currency.lower(),
        "unit_amount": smallest_units(sale.unit_price_micros, sale.currency),
        "product_data": {"name": sale.title},
    }
    if sale.every:
        price["recurring"] = {"interval": sale.every.interval, "interval_count": sale.every.count}
    return {"price_data": price, "quantity": sale.quantity}
