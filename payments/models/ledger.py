"""The ledger's tables. The application can read them; only the SQL functions write them."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.chart import VIEWER_ACCOUNTS, Account, TransferCode
from viewers.models import Environment, Viewer


class Wallet(models.Model):
    """A viewer's coins in one environment, and the row that every movement of them locks first."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="wallets", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    paid_coins = models.BigIntegerField(default=0)
    paid_sequence = models.BigIntegerField(default=0)
    bonus_coins = models.BigIntegerField(default=0)
    bonus_sequence = models.BigIntegerField(default=0)
    debt_coins = models.BigIntegerField(default=0)
    debt_sequence = models.BigIntegerField(default=0)
    spent_on = models.DateField(null=True, help_text="The last day on which coins were spent")
    spent_coins = models.BigIntegerField(
        db_default=0, help_text="Spent on that day, but for what was undone since"
    )
    covered_until = models.DateTimeField(
        null=True, help_text="The end of the last cover: after it no cover is looked for"
    )
    held_at = models.DateTimeField(
        null=True, help_text="Nothing is spent since then: a rule of the ledger would have broken"
    )
    held_because = models.CharField(max_length=500, db_default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment"], name="payments_wallet_one_per_environment"
            ),
            models.CheckConstraint(
                condition=Q(paid_coins__gte=0, bonus_coins__gte=0, debt_coins__lte=0),
                name="payments_wallet_never_overdrawn",
            ),
            models.CheckConstraint(
                condition=Q(spent_coins__gte=0), name="payments_wallet_spent_something"
            ),
            models.CheckConstraint(
                condition=Q(environment__in=Environment.values),
                name="payments_wallet_environment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} ({self.environment})"


class Transfer(models.Model):
    """One movement of coins: entries that sum to zero, and the cause."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(
        Viewer, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    environment = models.CharField(max_length=10, choices=Environment.choices)
    code = models.CharField(max_length=30, choices=TransferCode.choices)
    reference = models.CharField(max_length=600)
    reverses = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="reversals",
        db_index=False,
        help_text="The transfer that this one undoes",
    )
    event_at = models.DateTimeField(help_text="When it happened in the world")
    created_at = models.DateTimeField(help_text="When it was posted")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["code", "reference", "environment"], name="payments_transfer_once"
            ),
            models.CheckConstraint(
                condition=Q(environment__in=Environment.values, code__in=TransferCode.values),
                name="payments_transfer_chart",
            ),
        ]
        indexes = [
            models.Index(fields=["viewer", "environment", "-id"], name="transfer_statement"),
            BrinIndex(fields=["created_at"], name="transfer_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.reference}"


class Entry(models.Model):
    """One account's side of a transfer, with the balance it left behind."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries")
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, null=True, related_name="entries", db_index=False
    )
    environment = models.CharField(max_length=10, choices=Environment.choices)
    account = models.CharField(max_length=20, choices=Account.choices)
    amount_coins = models.BigIntegerField()
    balance_after_coins = models.BigIntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "account", "sequence"],
                name="payments_entry_gapless",
                condition=Q(wallet__isnull=False),
            ),
            models.CheckConstraint(condition=~Q(amount_coins=0), name="payments_entry_moves_coins"),
            models.CheckConstraint(
                condition=Q(
                    wallet__isnull=False,
                    account__in=[str(account) for account in VIEWER_ACCOUNTS],
                    balance_after_coins__isnull=False,
                    sequence__gt=0,
                )
                | Q(
                    wallet__isnull=True,
                    account__in=[str(a) for a in Account if a not in VIEWER_ACCOUNTS],
                    balance_after_coins__isnull=True,
                    sequence__isnull=True,
                ),
                name="payments_entry_chart",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_coins:+d}"
