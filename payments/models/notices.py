"""What viewers are told before it happens."""

from django.db import models

from config.ids import uuid7
from payments.models.lots import Lot
from viewers.models import Environment, Viewer


class ExpiryNotice(models.Model):
    """Coins that will lapse, noticed once for each lot, for whoever sends messages to viewers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    lot = models.OneToOneField(Lot, models.PROTECT, related_name="expiry_notice")
    coins = models.BigIntegerField(help_text="Left in the lot at that moment")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at", "id"], name="expirynotice_feed")]

    def __str__(self) -> str:
        return f"{self.coins} coins until {self.expires_at:%Y-%m-%d}"
