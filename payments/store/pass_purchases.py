"""Verified store transactions become cover, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection

from config.problems import Problem
from payments.models import PassIntent, PassProduct, PassPurchase, StoreProduct, Wallet
from payments.providers.base import StoreTransaction
from payments.store import exchange, purchases

#: Nobody is sold a pass that would begin later: it is a mistake, and calendars end.
MAXIMUM_AHEAD = timedelta(days=3653)

_CREDIT = "SELECT payments_credit_pass(" + ", ".join(["%s"] * 18) + ") ->> 'outcome'"


class CoveredTooFar(Problem):
    code = "covered_too_far"
    title = "This viewer is covered for more than ten years; another pass would begin after that"


@dataclass(frozen=True)
class Sale:
    """A verified transaction, whose it is, and the pass that it bought."""

    viewer_id: UUID
    provider: str
    transaction: StoreTransaction
    product: PassProduct


def create_intent(
    *, viewer_id: UUID, environment: str, pass_id: UUID, provider: str, now: datetime
) -> tuple[PassIntent, StoreProduct]:
    """Records that the viewer is about to buy a pass, before any money moves.

    Raises ProviderUnknown, ProductUnknown when the pass is not sold in that store, CoveredTooFar.
    """
    purchases.adapter(provider)
    name = (
        StoreProduct.objects.filter(
            pass_product_id=pass_id, provider=provider, pass_product__is_active=True
        )
        .select_related("pass_product")
        .order_by("-id")  # the store's latest name for it
        .first()
    )
    if name is None or name.pass_product is None:
        raise purchases.ProductUnknown
    if Wallet.objects.filter(
        viewer_id=viewer_id, environment=environment, covered_until__gt=now + MAXIMUM_AHEAD
    ).exists():
        raise CoveredTooFar
    intent = PassIntent.objects.create(
        viewer_id=viewer_id,
        product=name.pass_product,
        provider=provider,
        period_months=name.pass_product.period_months,
        period_days=name.pass_product.period_days,
        created_at=now,
    )
    return intent, name


def is_of(*, provider: str, transaction: StoreTransaction) -> bool:
    """Whether a transaction bought a pass: it was booked as one, or names one."""
    return (
        _booked(provider, transaction) is not None
        or StoreProduct.objects.filter(
            provider=provider,
            store_product_id=transaction.store_product_id,
            pass_product__isnull=False,
        ).exists()
    )


def credit(
    *, viewer_id: UUID, provider: str, transaction: StoreTransaction, now: datetime
) -> tuple[PassPurchase, bool]:
    """Gives the viewer cover for a verified transaction, in the transaction's environment.

    Returns the purchase and whether this call booked it. One that was booked before is answered as it was
    booked, whatever passes are called today. Else the cover lasts as long as its intent promised, once for
    each intent, or as long as the pass does today; it begins now or as soon as nothing else covers the viewer
    for all of its length. An intent that is not the viewer's for this pass promised nothing. Raises ProductUnknown,
    TransactionInvalid, RateMissing, TransactionOfAnotherViewer, CoveredTooFar, and BoughtAnother where the transaction
    had bought coins.
    """
    if booked := _booked(provider, transaction):
        return _owned(booked, viewer_id), False
    purchases.refuse_nonsense(transaction, now=now)
    product = _product(provider, transaction)
    intent = _intent(
        viewer_id=viewer_id, provider=provider, transaction=transaction, product=product
    )
    sale = Sale(viewer_id=viewer_id, provider=provider, transaction=transaction, product=product)
    outcome = _book(sale, promise=intent, now=now) if intent else "intent_used"
    if outcome == "intent_used":
        outcome = _book(sale, promise=None, now=now)
    if outcome == "too_far":
        raise CoveredTooFar
    if outcome == "another_product":
        raise purchases.BoughtAnother
    purchase = _booked(provider, transaction)
    if purchase is None:
        raise RuntimeError(f"{transaction.transaction_id} was {outcome} and is not there")
    if outcome == "credited":
        exchange.keep_estimate(purchase, now=now)
    return _owned(purchase, viewer_id), outcome == "credited"


def _product(provider: str, transaction: StoreTransaction) -> PassProduct:
    """The pass sold under the store's name. One that is no longer shown is still honoured."""
    name = (
        StoreProduct.objects.filter(
            provider=provider, store_product_id=transaction.store_product_id
        )
        .select_related("pass_product")
        .first()
    )
    if name is None or name.pass_product is None:
        raise purchases.ProductUnknown
    return name.pass_product


def _intent(
    *, viewer_id: UUID, provider: str, transaction: StoreTransaction, product: PassProduct
) -> PassIntent | None:
    if transaction.quantity > 1:
        return None  # what was promised is the length of one
    mine = PassIntent.objects.filter(viewer_id=viewer_id, provider=provider, product=product)
    if transaction.intent_id is None:
        token = transaction.account_token
        return mine.filter(id=token).first() if token else None
    intent = mine.filter(id=transaction.intent_id).first()
    if intent is None:
        purchases.warn_of_intent(provider, transaction)
    return intent


def _booked(provider: str, transaction: StoreTransaction) -> PassPurchase | None:
    return (
        PassPurchase.objects.filter(
            provider=provider,
            environment=transaction.environment,
            transaction_id=transaction.transaction_id,
        )
        .select_related("product")
        .first()
    )


def _owned(purchase: PassPurchase, viewer_id: UUID) -> PassPurchase:
    if purchase.viewer_id != viewer_id:
        raise purchases.TransactionOfAnotherViewer
    return purchase


def _book(sale: Sale, *, promise: PassIntent | None, now: datetime) -> str:
    """Calls the writer; returns its outcome. `promise` is the intent whose length is given."""
    sold, given = sale.transaction, promise or sale.product
    currency, gross_micros = purchases.paid(sold, sale.product)
    terms = purchases.divide(
        provider=sale.provider, gross_micros=gross_micros, at=sold.purchased_at
    )
    rate = purchases.rate_of(
        currency,
        gross_micros,
        product=sale.product,
        quantity=sold.quantity,
        at=sold.purchased_at,
    )
    arguments: list[str | int | Decimal | UUID | datetime | None] = [
        sale.provider,
        sold.environment,
        sold.transaction_id,
        sale.viewer_id,
        promise.id if promise else None,
        sale.product.id,
        given.period_months * sold.quantity,
        given.period_days * sold.quantity,
        currency,
        gross_micros,
        terms.tax_micros,
        terms.fee_micros,
        rate.micros(terms.net_micros),
        rate.rate,
        rate.source,
        sold.purchased_at,
        now + MAXIMUM_AHEAD,
        now,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CREDIT, arguments)
        (outcome,) = cursor.fetchone()
    return str(outcome)
