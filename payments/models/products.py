"""What a store sells for us, and on which terms."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, OuterRef, Q

from config.ids import uuid7
from payments.money import PARTS_PER_MILLION


class Provider(models.TextChoices):
    """The stores whose transactions we can verify."""

    APPLE = "apple", "Apple"
    GOOGLE = "google", "Google Play"
    STRIPE = "stripe", "Stripe"
    FAKE = "fake", "Fake store (demo and tests)"


class TransferPolicy(models.TextChoices):
    """Who has a subscription that another viewer restores on their device."""

    KEEP = "keep", "Whoever bought it keeps it"
    TRANSFER = "transfer", "Whoever restores it has it from then on"
    TRANSFER_IF_INACTIVE = "transfer_if_inactive", "Whoever restores it, once it opens nothing"


#: Google's purchase tokens are the longest names of money, of no length that is promised.
TRANSACTION_ID_CHARACTERS = 512


class CoinPack(models.Model):
    """Coins for money. Coins granted are fixed by the pack, never by the client."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=100)
    paid_coins = models.PositiveIntegerField()
    bonus_coins = models.PositiveIntegerField(default=0, help_text="Given free with the purchase")
    price_micros = models.BigIntegerField(help_text="List price in millionths: 4990000 is 4.99")
    currency = models.CharField(max_length=3, default="USD")
    is_active = models.BooleanField(default=True, help_text="Shown to viewers")
    position = models.PositiveIntegerField(default=0, help_text="Order in the list, lowest first")
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["position", "price_micros"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    paid_coins__gt=0,
                    paid_coins__lte=10_000_000,
                    bonus_coins__lte=10_000_000,
                    price_micros__gt=0,
                    price_micros__lte=100_000 * PARTS_PER_MILLION,
                ),
                name="payments_coinpack_sane",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payments_coinpack_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @cached_property
    def store_names(self) -> Mapping[str, str]:
        """Each store's own name for it."""
        return _names(self.store_products.all())


class PassProduct(models.Model):
    """Every episode for a while, for money: so many calendar months, or so many days.

    One that renews is a subscription: its store sells the next period by itself.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=100)
    period_months = models.PositiveIntegerField(default=0, help_text="Calendar months")
    period_days = models.PositiveIntegerField(default=0, help_text="Days of 24 hours")
    is_renewing = models.BooleanField(
        "renews by itself", default=False, help_text="Sold by the store as a subscription"
    )
    transfer_policy = models.CharField(
        max_length=30,
        choices=TransferPolicy.choices,
        default=TransferPolicy.TRANSFER,
        db_default=TransferPolicy.TRANSFER,
        help_text="Who has a subscription that another viewer restores",
    )
    period_coins = models.PositiveIntegerField(
        "coins with each period",
        default=0,
        db_default=0,
        help_text="Given with every period that is paid. They carry no money and do not lapse",
    )
    price_micros = models.BigIntegerField(help_text="List price in millionths: 19990000 is 19.99")
    currency = models.CharField(max_length=3, default="USD")
    is_active = models.BooleanField(default=True, help_text="Shown to viewers")
    position = models.PositiveIntegerField(default=0, help_text="Order in the list, lowest first")
    created_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = "pass"
        verbose_name_plural = "passes"
        ordering = ["position", "price_micros"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_micros__gt=0, price_micros__lte=100_000 * PARTS_PER_MILLION),
                name="payments_passproduct_sane",
            ),
            models.CheckConstraint(
                condition=Q(period_months__gt=0, period_months__lte=12, period_days=0)
                | Q(period_months=0, period_days__gt=0, period_days__lte=366),
                name="payments_passproduct_period",
            ),
            models.CheckConstraint(
                condition=Q(period_coins=0) | Q(is_renewing=True, period_coins__lte=1_000_000),
                name="payments_passproduct_coins",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payments_passproduct_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @cached_property
    def store_names(self) -> Mapping[str, str]:
        """Each store's own name for it."""
        return _names(self.store_products.all())


class StoreProduct(models.Model):
    """A store's own name for a pack or a pass, which may have had several: the latest is offered.

    One table for both, since a store has one name for one thing.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pack = models.ForeignKey(CoinPack, models.PROTECT, null=True, related_name="store_products")
    pass_product = models.ForeignKey(
        PassProduct, models.PROTECT, null=True, related_name="store_products"
    )
    provider = models.CharField(max_length=20, choices=Provider.choices)
    store_product_id = models.CharField(max_length=100)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "store_product_id"], name="payments_storeproduct_once"
            ),
            models.CheckConstraint(
                condition=Q(pack__isnull=False, pass_product__isnull=True)
                | Q(pack__isnull=True, pass_product__isnull=False),
                name="payments_storeproduct_is_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.store_product_id}"


def _names(products: Iterable[StoreProduct]) -> Mapping[str, str]:
    return {each.provider: each.store_product_id for each in products}


def names_in_stores(sold: str) -> ArraySubquery:
    """Pairs of a store and its name for a pack or a pass, as `sold` is called in StoreProduct, the latest
    last: part of a query of the caller's, whose `dict` is `store_names`."""
    pair = Func(
        "provider",
        "store_product_id",
        template="ARRAY[%(expressions)s]::text[]",
        output_field=ArrayField(models.TextField()),
    )
    of_it = StoreProduct.objects.filter(**{sold: OuterRef("id")})
    return ArraySubquery(of_it.order_by("id").values(pair=pair))


class StoreTerms(models.Model):
    """A store's fee and the tax inside its prices, from a day on. Purchases keep what they used."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    effective_from = models.DateTimeField()
    fee_parts_per_million = models.PositiveIntegerField(help_text="150000 is 15 %")
    tax_parts_per_million = models.PositiveIntegerField(
        default=0, help_text="Of the price without tax: 200000 is 20 % VAT"
    )

    class Meta:
        verbose_name_plural = "store terms"
        ordering = ["provider", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "effective_from"], name="payments_storeterms_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    fee_parts_per_million__lte=PARTS_PER_MILLION,
                    tax_parts_per_million__lte=PARTS_PER_MILLION,
                ),
                name="payments_storeterms_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} from {self.effective_from:%Y-%m-%d}"
