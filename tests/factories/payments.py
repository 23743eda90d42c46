"""Rows of money for tests, made through the same doors as real ones."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import factory
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from factory.django import DjangoModelFactory

from payments.access import entitlements
from payments.desk import plans, price_versions
from payments.messages import submissions
from payments.messages.asking import Patience
from payments.messages.submissions import Booked
from payments.models import (
    AcquisitionLink,
    CoinPack,
    Cover,
    Entitlement,
    Lot,
    Offer,
    OfferKind,
    PassProduct,
    PassPurchase,
    PaywallPlacement,
    PricePlan,
    PromoCode,
    Purchase,
    StoreProduct,
)
from payments.providers import registry
from payments.providers.base import StoreTransaction
from payments.store import pass_purchases, purchases
from tests.factories.catalog import SeriesFactory

PAST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class CoinPackFactory(DjangoModelFactory[CoinPack]):
    class Meta:
        model = CoinPack

    code = factory.Sequence(lambda n: f"pack-{n}")
    title = "500 coins"
    paid_coins = 500
    bonus_coins = 0
    price_micros = 4_990_000
    created_at = PAST


class StoreProductFactory(DjangoModelFactory[StoreProduct]):
    class Meta:
        model = StoreProduct

    pack = factory.SubFactory(CoinPackFactory)
    provider = "fake"
    store_product_id = factory.LazyAttribute(lambda product: f"coins.{product.pack.code}")


class OfferFactory(DjangoModelFactory[Offer]):
    class Meta:
        model = Offer

    code = factory.Sequence(lambda n: f"offer-{n}")
    title = "500 coins, and 200 more"
    pack = factory.LazyFunction(lambda: StoreProductFactory().pack)
    kind = OfferKind.LIMITED
    bonus_coins = 200
    starts_at = PAST
    created_at = PAST


class AcquisitionLinkFactory(DjangoModelFactory[AcquisitionLink]):
    class Meta:
        model = AcquisitionLink

    code = factory.Sequence(lambda n: f"link-{n}")
    name = "A campaign"
    series = factory.SubFactory(SeriesFactory)
    starts_at = PAST
    created_at = PAST


class PaywallPlacementFactory(DjangoModelFactory[PaywallPlacement]):
    class Meta:
        model = PaywallPlacement

    code = factory.Sequence(lambda n: f"place-{n}")
    title = "The paywall"
    config = factory.LazyFunction(lambda: {"layout": "sheet"})
    created_at = PAST


class PassProductFactory(DjangoModelFactory[PassProduct]):
    """A week, unless it is told otherwise."""

    class Meta:
        model = PassProduct

    code = factory.Sequence(lambda n: f"vip-{n}")
    title = "VIP"
    period_days = factory.LazyAttribute(lambda product: 0 if product.period_months else 7)
    period_months = 0
    price_micros = 19_990_000
    created_at = PAST


class StorePassFactory(DjangoModelFactory[StoreProduct]):
    class Meta:
        model = StoreProduct

    pass_product = factory.SubFactory(PassProductFactory)
    provider = "fake"
    store_product_id = factory.LazyAttribute(lambda product: f"fake.{product.pass_product.code}")


class PromoCodeFactory(DjangoModelFactory[PromoCode]):
    class Meta:
        model = PromoCode

    code = factory.Sequence(lambda n: f"PREMIERE{n}")
    name = "The premiere"
    bonus_coins = 50
    maximum_redemptions = 100
    starts_at = PAST
    asked_by = factory.LazyFunction(lambda: User.objects.get_or_create(username="promoter")[0])
    asked_at = PAST
    created_at = PAST


def default_plan() -> PricePlan:
    """The plan that the migrations make: transactional tests empty every table behind them."""
    plan, is_new = PricePlan.objects.get_or_create(
        is_default=True, defaults={"name": "Standard", "created_at": PAST}
    )
    if is_new:
        price_versions.add(
            plan=plan,
            effective_from=PAST,
            free_count=8,
            base_price_coins=60,
            overrides={},
            now=PAST,
        )
    return plan


def assign(plan: PricePlan, series_ids: Collection[UUID], *, since: datetime = PAST) -> None:
    """Has a plan price series since a moment."""
    plans.assign(plan=plan, series_ids=series_ids, effective_from=since, now=since)


def fund(
    viewer_id: UUID,
    *,
    now: datetime,
    paid: int = 500,
    bonus: int = 0,
    price_micros: int = 4_990_000,
    environment: str = "production",
) -> Purchase:
    """Tops a viewer up through a store transaction of its own pack."""
    pack = CoinPackFactory(paid_coins=paid, bonus_coins=bonus, price_micros=price_micros)
    product = StoreProductFactory(pack=pack)
    transaction = StoreTransaction(
        environment=environment,
        transaction_id=f"test-{uuid4()}",
        store_product_id=product.store_product_id,
        account_token=viewer_id,
        intent_id=None,
        price_micros=price_micros,
        currency="USD",
        purchased_at=now,
    )
    purchase, _ = purchases.credit(
        viewer_id=viewer_id, provider="fake", transaction=transaction, now=now
    )
    return purchase


def buy_pass(
    viewer_id: UUID,
    *,
    now: datetime,
    days: int = 0,
    months: int = 0,
    price_micros: int = 19_990_000,
    environment: str = "production",
    transaction_id: str | None = None,
) -> PassPurchase:
    """A viewer buys a pass of its own product: so many months or days, a week if nothing is said."""
    product = StorePassFactory(
        pass_product__period_months=months,
        pass_product__period_days=days or (0 if months else 7),
        pass_product__price_micros=max(price_micros, 1),
    )
    transaction = StoreTransaction(
        environment=environment,
        transaction_id=transaction_id or f"test-{uuid4()}",
        store_product_id=product.store_product_id,
        account_token=viewer_id,
        intent_id=None,
        price_micros=price_micros,
        currency="USD",
        purchased_at=now,
    )
    purchase, _ = pass_purchases.credit(
        viewer_id=viewer_id, provider="fake", transaction=transaction, now=now
    )
    return purchase


@contextmanager
def as_owner() -> Iterator[CursorWrapper]:
    """A cursor in the role of the schema's owner, for rows that no door makes yet.

    After an error the rollback of the block around it brings the application role back.
    """
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        yield cursor
        cursor.execute(f'SET ROLE "{settings.DATABASE_ROLE}"')


def give_bonus(
    viewer_id: UUID,
    *,
    coins: int,
    now: datetime,
    expires_at: datetime | None = None,
    value_micros: int = 0,
    environment: str = "production",
) -> Lot | None:
    """Coins earned by a task or an ad; the lot, if not all of them repaid a debt."""
    with as_owner() as cursor:
        cursor.execute(
            "SELECT payments_give_coins(%s, %s, 'reward', %s, %s, %s, %s, %s)",
            [viewer_id, environment, str(uuid4()), coins, value_micros, expires_at, now],
        )
        (transfer_id,) = cursor.fetchone()
    return Lot.objects.filter(transfer_id=transfer_id).first()


def give_cover(
    viewer_id: UUID,
    *,
    starts_at: datetime,
    ends_at: datetime,
    environment: str = "production",
) -> Cover:
    """A span of time in which the viewer opens episodes without coins."""
    with as_owner() as cursor:
        cursor.execute(
            "SELECT payments_give_cover(%s, %s, 'grant', %s, %s, %s, %s)",
            [viewer_id, environment, str(uuid4()), starts_at, ends_at, starts_at],
        )
        (cover_id,) = cursor.fetchone()
    return Cover.objects.get(id=cover_id)


def play(opened: QuerySet[Entitlement], *, now: datetime) -> None:
    """Marks entitlements as played, as issuing their first playback URL does."""
    entitlements.mark_played(list(opened), now=now)


def signed_sale(product: StoreProduct, *, viewer_id: UUID, now: datetime, **changes: object) -> str:
    """What the fake store answers after a checkout; `changes` replace members."""
    sold = product.pack or product.pass_product
    assert sold is not None
    sale: dict[str, object] = {
        "product_id": product.store_product_id,
        "account_token": viewer_id,
        "price_micros": sold.price_micros,
        "currency": "USD",
        "environment": "production",
        "now": now,
    }
    return registry.fake_store(settings).sell(**(sale | changes))


def told(signed: str, *, now: datetime) -> StoreTransaction:
    """The transaction that the fake store has signed."""
    (fact,) = purchases.adapter("fake").submitted(signed, now=now)
    assert isinstance(fact, StoreTransaction)
    return fact


def hand_in(signed: str, *, viewer_id: UUID, now: datetime) -> Booked:
    """What comes of a transaction that a viewer's app hands in."""
    found = submissions.read(provider="fake", handed_in=signed, patience=Patience(), now=now)
    return submissions.book(found, viewer_id=viewer_id, provider="fake", now=now)
