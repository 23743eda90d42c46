"""What was watched, as far as it can be believed."""

from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from viewers.models import Environment, Viewer


class WatchDay(models.Model):
    """Seconds of a day of the reporting zone in which a viewer watched. Written by SQL alone.

    Which seconds they are is in `covered`, a column of ranges that the functions alone read: a second
    counts once, however often and by however many devices it is reported. The viewer is no constraint:
    events outlive people. `settled_seconds` are those that automatic tasks have been given for.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(
        Viewer, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    environment = models.CharField(max_length=10, choices=Environment.choices)
    day = models.DateField()
    seconds = models.PositiveIntegerField()
    settled_seconds = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "day"], name="ads_watchday_once"
            ),
            # A day of the reporting zone has 25 hours at the most.
            models.CheckConstraint(
                condition=Q(seconds__gte=1, seconds__lte=25 * 3600), name="ads_watchday_fits"
            ),
        ]
        indexes = [
            models.Index(
                fields=["day"],
                name="watchday_unsettled",
                condition=Q(seconds__gt=F("settled_seconds")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.seconds} s on {self.day}"
