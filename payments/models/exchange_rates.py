"""What a currency was worth on a day."""

from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.models.passes import PassPurchase
from payments.models.purchases import Purchase


class ExchangeRate(models.Model):
    """One unit of a currency in the reporting currency, on a day and by a source. Never changed: what was booked
    at it keeps it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    currency = models.CharField(max_length=3)
    day = models.DateField()
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=50)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-day", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "day"], name="payments_exchangerate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="payments_exchangerate_positive"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payments_exchangerate_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"


class RateEstimate(models.Model):
    """A purchase or a period that was booked before a rate of its currency and day was known, at an estimate. What
    it was booked at stays; this says where the books are to be trued up once the rate is known. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purchase = models.OneToOneField(
        Purchase, models.PROTECT, null=True, related_name="rate_estimate"
    )
    pass_purchase = models.OneToOneField(
        PassPurchase, models.PROTECT, null=True, related_name="rate_estimate"
    )
    currency = models.CharField(max_length=3)
    day = models.DateField(help_text="Whose rate is missing")
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=50, help_text="What it was estimated by")
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(purchase=None, pass_purchase__isnull=False)
                | Q(purchase__isnull=False, pass_purchase=None),
                name="payments_rateestimate_of_one",
            ),
        ]
        indexes = [models.Index(fields=["currency", "created_at"], name="rateestimate_by_currency")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"
