"""Days of the ledger: what their entries hash to, and what they earned."""

from django.db import models

from config.ids import uuid7
from viewers.models import Environment


class LedgerDigest(models.Model):
    """The SHA-256 over a day's entries and the digest before it: a change of the past breaks the chain.

    A day is that of the database's clock when an entry was posted, as the entry's id has it, in UTC.
    Rows are added and never changed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField(unique=True)
    entry_count = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    previous_digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day} {self.digest[:12]}"


class MoneyDay(models.Model):
    """The money ladder of one day of the reporting zone, in micros of the reporting currency."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    day = models.DateField()
    gross_micros = models.BigIntegerField(help_text="Paid by viewers, tax included")
    tax_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField(help_text="Kept by stores, estimated by their terms")
    refunds_micros = models.BigIntegerField(help_text="Net of what went back")
    net_micros = models.BigIntegerField(help_text="Gross − tax − fee − refunds")
    coins_micros = models.BigIntegerField(help_text="Recognised: coins spent, less what was undone")
    breakage_micros = models.BigIntegerField(help_text="Recognised: bought coins that lapsed")
    difference_micros = models.BigIntegerField(help_text="Recognised: what refunds leave over")
    passes_micros = models.BigIntegerField(
        default=0, help_text="Recognised: passes, as their time goes by"
    )
    ads_micros = models.BigIntegerField(help_text="Recognised: ads watched")
    recognised_micros = models.BigIntegerField(help_text="All five")
    deferred_micros = models.BigIntegerField(
        help_text="The value of unspent coins and of passes' time ahead at the day's end"
    )
    titles_micros = models.BigIntegerField(help_text="Attributed to titles")
    unattributed_micros = models.BigIntegerField()
    violations = models.JSONField(help_text="Invariants that do not hold, as sentences")
    computed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "environment"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "day"], name="payments_moneyday_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} ({self.environment})"
