"""What a currency was worth on a day."""

from django.db import models
from django.db.models import Q

from config.ids import uuid7


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
