"""Prices for a time, and prices for those who came by a link."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from catalog.models import Series
from config.ids import uuid7
from payments.models.prices import PriceAdjustment
from viewers.models import Platform, Viewer


class Promotion(models.Model):
    """A discount, or episodes free, on some series for a time. It begins and ends by itself."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    regions = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    platforms = ArrayField(
        models.CharField(max_length=10, choices=Platform.choices), default=list, blank=True
    )
    adjustment = models.OneToOneField(PriceAdjustment, models.PROTECT, related_name="promotion")
    stopped_at = models.DateTimeField(null=True, editable=False, help_text="Before its end")
    change = models.ForeignKey(
        "payments.PriceChange", models.PROTECT, null=True, editable=False, related_name="promotions"
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="payments_promotion_period"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PromotedSeries(models.Model):
    """A series that a promotion is on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    promotion = models.ForeignKey(
        Promotion, models.PROTECT, related_name="promoted", db_index=False
    )
    series = models.ForeignKey(Series, models.CASCADE, related_name="promoted")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "series"], name="payments_promotedseries_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series_id} in {self.promotion_id}"


class AcquisitionLink(models.Model):
    """A link that brings viewers to one series, with its own paywall start and price."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    series = models.ForeignKey(Series, models.CASCADE, related_name="acquisition_links")
    adjustment = models.OneToOneField(
        PriceAdjustment, models.PROTECT, null=True, related_name="acquisition_link"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, help_text="Empty: for good")
    stopped_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[0-9A-Za-z_-]{1,64}$"),
                name="payments_acquisitionlink_code",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="payments_acquisitionlink_period",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class LinkArrival(models.Model):
    """A viewer came by a link. For a series, the latest arrival counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    link = models.ForeignKey(AcquisitionLink, models.PROTECT, related_name="arrivals")
    series = models.ForeignKey(Series, models.CASCADE, related_name="+")
    arrived_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["viewer", "series", "-arrived_at"], name="arrival_of_viewer")
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} by {self.link_id}"
