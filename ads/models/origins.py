"""From where accounts open ad sessions: how many do on one device, or from one block of addresses."""

from django.db import models

from config.ids import uuid7
from viewers.models import Environment, Viewer


class OriginKind(models.TextChoices):
    """What accounts have in common."""

    DEVICE = "device", "A device"
    ADDRESS = "address", "A block of addresses"


class AdOrigin(models.Model):
    """An account that opened an ad session on a device, or from a block of addresses, on a day. Written by SQL
    alone, and soon deleted.

    `origin` is the installation's id, which the app made; of addresses a keyed hash of block and day, from which
    nobody can read whose it was.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField(help_text="In the reporting time zone")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    kind = models.CharField(max_length=10, choices=OriginKind.choices)
    origin = models.BinaryField(max_length=32)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "environment", "kind", "origin", "viewer"],
                name="ads_adorigin_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day}"
