"""Stripe's own pages, and payments in pages of ours: opened for an intent, by calls that may be repeated."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from config.problems import NotFound, Problem
from payments.models import (
    CoinPack,
    PassIntent,
    PassProduct,
    Provider,
    PurchaseIntent,
    StoreProduct,
    Subscription,
)
from payments.providers import deadlines
from payments.providers.base import Fault, ProviderError
from payments.providers.stripe.accounts import StripeAccounts
from payments.providers.stripe.adapter import StripeAdapter
from payments.providers.stripe.sales import Every, OpenedCheckout, OpenedPayment, Sale
from payments.store import purchases

Opened = TypeVar("Opened")


class CheckoutRefused(Problem):
    code = "checkout_refused"
    title = "Stripe refuses to sell this as it is set up here; nothing was paid"


class NotByPage(Problem):
    code = "not_by_page"
    title = "This is not paid in a page: its app buys it with the store's SDK"


class NotItsBuyer(Problem):
    code = "not_its_buyer"
    title = "Another viewer pays for this subscription at Stripe, and alone sees to it there"


class RenewsByCheckout(Problem):
    code = "renews_by_checkout"
    title = "What renews is bought in Stripe's checkout page, not by a single payment"


def open_checkout(
    intent_id: UUID,
    *,
    viewer_id: UUID,
    environment: str,
    success_url: str,
    cancel_url: str,
) -> OpenedCheckout:
    """A page of Stripe's to pay an intent on; the same intent again is the same page for a day, while neither the
    addresses nor what is sold change.

    Raises NotFound, NotByPage, ProductUnknown, ProviderUnknown, CheckoutRefused, StoreUnavailable.
    """
    sale = _sale(intent_id, viewer_id=viewer_id)
    account = _account(environment)
    return _told(
        lambda: account.open_checkout(
            sale,
            success_url=success_url,
            cancel_url=cancel_url,
            idempotency_key=_key("checkout", sale, success_url, cancel_url),
        )
    )


def open_payment(intent_id: UUID, *, viewer_id: UUID, environment: str) -> OpenedPayment:
    """A payment for an intent, to be made in a page of the app's. Raises the same, and RenewsByCheckout."""
    sale = _sale(intent_id, viewer_id=viewer_id)
    if sale.every is not None:
        raise RenewsByCheckout
    account = _account(environment)
    return _told(lambda: account.open_payment(sale, idempotency_key=_key("payment", sale)))


def open_portal(subscription_id: UUID, *, viewer_id: UUID, return_url: str, now: datetime) -> str:
    """Where the viewer sees to a subscription that they have bought: its page shows the buyer's invoices and card,
    so whoever has it by transfer is refused. Raises NotFound, NotByPage, NotItsBuyer, ProviderUnknown,
    CheckoutRefused, StoreUnavailable."""
    found = Subscription.objects.filter(id=subscription_id, viewer_id=viewer_id).first()
    if found is None:
        raise NotFound
    if found.provider != Provider.STRIPE:
        raise NotByPage
    account = _account(found.environment)
    if _told(lambda: account.buyer_of(found.subscription_id)) != viewer_id:
        raise NotItsBuyer
    return _told(
        lambda: account.open_portal(
            found.subscription_id,
            return_url=return_url,
            idempotency_key=f"portal:{subscription_id}:{now.timestamp()}",
        )
    )


def _key(what: str, sale: Sale, *addresses: str) -> str:
    """An idempotency key for just these parameters: under one that was used with others Stripe refuses a call.

    docs.stripe.com/api/idempotent_requests.
    """
    said = msgspec.json.encode([sale, addresses])
    return f"{what}:{sale.intent_id}:{hashlib.sha256(said).hexdigest()[:32]}"


def _sale(intent_id: UUID, *, viewer_id: UUID) -> Sale:
    mine = {"id": intent_id, "viewer_id": viewer_id}
    intent: PurchaseIntent | PassIntent | None = (
        PurchaseIntent.objects.select_related("pack").filter(**mine).first()
        or PassIntent.objects.select_related("product").filter(**mine).first()
    )
    if intent is None:
        raise NotFound
    if intent.provider != Provider.STRIPE:
        raise NotByPage
    product = intent.pack if isinstance(intent, PurchaseIntent) else intent.product
    name = _name(product)
    return Sale(
        account_token=viewer_id,
        intent_id=intent_id,
        store_product_id=name,
        title=product.title,
        unit_price_micros=product.price_micros,
        currency=product.currency,
        price_id=name if name.startswith("price_") else "",
        every=_every(product),
    )


def _name(product: CoinPack | PassProduct) -> str:
    """Stripe's latest name for it."""
    found: StoreProduct | None = (
        product.store_products.filter(provider=Provider.STRIPE).order_by("-id").first()
    )
    if found is None:
        raise purchases.ProductUnknown
    return found.store_product_id


def _every(product: CoinPack | PassProduct) -> Every | None:
    if isinstance(product, CoinPack) or not product.is_renewing:
        return None
    if product.period_months:
        return Every(interval="month", count=product.period_months)
    return Every(interval="day", count=product.period_days)


def _account(environment: str) -> StripeAdapter:
    accounts = purchases.adapter(Provider.STRIPE)
    if not isinstance(accounts, StripeAccounts):
        raise TypeError("Stripe's adapter is that of its accounts")
    try:
        return accounts.of(environment)
    except ProviderError as error:
        raise purchases.ProviderUnknown from error


def _told(ask: Callable[[], Opened]) -> Opened:
    try:
        with deadlines.within(deadlines.WHILE_AN_APP_WAITS_SECONDS):
            return ask()
    except ProviderError as error:
        if error.fault is Fault.UNAVAILABLE:
            raise purchases.StoreUnavailable from error
        raise CheckoutRefused(error.reason) from error
