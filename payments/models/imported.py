"""Purchases of the past, which another system took the money for."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from payments.models.products import TRANSACTION_ID_CHARACTERS
from viewers.models import SOURCE_CHARACTERS, Environment, Viewer


class ImportedPurchase(models.Model):
    """What a viewer paid before there was this ledger: a fact for reports, never changed.

    It moves no coins and is in no transfer, lot or wallet. Its id is made of the source's own, so the same
    purchase is there once however often it is imported. `net_micros` is gross − tax − fee in the reporting
    currency at the rate kept on the row.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.CharField(max_length=SOURCE_CHARACTERS)
    source_id = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS, help_text="What the source knows it by"
    )
    import_id = models.UUIDField(help_text="Of the import that brought it first")
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="imported_purchases")
    environment = models.CharField(
        max_length=10, choices=Environment.choices, default=Environment.PRODUCTION
    )
    currency = models.CharField(max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$")])
    gross_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    net_micros = models.BigIntegerField()
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10)
    exchange_source = models.CharField(max_length=50)
    purchased_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    gross_micros__gte=0, tax_micros__gte=0, fee_micros__gte=0, net_micros__gte=0
                ),
                name="payments_importedpurchase_amounts",
            ),
            models.CheckConstraint(
                condition=Q(environment=Environment.PRODUCTION),
                name="payments_importedpurchase_is_real",
            ),
        ]
        indexes = [models.Index(fields=["source"], name="importedpurchase_by_source")]

    def __str__(self) -> str:
        return f"{self.source} {self.source_id}"
