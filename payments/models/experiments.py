"""What the arms of an experiment ask for."""

from django.db import models
from django.db.models import Q

from catalog.models import Series
from config.ids import uuid7
from payments.models.prices import PriceAdjustment
from viewers.models import Arm


class ArmTerms(models.Model):
    """How an arm adjusts the price of a series, or of every title that has no terms of its own in the arm.

    A control has none. They change no more once the experiment was asked for.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    arm = models.ForeignKey(Arm, models.CASCADE, related_name="terms", db_index=False)
    series = models.ForeignKey(
        Series, models.PROTECT, null=True, related_name="+", help_text="Empty: every title"
    )
    adjustment = models.ForeignKey(PriceAdjustment, models.PROTECT, related_name="arm_terms")

    class Meta:
        verbose_name_plural = "arm terms"
        constraints = [
            models.UniqueConstraint(fields=["arm", "series"], name="payments_armterms_once"),
            models.UniqueConstraint(
                fields=["arm"], condition=Q(series=None), name="payments_armterms_once_for_all"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.arm_id} on {self.series_id or 'every title'}"
