"""Single ads that were shown, with what each is said to have earned: the word of an app or of a network."""

from django.db import models
from django.db.models import Q

from ads.models.placements import Network, Placement
from ads.models.sessions import AdSession
from config.ids import uuid7
from viewers.models import Environment, Viewer


class ImpressionSource(models.TextChoices):
    """Who told of an impression. An app can say anything: it is an estimate, until a report says more."""

    CLIENT = "client", "The app"
    POSTBACK = "postback", "The network's server"


class AdFormat(models.TextChoices):
    REWARDED = "rewarded", "Rewarded"
    INTERSTITIAL = "interstitial", "Interstitial"
    BANNER = "banner", "Banner"
    OTHER = "other", "Other"


class Precision(models.TextChoices):
    """How the SDK came to the amount, by its own word."""

    UNKNOWN = "unknown", "Not said"
    ESTIMATED = "estimated", "Estimated from past ads"
    PUBLISHER = "publisher", "Set in the network's console"
    PRECISE = "precise", "What the auction was won with"


class Impression(models.Model):
    """One ad that was shown. Never changed; nothing that a viewer is granted depends on it.

    `told_micros` is of `currency`, as it was told; `revenue_micros` is that in the reporting currency, at
    the rate of its day. Whose session is not theirs, or is of another ad unit, has none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=10, choices=ImpressionSource.choices)
    impression_id = models.CharField(max_length=100, help_text="As who told of it names it")
    network = models.CharField(max_length=20, choices=Network.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    viewer = models.ForeignKey(Viewer, models.PROTECT, null=True, related_name="+", db_index=False)
    session = models.ForeignKey(
        AdSession, models.PROTECT, null=True, related_name="impressions", db_index=False
    )
    placement = models.ForeignKey(
        Placement, models.PROTECT, null=True, related_name="+", db_index=False
    )
    ad_unit_id = models.CharField(max_length=100)
    format = models.CharField(max_length=20, choices=AdFormat.choices)
    country = models.CharField(max_length=2, blank=True)
    told_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    precision = models.CharField(max_length=10, choices=Precision.choices)
    revenue_micros = models.BigIntegerField()
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10)
    exchange_source = models.CharField(max_length=50)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "impression_id"],
                condition=Q(source="client"),
                name="ads_impression_of_app_once",
            ),
            models.UniqueConstraint(
                fields=["network", "impression_id"],
                condition=Q(source="postback"),
                name="ads_impression_of_network_once",
            ),
            models.CheckConstraint(
                condition=Q(told_micros__gte=0, revenue_micros__gte=0),
                name="ads_impression_sane",
            ),
            models.CheckConstraint(
                condition=~Q(source="client") | Q(viewer__isnull=False),
                name="ads_impression_of_app_has_viewer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["network", "environment", "occurred_at"], name="impression_by_day"
            ),
            models.Index(fields=["viewer", "received_at"], name="impression_of_viewer"),
            models.Index(
                fields=["session"],
                name="impression_of_session",
                condition=Q(session__isnull=False),
            ),
            models.Index(fields=["received_at"], name="impression_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.impression_id}"
