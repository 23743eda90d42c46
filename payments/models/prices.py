"""Price plans. A version, once made, is never changed: a new price is a new version."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from catalog.models import Series
from config.ids import uuid7

MAXIMUM_PRICE_COINS = 1_000_000


class PricePlan(models.Model):
    """A way to price a series. Series without an assignment use the default plan."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    is_default = models.BooleanField(default=False)
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
    """What a plan asks from `effective_from` until a later version takes over."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="versions", db_index=False)
    effective_from = models.DateTimeField()
    free_count = models.PositiveIntegerField(help_text="Episodes at the start that cost nothing")
    base_price_coins = models.PositiveIntegerField(help_text="Price of every further episode")
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "effective_from"], name="payments_priceversion_one_per_moment"
            ),
            models.CheckConstraint(
                condition=Q(
                    base_price_coins__gt=0,
                    base_price_coins__lte=MAXIMUM_PRICE_COINS,
                    free_count__lte=10_000,
                ),
                name="payments_priceversion_sane",
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
                condition=Q(number__gt=0, number__lte=10_000, price_coins__lte=MAXIMUM_PRICE_COINS),
                name="payments_episodeprice_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"Episode {self.number}: {self.price_coins}"


class PlanAssignment(models.Model):
    """The plan of one series."""

    series = models.OneToOneField(
        Series, models.CASCADE, primary_key=True, related_name="plan_assignment"
    )
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="assignments")

    def __str__(self) -> str:
        return f"{self.series_id} → {self.plan_id}"
