"""Coins by origin, and which of them each spend used."""

from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.chart import LotKind, LotOrigin
from payments.models.ledger import Transfer, Wallet
from viewers.models import Environment


class Lot(models.Model):
    """Coins of one origin, with what is left of them and the value they carry.

    `value_micros` is spread over `granted_coins`: after n coins are spent, floor(value × n ÷ granted)
    has been recognised and the rest is deferred, so the last coin takes the remainder and nothing
    drifts.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="lots", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    kind = models.CharField(max_length=10, choices=LotKind.choices)
    origin = models.CharField(max_length=20, choices=LotOrigin.choices)
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="lots")
    granted_coins = models.BigIntegerField()
    remaining_coins = models.BigIntegerField()
    value_micros = models.BigIntegerField()
    remaining_value_micros = models.BigIntegerField()
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    granted_coins__gt=0,
                    remaining_coins__gte=0,
                    remaining_coins__lte=F("granted_coins"),
                ),
                name="payments_lot_never_overdrawn",
            ),
            models.CheckConstraint(
                condition=Q(
                    remaining_value_micros__gte=0,
                    remaining_value_micros__lte=F("value_micros"),
                ),
                name="payments_lot_value_within_bounds",
            ),
            models.CheckConstraint(
                condition=~Q(kind=LotKind.PAID, expires_at__isnull=False),
                name="payments_lot_paid_never_expires",
            ),
        ]
        indexes = [
            models.Index(
                fields=["wallet"], name="lot_spendable", condition=Q(remaining_coins__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.remaining_coins} of {self.granted_coins} {self.kind} ({self.origin})"


class LotSpend(models.Model):
    """Coins of one lot used by one transfer, and the value they took with them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="spends")
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="lot_spends")
    coins = models.BigIntegerField()
    value_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transfer", "lot"], name="payments_lotspend_once"),
            models.CheckConstraint(
                condition=Q(coins__gt=0, value_micros__gte=0), name="payments_lotspend_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coins} coins"
