"""Price plans. A version, once made, is never changed: a new price is a new version."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from catalog.models import Series
from config.ids import uuid7
from payments.money import PARTS_PER_MILLION
from viewers.models import Platform

MAXIMUM_PRICE_COINS = 1_000_000
MAXIMUM_EPISODE_NUMBER = 10_000
#: A price is never scaled to more than a hundred times what it was.
MAXIMUM_SCALE_PARTS_PER_MILLION = 100 * PARTS_PER_MILLION
MINIMUM_RENTAL_SECONDS = 3600
MAXIMUM_RENTAL_SECONDS = 30 * 24 * 3600


class PricePlan(models.Model):
    """A way to price a series. Series without an assignment use the default plan."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    is_default = models.BooleanField(default=False)
    own_series = models.OneToOneField(
        Series,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="own_plan",
        help_text="The one title that has these prices, from a price table",
    )
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="payments_priceplan_one_default",
                violation_error_message="Another plan is the default already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class PriceVersion(models.Model):
    """What a plan asks from `effective_from` until a later version takes over.

    One that was cancelled before it took effect never priced anything.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="versions", db_index=False)
    effective_from = models.DateTimeField()
    free_count = models.PositiveIntegerField(help_text="Episodes at the start that cost nothing")
    base_price_coins = models.PositiveIntegerField(help_text="Price of every further episode")
    bundle_adjustment = models.OneToOneField(
        "payments.PriceAdjustment",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="bundle_of",
        help_text="How every episode's price differs when the rest of the series is bought at once",
    )
    rental_adjustment = models.OneToOneField(
        "payments.PriceAdjustment",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="rental_of",
        help_text="How an episode's price differs when it is rented",
    )
    rental_seconds = models.PositiveIntegerField(
        null=True, editable=False, help_text="How long a rented episode stays open"
    )
    cancelled_at = models.DateTimeField(null=True, editable=False)
    change = models.ForeignKey(
        "payments.PriceChange", models.PROTECT, null=True, editable=False, related_name="versions"
    )
    instead_of = models.ForeignKey(
        "payments.PriceChange",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        help_text="The change that was rolled back, where this repeats what stood before it",
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "effective_from"],
                condition=Q(cancelled_at=None),
                name="payments_priceversion_one_per_moment",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_at=None) | Q(cancelled_at__lt=F("effective_from")),
                name="payments_priceversion_cancelled_before",
            ),
            models.CheckConstraint(
                condition=Q(
                    base_price_coins__gt=0,
                    base_price_coins__lte=MAXIMUM_PRICE_COINS,
                    free_count__lte=MAXIMUM_EPISODE_NUMBER,
                ),
                name="payments_priceversion_sane",
            ),
            models.CheckConstraint(
                condition=Q(rental_adjustment=None, rental_seconds=None)
                | Q(
                    rental_adjustment__isnull=False,
                    rental_seconds__gte=MINIMUM_RENTAL_SECONDS,
                    rental_seconds__lte=MAXIMUM_RENTAL_SECONDS,
                ),
                name="payments_priceversion_rental",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} from {self.effective_from:%Y-%m-%d %H:%M}"


class EpisodePrice(models.Model):
    """The price of one episode number in a version, in place of the base price."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="episode_prices", db_index=False
    )
    number = models.PositiveIntegerField()
    price_coins = models.PositiveIntegerField(help_text="0 makes this episode free")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "number"], name="payments_episodeprice_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    number__gt=0,
                    number__lte=MAXIMUM_EPISODE_NUMBER,
                    price_coins__lte=MAXIMUM_PRICE_COINS,
                ),
                name="payments_episodeprice_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"Episode {self.number}: {self.price_coins}"


class PriceStep(models.Model):
    """From episode `number` on, a version asks `price_coins` in place of what it asked before."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="steps", db_index=False)
    number = models.PositiveIntegerField()
    price_coins = models.PositiveIntegerField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="payments_pricestep_once"),
            models.CheckConstraint(
                condition=Q(
                    number__gt=1,
                    number__lte=MAXIMUM_EPISODE_NUMBER,
                    price_coins__gt=0,
                    price_coins__lte=MAXIMUM_PRICE_COINS,
                ),
                name="payments_pricestep_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"From episode {self.number}: {self.price_coins}"


class PriceAdjustment(models.Model):
    """How a price differs for some viewers or for some time. Never changed once made.

    What is null stays as it was: `free_count` takes the place of the version's, `price_coins` the place
    of everything that it asks for, and what is asked then is scaled, to whole coins, halves up, and to
    one coin at least. Scaled to nothing, every episode is free.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    free_count = models.PositiveIntegerField(null=True)
    price_coins = models.PositiveIntegerField(null=True)
    scale_parts_per_million = models.PositiveIntegerField(
        null=True, help_text="800000 is 20 % off, 0 is free"
    )
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(free_count__isnull=False)
                | Q(price_coins__isnull=False)
                | Q(scale_parts_per_million__isnull=False),
                name="payments_priceadjustment_adjusts",
            ),
            models.CheckConstraint(
                condition=(Q(free_count=None) | Q(free_count__lte=MAXIMUM_EPISODE_NUMBER))
                & (Q(price_coins=None) | Q(price_coins__gt=0, price_coins__lte=MAXIMUM_PRICE_COINS))
                & (
                    Q(scale_parts_per_million=None)
                    | Q(scale_parts_per_million__lte=MAXIMUM_SCALE_PARTS_PER_MILLION)
                ),
                name="payments_priceadjustment_sane",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class PriceVariant(models.Model):
    """A version's price in some regions or on some platforms. The first that fits counts.

    An empty list is everywhere, or every platform; at least one of them says something.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="variants", db_index=False
    )
    position = models.PositiveIntegerField()
    regions = ArrayField(models.CharField(max_length=2), default=list)
    platforms = ArrayField(models.CharField(max_length=10, choices=Platform.choices), default=list)
    adjustment = models.OneToOneField(PriceAdjustment, models.PROTECT, related_name="variant")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "position"], name="payments_pricevariant_place"
            ),
            models.CheckConstraint(
                condition=~Q(regions=[], platforms=[]), name="payments_pricevariant_narrows"
            ),
        ]

    def __str__(self) -> str:
        return ", ".join([*self.regions, *self.platforms])
