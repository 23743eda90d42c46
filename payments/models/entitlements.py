"""What a viewer paid for an episode, and the right to watch it that came of it."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from catalog.models import Episode, Series
from config.ids import uuid7
from payments.models.auto_unlocks import AutoUnlockConsent
from payments.models.covers import Cover
from payments.models.ledger import Transfer
from payments.models.prices import PriceVersion
from viewers.models import Environment, Viewer


class EntitlementSource(models.TextChoices):
    """What opened the episode."""

    COINS = "coins", "Coins"
    AD = "ad", "Rewarded ad"
    SUBSCRIPTION = "subscription", "Covered by a subscription or pass"
    GRANT = "grant", "Given by an operator"


class Entitlement(models.Model):
    """The right to watch one episode from a moment on, until it ends or is revoked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    episode = models.ForeignKey(Episode, models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=20, choices=EntitlementSource.choices)
    cover = models.ForeignKey(
        Cover,
        models.PROTECT,
        null=True,
        related_name="entitlements",
        db_index=False,
        help_text="What covered the episode, if a subscription or pass did",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="Revoked, or found expired")
    first_played_at = models.DateTimeField(null=True, help_text="First playback URL issued")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "episode", "environment"],
                condition=Q(closed_at__isnull=True),
                name="payments_entitlement_one_live",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="payments_entitlement_period",
            ),
        ]
        indexes = [
            models.Index(
                fields=["viewer", "series", "environment"],
                name="entitlement_of_series",
                condition=Q(closed_at__isnull=True),
            ),
            models.Index(
                fields=["cover"], name="entitlement_of_cover", condition=Q(cover__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} may watch {self.episode_id}"


class UnlockWay(models.TextChoices):
    """How coins were spent on an episode."""

    SINGLE = "single", "By itself"
    BUNDLE = "bundle", "With the rest of its series"
    AUTO = "auto", "Without a tap, as the viewer had agreed to"
    RENTAL = "rental", "For a time"


class Unlock(models.Model):
    """A spend that opened an episode: the price, the promise it was charged under, the value."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    episode = models.ForeignKey(Episode, models.PROTECT, related_name="+")
    entitlement = models.OneToOneField(Entitlement, models.PROTECT, related_name="unlock")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="unlock")
    price_version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="+")
    adjustments = ArrayField(
        models.UUIDField(), default=list, help_text="What adjusted the version's price, in order"
    )
    arm = models.TextField(help_text="Experiments that took part in the price, `experiment:arm`")
    number = models.PositiveIntegerField(null=True, help_text="The episode's number at that time")
    numbering = models.PositiveIntegerField(null=True, help_text="Which numbering was quoted")
    quote_expires_at = models.DateTimeField(null=True)
    price_coins = models.BigIntegerField()
    paid_coins = models.BigIntegerField()
    bonus_coins = models.BigIntegerField()
    value_micros = models.BigIntegerField(help_text="Net revenue recognised, reporting currency")
    attribution_micros = models.BigIntegerField(
        default=0,
        help_text="What rewarded ads had earned with the coins spent, for the title's account only",
    )
    playback_session_id = models.UUIDField(null=True)
    position_ms = models.PositiveIntegerField(null=True)
    way = models.CharField(
        max_length=10,
        choices=UnlockWay.choices,
        default=UnlockWay.SINGLE,
        db_default=UnlockWay.SINGLE,
    )
    bundle_id = models.UUIDField(
        null=True, help_text="The same for all that was unlocked at once as the rest of a series"
    )
    consent = models.ForeignKey(
        AutoUnlockConsent, models.PROTECT, null=True, related_name="unlocks", db_index=False
    )
    day = models.DateField(
        null=True, help_text="The day, in the reporting zone, on which it counts as spent"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(price_coins=F("paid_coins") + F("bonus_coins")),
                name="payments_unlock_split",
            ),
            models.CheckConstraint(
                condition=Q(
                    way__in=[UnlockWay.SINGLE, UnlockWay.RENTAL], bundle_id=None, consent=None
                )
                | Q(way=UnlockWay.BUNDLE, bundle_id__isnull=False, consent=None)
                | Q(way=UnlockWay.AUTO, bundle_id=None, consent__isnull=False),
                name="payments_unlock_way",
            ),
        ]
        indexes = [
            BrinIndex(fields=["created_at"], name="unlock_by_time"),
            models.Index(
                fields=["viewer", "environment", "day"],
                name="unlock_without_a_tap",
                condition=Q(consent__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.episode_id} for {self.price_coins}"
