"""Purchases that were handed in by others than those whose they are."""

from django.db import models

from config.ids import uuid7
from payments.models.passes import PassPurchase
from payments.models.products import Provider
from payments.models.purchases import Purchase
from payments.models.subscriptions import Subscription
from viewers.models import Environment, Viewer

SHA256_HEX_CHARACTERS = 64


class RefusedClaim(models.Model):
    """A viewer handed in what is another's, and was refused it: once for each purchase and day. Never changed.

    `reference_hash` is SHA-256 of the store's name of what was handed in: who reads this can tell one from another
    and could hand in none. A purchase, a pass or a subscription is what was claimed, as it was booked.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(
        Viewer, models.PROTECT, related_name="refused_claims", db_index=False
    )
    owner = models.ForeignKey(Viewer, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    reference_hash = models.CharField(max_length=SHA256_HEX_CHARACTERS)
    purchase = models.ForeignKey(Purchase, models.PROTECT, null=True, related_name="+")
    pass_purchase = models.ForeignKey(PassPurchase, models.PROTECT, null=True, related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, related_name="+")
    day = models.DateField(help_text="In UTC")
    claimed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "provider", "environment", "reference_hash", "day"],
                name="payments_refusedclaim_once_a_day",
            )
        ]
        indexes = [models.Index(fields=["claimed_at"], name="refusedclaim_by_time")]

    def __str__(self) -> str:
        return f"{self.viewer_id} {self.provider} {self.claimed_at:%Y-%m-%d}"
