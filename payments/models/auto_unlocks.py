"""What viewers have agreed to pay without being asked each time."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from catalog.models import Series
from config.ids import uuid7
from payments.models.prices import PriceVersion
from viewers.models import Environment, Viewer


class AutoUnlockConsent(models.Model):
    """A viewer lets the episodes of a series be unlocked without a tap, up to so many coins a day.

    What was agreed is the price under the quote that was shown: `price_version` as `adjustments` adjust
    it. Written by SQL alone, and never changed but for its end; agreeing anew is another row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    daily_cap_coins = models.BigIntegerField()
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", db_index=False
    )
    adjustments = ArrayField(models.UUIDField(), default=list)
    agreed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "series"],
                condition=Q(ended_at=None),
                name="payments_autounlockconsent_one_standing",
            ),
            models.CheckConstraint(
                condition=Q(daily_cap_coins__gt=0), name="payments_autounlockconsent_cap"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.daily_cap_coins} a day of {self.viewer_id} for {self.series_id}"
