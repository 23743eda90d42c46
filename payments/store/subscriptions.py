"""Subscriptions: where the latest telling of its store puts one, and what each period was paid."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from payments.models import (
    ChangeCause,
    PassProduct,
    PassPurchase,
    StoreProduct,
    Subscription,
    SubscriptionCover,
    TransferPolicy,
)
from payments.providers.base import PaidPeriod, StoreTransaction, SubscriptionSnapshot
from payments.store import exchange, period_coins, purchases

#: A subscription goes to another viewer so often at most in so long.
TRANSFERS = 3
TRANSFERS_WITHIN = timedelta(days=30)
#: A viewer is shown so many at most: a store may begin a new one each time that they subscribe again.
LISTED = 100

_APPLY = "SELECT payments_apply_subscription(" + ", ".join(["%s"] * 16) + ")::text"
_CREDIT = "SELECT payments_credit_period(" + ", ".join(["%s"] * 18) + ")::text"
_TRANSFER = "SELECT payments_transfer_subscription(%s, %s, %s, %s, %s, %s) ->> 'outcome'"


def apply(
    snapshot: SubscriptionSnapshot,
    *,
    provider: str,
    viewer_id: UUID,
    cause: ChangeCause,
    message_id: UUID | None,
    now: datetime,
) -> tuple[Subscription, str]:
    """Keeps what a store says; returns the subscription as it is now, and "new", "changed", "outdated" or
    "repeated". `viewer_id` counts where it was not known. What it renews as may be nothing that is sold here:
    that decides neither what is open now nor what was paid. Raises ProductUnknown."""
    product = product_of(provider, snapshot.store_product_id)
    renews_as = _sold_as(provider, snapshot.renews_as) if snapshot.renews_as else None
    with connection.cursor() as cursor:
        cursor.execute(
            _APPLY,
            [
                provider,
                snapshot.environment,
                snapshot.subscription_id,
                viewer_id,
                product.id,
                snapshot.state,
                snapshot.access_until,
                renews_as.id if renews_as else None,
                snapshot.renews_as,
                snapshot.ownership,
                snapshot.price_consent,
                snapshot.replaces,
                snapshot.as_of,
                cause,
                message_id,
                now,
            ],
        )
        (answer,) = cursor.fetchone()
    told = json.loads(answer)
    return Subscription.objects.select_related("product", "renews_as").get(id=told["id"]), told[
        "outcome"
    ]


def credit(
    snapshot: SubscriptionSnapshot, subscription: Subscription, *, now: datetime
) -> tuple[PassPurchase, bool]:
    """Books the money of a snapshot's period, once ever; returns it, and whether this call booked it. Raises ProductUnknown, RateMissing, TransactionInvalid,
    BoughtAnother."""
    period = snapshot.period
    if period is None:
        raise ValueError("a snapshot without a period has no money")
    _refuse_nonsense(period, snapshot, now)
    product = product_of(subscription.provider, period.store_product_id)
    rate = purchases.rate_of(
        period.currency, period.price_micros, product=product, at=period.purchased_at
    )
    terms = purchases.divide(
        provider=subscription.provider, gross_micros=period.price_micros, at=period.purchased_at
    )
    arguments: list[str | int | Decimal | UUID | datetime] = [
        subscription.provider,
        subscription.environment,
        period.transaction_id,
        subscription.id,
        product.id,
        period.currency,
        period.price_micros,
        terms.tax_micros,
        terms.fee_micros,
        rate.micros(terms.net_micros),
        rate.rate,
        rate.source,
        period.purchased_at,
        period.starts_at,
        period.ends_at,
        period_coins.brought_by(period, product, rate=rate),
        period.is_prorated,
        now,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CREDIT, arguments)
        (answer,) = cursor.fetchone()
    told = json.loads(answer)
    if told["outcome"] == "another_product":
        raise purchases.BoughtAnother
    purchase = PassPurchase.objects.get(id=told["purchase_id"])
    is_booked = told["outcome"] == "credited"
    if is_booked:
        exchange.keep_estimate(purchase, now=now)
    return purchase, is_booked


def renewing_as_unknown() -> Sequence[tuple[str, str, int]]:
    """How many subscriptions that may renew do so as what is not sold here: of each store, by its name for it."""
    sold = StoreProduct.objects.filter(
        provider=OuterRef("provider"),
        store_product_id=OuterRef("renews_as_name"),
        pass_product__isnull=False,
    )
    found = Subscription.objects.filter(~Exists(sold), renews_as=None).exclude(renews_as_name="")
    counted = found.values("provider", "renews_as_name").annotate(count=Count("id"))
    return list(
        counted.order_by("provider", "renews_as_name").values_list(
            "provider", "renews_as_name", "count"
        )
    )


def of_viewer(
    viewer_id: UUID, *, environment: str, now: datetime
) -> Sequence[tuple[Subscription, bool]]:
    """A viewer's subscriptions and whether each is open, the latest begun first, LISTED at most: in one query."""
    found = Subscription.objects.filter(viewer_id=viewer_id, environment=environment)
    rows = (
        found.select_related("product", "renews_as")
        .annotate(opens=Exists(_covers(now).filter(subscription=OuterRef("id"))))
        .order_by("-id")[:LISTED]
    )
    return [(row, row.opens) for row in rows]


def is_open(subscription: Subscription, *, at: datetime) -> bool:
    """Whether it opens episodes: its cover says so, which ends where its money went back or another took its
    place."""
    return _covers(at).filter(subscription=subscription).exists()


def _covers(at: datetime) -> QuerySet[SubscriptionCover]:
    """Those that open episodes at a moment."""
    return SubscriptionCover.objects.filter(
        cover__closed_at=None, cover__starts_at__lte=at, cover__ends_at__gt=at
    )


def transfer(
    subscription: Subscription, *, viewer_id: UUID, operator_id: int | None, now: datetime
) -> str:
    """Gives a subscription to another viewer; returns "transferred", "own", "too_often", or "kept" where its product
    does not let a viewer who restores it have it, or not by now. An operator may always."""
    with connection.cursor() as cursor:
        cursor.execute(
            _TRANSFER,
            [
                subscription.id,
                viewer_id,
                operator_id,
                TRANSFERS,
                now - TRANSFERS_WITHIN,
                now,
            ],
        )
        (outcome,) = cursor.fetchone()
    return str(outcome)


def may_transfer(subscription: Subscription, *, now: datetime) -> bool:
    """Whether the product's policy lets another viewer who restores it have it, as far as is known: `transfer` asks
    again when nobody else can move it."""
    policy = subscription.product.transfer_policy
    if policy == TransferPolicy.TRANSFER_IF_INACTIVE:
        return not is_open(subscription, at=now)
    return policy == TransferPolicy.TRANSFER


def product_of(provider: str, store_product_id: str) -> PassProduct:
    """The pass that a store sells under a name. Raises ProductUnknown."""
    found = _sold_as(provider, store_product_id)
    if found is None:
        raise purchases.ProductUnknown
    return found


def _sold_as(provider: str, store_product_id: str) -> PassProduct | None:
    found = (
        StoreProduct.objects.filter(
            provider=provider, store_product_id=store_product_id, pass_product__isnull=False
        )
        .select_related("pass_product")
        .first()
    )
    return found.pass_product if found else None


def _refuse_nonsense(period: PaidPeriod, snapshot: SubscriptionSnapshot, now: datetime) -> None:
    if not period.starts_at < period.ends_at:
        raise purchases.TransactionInvalid("A period ends after it has begun.")
    sold = StoreTransaction(
        environment=snapshot.environment,
        transaction_id=period.transaction_id,
        store_product_id=period.store_product_id,
        account_token=snapshot.account_token,
        price_micros=period.price_micros,
        currency=period.currency,
        purchased_at=period.purchased_at,
    )
    purchases.refuse_unstorable(sold)
    purchases.refuse_nonsense(sold, now=now)
