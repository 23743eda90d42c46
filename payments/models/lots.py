"""Coins by origin, and which of them each transfer moved."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.chart import LotKind, LotOrigin
from payments.models.ledger import Transfer, Wallet
from viewers.models import Environment


class Lot(models.Model):
    """Coins of one origin, with what is left of them and the value they carry.

    `value_micros` is spread over `granted_coins`: after n coins have left, floor(value × n ÷ granted)
    has left with them, so the last coin takes the remainder and nothing drifts. Coins that come back
    bring exactly the value that they left with.
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
            ),
            models.Index(
                fields=["expires_at"],
                name="lot_lapsing",
                condition=Q(remaining_coins__gt=0, expires_at__isnull=False),
            ),
            BrinIndex(fields=["granted_at"], name="lot_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining_coins} of {self.granted_coins} {self.kind} ({self.origin})"


class LotMovement(models.Model):
    """Coins that left a lot by a transfer, or came back, with the value that went with them.

    Signed as entries are: negative leaves the lot. What a lot was granted and its movements add up to
    what is left of it, coins and value alike.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="movements")
    transfer = models.ForeignKey(
        Transfer, models.PROTECT, related_name="lot_movements", db_index=False
    )
    coins = models.BigIntegerField()
    value_micros = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transfer", "lot"], name="payments_lotmovement_once"),
            models.CheckConstraint(
                condition=Q(coins__lt=0, value_micros__lte=0) | Q(coins__gt=0, value_micros__gte=0),
                name="payments_lotmovement_one_way",
            ),
        ]
        indexes = [BrinIndex(fields=["created_at"], name="lotmovement_by_time")]

    def __str__(self) -> str:
        return f"{self.coins:+d} coins"
