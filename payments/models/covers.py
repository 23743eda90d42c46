"""Spans of time in which a viewer opens episodes without coins."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from viewers.models import Environment, Viewer


class CoverSource(models.TextChoices):
    """What gave the cover."""

    GRANT = "grant", "Given by an operator"
    PASS = "pass", "Bought"
    SUBSCRIPTION = "subscription", "A subscription that runs"


class Cover(models.Model):
    """A subscription's period or a pass: while it lasts, every episode opens without coins.

    What is opened under it stays open until it ends. Written by SQL alone; `reference` is the natural
    key of what gave it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    source = models.CharField(max_length=20, choices=CoverSource.choices)
    reference = models.CharField(max_length=600)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, help_text="Taken back before its end")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "reference", "environment"], name="payments_cover_once"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="payments_cover_period"
            ),
        ]
        indexes = [
            models.Index(fields=["viewer", "environment", "ends_at"], name="cover_of_viewer"),
            BrinIndex(fields=["created_at"], name="cover_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} until {self.ends_at:%Y-%m-%d}"
