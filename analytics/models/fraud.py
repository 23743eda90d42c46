"""What nobody can have watched, and rewards of ads that nobody saw."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.ids import uuid7


class AlarmScope(models.TextChoices):
    """What rewards were had by, or where."""

    VIEWER = "viewer", "A viewer"
    DEVICE = "device", "A device"
    ADDRESS = "address", "A block of addresses"
    PLACEMENT = "placement", "A placement"
    NETWORK = "network", "A network"


class AdAlarm(models.Model):
    """On a day too few of the ads that were rewarded had been shown, by what apps and networks tell.

    `subject` names the viewer, placement or network; of a device or an address block it is a hash. Whoever
    looks says so; when more is found of the day, the alarm rings again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField(help_text="In the reporting time zone")
    scope = models.CharField(max_length=10, choices=AlarmScope.choices)
    subject = models.CharField(max_length=64)
    rewards = models.IntegerField()
    shown = models.IntegerField()
    requested = models.IntegerField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "scope", "subject"], name="analytics_adalarm_once"
            )
        ]
        indexes = [
            models.Index(fields=["day"], name="adalarm_unseen", condition=Q(seen_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.subject} on {self.day}"


class FraudScan(models.Model):
    """A look through the lake's last days for what nobody watched."""

    id = models.BigAutoField(primary_key=True)
    watermark = models.DateTimeField()
    scanned_at = models.DateTimeField()
    flags_count = models.IntegerField(help_text="New flags")
    alarms_count = models.IntegerField(help_text="New alarms")

    def __str__(self) -> str:
        return f"{self.scanned_at:%Y-%m-%d %H:%M}"
