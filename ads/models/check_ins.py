"""How a viewer's days follow each other."""

from django.db import models
from django.db.models import Q

from config.ids import uuid7
from viewers.models import Environment, Viewer


class CheckInStreak(models.Model):
    """A viewer's time zone, and how many days in a row they have checked in. Written by SQL alone.

    `number` counts all check-ins: whoever decided on an older count decides again. `last_zone` is the zone
    of the last one, `zone_set_at` when the present one was chosen, None if it never was.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    zone = models.CharField(max_length=64, help_text="IANA name")
    zone_set_at = models.DateTimeField(null=True)
    number = models.PositiveIntegerField(default=0)
    streak = models.PositiveIntegerField(default=0)
    last_date = models.DateField(null=True, help_text="In the zone of that time")
    last_at = models.DateTimeField(null=True)
    last_zone = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["viewer", "environment"], name="ads_checkin_of_viewer"),
            models.CheckConstraint(
                condition=Q(number=0, streak=0, last_date=None, last_at=None, last_zone="")
                | Q(number__gte=1, streak__gte=1, last_date__isnull=False, last_at__isnull=False)
                & ~Q(last_zone=""),
                name="ads_checkin_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.streak} in {self.zone}"
