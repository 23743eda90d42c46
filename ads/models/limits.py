"""How often something was had from one device or one part of the network."""

from django.db import models

from config.ids import uuid7
from viewers.models import Environment


class LimitCount(models.Model):
    """A count that a limit is held against. Written by SQL alone.

    `subject` is a hash: neither a device nor an address can be read from it. `since` is the day that is
    counted, or that of the epoch where all of time is.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    name = models.CharField(max_length=30)
    subject = models.CharField(max_length=64)
    since = models.DateField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name", "subject", "since"], name="ads_limitcount_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.count}"
