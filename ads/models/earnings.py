"""What ads turn out to have earned beyond the estimates that rewards keep. Written by SQL alone."""

from django.db import models
from django.db.models import Q

from ads.models.impressions import Impression
from ads.models.placements import Network, Placement
from ads.models.rewards import Reward
from catalog.models import Episode, Series
from config.ids import uuid7
from viewers.models import Environment, Viewer


class RevenueDay(models.Model):
    """A network's day of which an impression or a report is known: to be settled, and settled again when
    more becomes known."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network = models.CharField(max_length=20, choices=Network.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    day = models.DateField(help_text="In the network's time zone")
    reported_at = models.DateTimeField(
        null=True, help_text="When a version of its report came last"
    )
    settled_at = models.DateTimeField(null=True)
    waits_until = models.DateTimeField(
        null=True, help_text="When a session ends that may be rewarded still"
    )

    class Meta:
        ordering = ["-day", "network"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "environment", "day"], name="ads_revenueday_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.day} ({self.environment})"


class TrueUp(models.Model):
    """What a report says of a cell, and what was estimated of it: a new row whenever either changes, the
    latest counts. Never changed.

    A cell is an ad unit and a country. A country that only the report or only the estimates have is in the
    ad unit's cell without a country, an ad unit that the report does not name in the day's without either.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    revenue_day = models.ForeignKey(RevenueDay, models.PROTECT, related_name="true_ups")
    ad_unit_id = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2, blank=True)
    number = models.PositiveIntegerField()
    placement = models.ForeignKey(
        Placement, models.PROTECT, null=True, related_name="+", db_index=False
    )
    estimated_micros = models.BigIntegerField()
    reported_micros = models.BigIntegerField()
    factor = models.DecimalField(
        max_digits=30,
        decimal_places=10,
        null=True,
        help_text="Reported ÷ estimated; none where nothing was estimated",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["revenue_day", "ad_unit_id", "country", "number"], name="ads_trueup_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ad_unit_id or 'all'} {self.country}"


class Basis(models.TextChoices):
    """What a correction rests on."""

    MEASURED = "measured", "The impression itself was told of"
    REPORTED = "reported", "The network's report of the day"


class EarningCorrection(models.Model):
    """A difference to what a view was taken to have earned. Rewards keep their estimate; the sum of it and of
    a view's corrections is the best that is known of it. Never changed.

    A view is a reward, or an impression without one. What a report has of no view is a correction of its
    cell, with neither.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    revenue_day = models.ForeignKey(RevenueDay, models.PROTECT, related_name="corrections")
    subject_id = models.UUIDField(help_text="Of the session, the impression or the cell")
    basis = models.CharField(max_length=10, choices=Basis.choices)
    number = models.PositiveIntegerField()
    reward = models.ForeignKey(
        Reward, models.PROTECT, null=True, related_name="corrections", db_index=False
    )
    impression = models.ForeignKey(
        Impression, models.PROTECT, null=True, related_name="corrections", db_index=False
    )
    network = models.CharField(max_length=20, choices=Network.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    viewer = models.ForeignKey(Viewer, models.PROTECT, null=True, related_name="+", db_index=False)
    placement = models.ForeignKey(
        Placement, models.PROTECT, null=True, related_name="+", db_index=False
    )
    series = models.ForeignKey(Series, models.PROTECT, null=True, related_name="+", db_index=False)
    episode = models.ForeignKey(
        Episode, models.PROTECT, null=True, related_name="+", db_index=False
    )
    earned_micros = models.BigIntegerField(help_text="On this basis, with this correction")
    difference_micros = models.BigIntegerField()
    viewed_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject_id", "basis", "number"], name="ads_earningcorrection_once"
            ),
            models.CheckConstraint(
                condition=Q(reward__isnull=True) | Q(impression__isnull=True),
                name="ads_earningcorrection_of_one",
            ),
        ]
        indexes = [
            models.Index(fields=["environment", "created_at"], name="earningcorrection_by_time"),
            models.Index(fields=["viewer"], name="earningcorrection_of_viewer"),
        ]

    def __str__(self) -> str:
        return f"{self.difference_micros:+d} {self.basis}"
