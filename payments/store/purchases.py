"""Verified store transactions become coins, once."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db import transaction as database

from config.problems import Problem
from payments.models import (
    CoinPack,
    OfferClaim,
    PassProduct,
    Purchase,
    PurchaseIntent,
    StoreProduct,
    StoreTerms,
)
from payments.models.products import TRANSACTION_ID_CHARACTERS
from payments.money import PARTS_PER_MILLION, Money, share
from payments.providers import deadlines, registry
from payments.providers.base import (
    Fact,
    Facts,
    ProviderAdapter,
    ProviderError,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.store import exchange, offer_claims
from viewers.models import Environment

logger = logging.getLogger(__name__)

#: Nothing is sold for more at once, in the reporting currency.
MAXIMUM_WORTH_MICROS = 100_000 * PARTS_PER_MILLION
#: The same in whatever currency: it is some billions of the smallest.
MAXIMUM_PRICE_MICROS = 10_000_000_000 * PARTS_PER_MILLION
MAXIMUM_QUANTITY = 1_000
_CURRENCY = re.compile("[A-Z]{3}")
#: No store sold coins in an app before.
EARLIEST_PURCHASE = datetime(2008, 7, 10, tzinfo=UTC)
#: How far a store's clock may be ahead of ours.
CLOCK_SKEW = timedelta(days=1)

_CREDIT = "SELECT payments_credit_purchase(" + ", ".join(["%s"] * 17) + ") ->> 'outcome'"


class ProviderUnknown(Problem):
    code = "provider_unknown"
    title = "This service sells through no such store"


class ProductUnknown(Problem):
    code = "product_unknown"
    title = "No coin pack or pass has this name in this store"


class TransactionInvalid(Problem):
    code = "transaction_invalid"
    title = "The store's signature or the transaction's content does not hold"


class StoreUnavailable(Problem):
    code = "store_unavailable"
    title = "The store cannot be asked right now; hand the same transaction in again later"
    headers = {"Retry-After": "30"}


class TransactionOfAnotherViewer(Problem):
    code = "transaction_of_another_viewer"
    title = "This transaction belongs to another viewer; nothing was credited here"


class BoughtAnother(Exception):
    """The transaction is booked, as a product of another kind than the one that it names now."""


@dataclass(frozen=True)
class Terms:
    """How a gross price divides into tax, store fee and what is left, in micros."""

    tax_micros: int
    fee_micros: int
    net_micros: int


@dataclass(frozen=True)
class Booking:
    """A verified transaction, whose it is, and the pack it bought."""

    viewer_id: UUID
    provider: str
    transaction: StoreTransaction
    pack: CoinPack


def create_intent(
    *,
    viewer_id: UUID,
    environment: str,
    pack_id: UUID,
    provider: str,
    now: datetime,
    offer_id: UUID | None = None,
) -> tuple[PurchaseIntent, StoreProduct]:
    """Records that the viewer is about to buy, before any money moves.

    Under an offer a place of it is kept for the viewer, in their environment; the same again keeps the
    same place. Raises ProviderUnknown, ProductUnknown when the pack is not sold in that store or not
    without an offer, and what offer_claims.REFUSALS lists; none of them leaves anything behind.
    """
    adapter(provider)
    with database.atomic():
        claim = None
        if offer_id is not None:
            claim = offer_claims.claim(
                offer_id=offer_id, viewer_id=viewer_id, environment=environment, now=now
            )
            if claim.offer.pack_id != pack_id:
                raise offer_claims.OfferUnknown
        product, pack = _on_sale(provider, pack_id, is_under_offer=claim is not None)
        intent = PurchaseIntent.objects.create(
            viewer_id=viewer_id,
            pack=pack,
            provider=provider,
            paid_coins=pack.paid_coins,
            bonus_coins=pack.bonus_coins,
            offer_claim=claim,
            created_at=now,
        )
    return intent, product


def read(*, provider: str, handed_in: str, now: datetime) -> Facts:
    """What an app hands in after buying, if it is genuine.

    May ask the store, so it is called outside of any transaction; for seconds, as the app waits. Raises
    ProviderUnknown, TransactionInvalid, StoreUnavailable.
    """
    try:
        with deadlines.within(deadlines.WHILE_AN_APP_WAITS_SECONDS):
            return adapter(provider).submitted(handed_in, now=now)
    except ProviderError as error:
        if error.permanent:
            raise TransactionInvalid(error.reason) from error
        raise StoreUnavailable from error


def credit(
    *, viewer_id: UUID, provider: str, transaction: StoreTransaction, now: datetime
) -> tuple[Purchase, bool]:
    """Credits a verified transaction to a viewer's wallet in the transaction's environment.

    One that was credited before is answered as it was booked, whatever the packs are called today.
    Else it grants what its intent promised, once for each intent, or the pack's coins of today; an intent that is
    not the viewer's for this pack promised nothing, and the money is theirs all the same. An offer
    that the intent was made under gives its bonus if it was paid in time or a place of it is left, in the
    environment of the transaction; else the money is credited with the pack's ordinary coins. Raises
    ProductUnknown, TransactionInvalid for what cannot be booked, RateMissing,
    TransactionOfAnotherViewer, and BoughtAnother where the transaction had bought a pass.
    """
    if booked := _booked(provider, transaction):
        return _owned(booked, viewer_id), False
    refuse_nonsense(transaction, now=now)
    pack = _pack(provider, transaction)
    intent = _intent(viewer_id=viewer_id, provider=provider, transaction=transaction, pack=pack)
    booking = Booking(viewer_id=viewer_id, provider=provider, transaction=transaction, pack=pack)
    outcome = _book(booking, promise=intent, now=now) if intent else "intent_used"
    if outcome == "intent_used":
        outcome = _book(booking, promise=None, now=now)
    if outcome == "another_product":
        raise BoughtAnother
    purchase = _booked(provider, transaction)
    if purchase is None:
        raise RuntimeError(f"{transaction.transaction_id} was {outcome} and is not there")
    if outcome == "credited":
        exchange.keep_estimate(purchase, now=now)
    return _owned(purchase, viewer_id), outcome == "credited"


def divide(*, provider: str, gross_micros: int, at: datetime) -> Terms:
    """Net price by the store's terms of that day: gross − tax − fee, where the fee is on what is
    left after tax. Without terms on record nothing is deducted.
    """
    terms = StoreTerms.objects.filter(provider=provider, effective_from__lte=at).first()
    if terms is None:
        return Terms(tax_micros=0, fee_micros=0, net_micros=gross_micros)
    before_tax = (
        gross_micros * PARTS_PER_MILLION // (PARTS_PER_MILLION + terms.tax_parts_per_million)
    )
    fee = share(before_tax, parts_per_million=terms.fee_parts_per_million)
    return Terms(tax_micros=gross_micros - before_tax, fee_micros=fee, net_micros=before_tax - fee)


def paid(sold: StoreTransaction, product: CoinPack | PassProduct) -> tuple[str, int]:
    """The currency and the price of a transaction with tax, in micros: the list's where the store tells none."""
    if sold.price_micros is not None:
        return sold.currency, sold.price_micros
    return product.currency, product.price_micros * sold.quantity


def rate_of(
    currency: str,
    gross_micros: int,
    *,
    product: CoinPack | PassProduct,
    quantity: int = 1,
    at: datetime,
) -> exchange.Rate:
    """What a price's currency was worth that day, or is estimated to have been by the product's list price. Raises
    RateMissing, and TransactionInvalid for more than anything is sold for."""
    listed = Money(amount_micros=product.price_micros * quantity, currency=product.currency)
    found = exchange.of_sale(currency, gross_micros, listed=listed, at=at)
    if found.micros(gross_micros) > MAXIMUM_WORTH_MICROS:
        raise TransactionInvalid("A value is outside what can be booked.")
    return found


def promised(purchase: Purchase) -> OfferClaim | None:
    """What the purchase's intent had promised under an offer, None where it was made without one."""
    return purchase.intent.offer_claim if purchase.intent else None


def was_granted(purchase: Purchase) -> bool:
    """Whether it was sold under an offer, with the offer's bonus."""
    return hasattr(purchase, "offer_claim")


def adapter(provider: str) -> ProviderAdapter:
    """The adapter of a configured store. Raises ProviderUnknown."""
    found = adapters().get(provider)
    if found is None:
        raise ProviderUnknown
    return found


@cache
def adapters() -> Mapping[str, ProviderAdapter]:
    """Those of the stores that are configured, made once: they keep connections, keys and verified chains."""
    return registry.adapters(settings)


def refuse_nonsense(transaction: StoreTransaction, *, now: datetime) -> None:
    """A genuine signature over values that could not be booked. Raises TransactionInvalid."""
    bookable = (
        0 < len(transaction.transaction_id) <= TRANSACTION_ID_CHARACTERS
        and 0 < transaction.quantity <= MAXIMUM_QUANTITY
        and _is_price(transaction)
        # Tax and fee are those of that day: a sale at no time would be booked without any.
        and EARLIEST_PURCHASE <= transaction.purchased_at <= now + CLOCK_SKEW
    )
    if not bookable:
        raise TransactionInvalid("A value is outside what can be booked.")


def _is_price(transaction: StoreTransaction) -> bool:
    """Without a price there is no currency either: the list's counts, see `paid`."""
    if transaction.price_micros is None:
        return True
    is_currency = _CURRENCY.fullmatch(transaction.currency) is not None
    return is_currency and 0 <= transaction.price_micros <= MAXIMUM_PRICE_MICROS


def warn_of_intent(provider: str, transaction: StoreTransaction) -> None:
    """A genuine sale names an intent that is not its viewer's for its product: it is credited without a promise."""
    logger.warning(
        "%s %s of %s names the intent %s, which is not its viewer's for it",
        provider,
        transaction.transaction_id,
        transaction.store_product_id,
        transaction.intent_id,
    )


def refuse_unstorable(fact: Fact) -> None:
    """A genuine fact with text that no row can hold, or of no environment that there is. Raises TransactionInvalid.

    Neither NUL nor a lone surrogate is text to PostgreSQL.
    """
    period = fact.period if isinstance(fact, SubscriptionSnapshot) else None
    said = [*vars(fact).items(), *(vars(period).items() if period else ())]
    is_storable = all(
        (len(text) <= TRANSACTION_ID_CHARACTERS or name == "reason")
        and "\x00" not in text
        and not any("\ud800" <= letter <= "\udfff" for letter in text)
        for name, text in said
        if isinstance(text, str)
    )
    if fact.environment not in Environment.values or not is_storable:
        raise TransactionInvalid("A value is outside what can be booked.")


def _on_sale(
    provider: str, pack_id: UUID, *, is_under_offer: bool
) -> tuple[StoreProduct, CoinPack]:
    """The store's latest name for a pack, and the pack. One that is not shown by itself is sold under offers alone."""
    products = StoreProduct.objects.filter(pack_id=pack_id, provider=provider)
    if not is_under_offer:
        products = products.filter(pack__is_active=True)
    product = products.select_related("pack").order_by("-id").first()
    if product is None or product.pack is None:
        raise ProductUnknown
    return product, product.pack


def _pack(provider: str, transaction: StoreTransaction) -> CoinPack:
    """The pack sold under the store's name. One that is no longer shown is still honoured."""
    product = (
        StoreProduct.objects.filter(
            provider=provider, store_product_id=transaction.store_product_id
        )
        .select_related("pack")
        .first()
    )
    if product is None or product.pack is None:
        raise ProductUnknown
    return product.pack


def _intent(
    *, viewer_id: UUID, provider: str, transaction: StoreTransaction, pack: CoinPack
) -> PurchaseIntent | None:
    """The intent that a store was told: as such, or by the account token that stands for it.

    Apps give stores words of their own in the same place, and what a product is may change after it was announced.
    """
    if transaction.quantity > 1:
        return None  # what was promised are the coins of one
    mine = PurchaseIntent.objects.filter(viewer_id=viewer_id, provider=provider, pack=pack)
    if transaction.intent_id is None:
        token = transaction.account_token
        return mine.filter(id=token).first() if token else None
    intent = mine.filter(id=transaction.intent_id).first()
    if intent is None:
        warn_of_intent(provider, transaction)
    return intent


def _booked(provider: str, transaction: StoreTransaction) -> Purchase | None:
    return (
        Purchase.objects.filter(
            provider=provider,
            environment=transaction.environment,
            transaction_id=transaction.transaction_id,
        )
        .select_related("pack", "offer_claim", "intent__offer_claim__offer")
        .first()
    )


def _owned(purchase: Purchase, viewer_id: UUID) -> Purchase:
    if purchase.viewer_id != viewer_id:
        raise TransactionOfAnotherViewer
    return purchase


def _book(booking: Booking, *, promise: PurchaseIntent | None, now: datetime) -> str:
    """Calls the writer; returns its outcome. `promise` is the intent whose coins are granted."""
    sold, granted = booking.transaction, promise or booking.pack
    currency, gross_micros = paid(sold, booking.pack)
    terms = divide(provider=booking.provider, gross_micros=gross_micros, at=sold.purchased_at)
    rate = rate_of(
        currency,
        gross_micros,
        product=booking.pack,
        quantity=sold.quantity,
        at=sold.purchased_at,
    )
    arguments: list[str | int | Decimal | UUID | datetime | None] = [
        booking.provider,
        sold.environment,
        sold.transaction_id,
        booking.viewer_id,
        promise.id if promise else None,
        booking.pack.id,
        granted.paid_coins * sold.quantity,
        granted.bonus_coins * sold.quantity,
        currency,
        gross_micros,
        terms.tax_micros,
        terms.fee_micros,
        rate.micros(terms.net_micros),
        rate.rate,
        rate.source,
        sold.purchased_at,
        now,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CREDIT, arguments)
        (outcome,) = cursor.fetchone()
    return str(outcome)
