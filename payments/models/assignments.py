"""Which plan prices which series, from when on."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalog.models import Series
from config.ids import uuid7
from payments.models.prices import PricePlan


class AssignmentSource(models.TextChoices):
    """Who chose the plan."""

    OPERATOR = "operator", "An operator"
    RULE = "rule", "A rule, when the series was published"


class PlanAssignment(models.Model):
    """The plan of one series from a moment until a later assignment takes over."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(
        Series, models.CASCADE, related_name="plan_assignments", db_index=False
    )
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="assignments")
    effective_from = models.DateTimeField()
    source = models.CharField(
        max_length=10, choices=AssignmentSource.choices, default=AssignmentSource.OPERATOR
    )
    cancelled_at = models.DateTimeField(null=True, editable=False)
    change = models.ForeignKey(
        "payments.PriceChange",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="assignments",
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-effective_from", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(cancelled_at=None) | Q(cancelled_at__lt=F("effective_from")),
                name="payments_planassignment_cancelled_before",
            ),
        ]
        indexes = [
            models.Index(
                fields=["series", "-effective_from", "-id"],
                condition=Q(cancelled_at=None),
                name="assignment_of_series",
            )
        ]

    def __str__(self) -> str:
        return f"{self.series_id} → {self.plan_id}"
