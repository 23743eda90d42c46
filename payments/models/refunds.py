"""Money that went back to buyers, and what that took from wallets and from revenue."""

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.models.covers import Cover
from payments.models.entitlements import Unlock
from payments.models.ledger import Transfer
from payments.models.lots import Lot
from payments.models.passes import PassPurchase
from payments.models.products import TRANSACTION_ID_CHARACTERS, Provider
from payments.models.purchases import Purchase
from viewers.models import Environment


class RefundOrigin(models.TextChoices):
    """Who gave the money back."""

    STORE = "store", "The store"
    CHARGEBACK = "chargeback", "The buyer's bank"
    OPERATOR = "operator", "An operator"


class Refund(models.Model):
    """What is known of one refund of a store transaction: when it last happened, and was last reversed.

    It stands when it happened and was not reversed since, and takes effect when its purchase is booked.
    It may be heard of before its purchase, and of its reversal before itself: every order ends alike.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    refund_id = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS,
        help_text="The store's name for it; `all` where it gives none",
    )
    purchase = models.ForeignKey(Purchase, models.PROTECT, null=True, related_name="refunds")
    pass_purchase = models.ForeignKey(
        PassPurchase, models.PROTECT, null=True, related_name="refunds"
    )
    origin = models.CharField(max_length=20, choices=RefundOrigin.choices)
    amount_micros = models.BigIntegerField(
        null=True, help_text="Gross, in the purchase's currency; empty for all that was paid"
    )
    share_parts_per_million = models.PositiveIntegerField(
        null=True, help_text="Of what was paid, where the store gives no amount"
    )
    reason = models.CharField(max_length=500, blank=True)
    refunded_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    booking = models.OneToOneField(
        "RefundBooking",
        models.PROTECT,
        null=True,
        related_name="standing_for",
        help_text="What it took, while it stands",
    )
    pass_booking = models.OneToOneField(
        "PassRefundBooking",
        models.PROTECT,
        null=True,
        related_name="standing_for",
        help_text="The same of a pass",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id", "refund_id"],
                name="payments_refund_once",
            ),
            models.CheckConstraint(
                condition=Q(amount_micros__isnull=True) | Q(amount_micros__gt=0),
                name="payments_refund_amount",
            ),
            models.CheckConstraint(
                condition=Q(purchase__isnull=True, booking__isnull=True)
                | Q(pass_purchase__isnull=True, pass_booking__isnull=True),
                name="payments_refund_of_coins_or_a_pass",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.transaction_id} {self.refund_id}"


class RefundBooking(models.Model):
    """A refund taking effect, or ceasing to: the money, the coins and the revenue of that moment.

    All figures are positive where the refund takes effect, and the same numbers negative in the
    booking that undoes it. `net_micros` = `deferred_micros` + `recognised_micros` +
    `difference_micros`, always.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="bookings")
    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="refund_bookings")
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    transfer = models.OneToOneField(
        Transfer,
        models.PROTECT,
        null=True,
        related_name="refund_booking",
        help_text="Empty where no coin moved",
    )
    gross_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    net_micros = models.BigIntegerField()
    due_coins = models.BigIntegerField(help_text="Coins that the refunded money had bought")
    taken_coins = models.BigIntegerField(help_text="Of these, taken out of lots")
    debt_coins = models.BigIntegerField(help_text="Of these, spent and owed since")
    deferred_micros = models.BigIntegerField(help_text="The value of the coins taken")
    recognised_micros = models.BigIntegerField(
        help_text="Revenue of unlocks that is revenue no more"
    )
    difference_micros = models.BigIntegerField(
        help_text="Value of coins that had lapsed, and what a partial refund's whole coins leave over"
    )
    asked_micros = models.BigIntegerField(null=True, help_text="The refund's amount at that time")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    net_micros=models.F("deferred_micros")
                    + models.F("recognised_micros")
                    + models.F("difference_micros")
                ),
                name="payments_refundbooking_adds_up",
            )
        ]
        indexes = [BrinIndex(fields=["created_at"], name="refundbooking_by_time")]

    def __str__(self) -> str:
        return f"{self.net_micros} of {self.purchase_id}"


class PassRefundBooking(models.Model):
    """A refund of a pass taking effect, or ceasing to: the money of that moment.

    All figures are positive where the refund takes effect, and the same numbers negative in the
    booking that undoes it. What a pass has earned at a moment follows from its net less that of its
    bookings up to then. When all of its money has gone back the pass covers no more; `cover` is what
    covers the viewer again when that did not stand.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="pass_bookings")
    purchase = models.ForeignKey(PassPurchase, models.PROTECT, related_name="refund_bookings")
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    cover = models.OneToOneField(
        Cover, models.PROTECT, null=True, related_name="pass_refund_booking"
    )
    coins_transfer = models.OneToOneField(
        Transfer,
        models.PROTECT,
        null=True,
        related_name="period_booking",
        help_text="What was left of a subscription's period's coins, taken or given again",
    )
    gross_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    net_micros = models.BigIntegerField()
    asked_micros = models.BigIntegerField(null=True, help_text="The refund's amount at that time")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["created_at"], name="passrefundbooking_by_time")]

    def __str__(self) -> str:
        return f"{self.net_micros} of {self.purchase_id}"


class UnlockReversal(models.Model):
    """An unlock undone: its coins are back in their lots, and its episode is closed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    unlock = models.OneToOneField(Unlock, models.PROTECT, related_name="reversal")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="unlock_reversal")
    booking = models.ForeignKey(
        RefundBooking,
        models.PROTECT,
        null=True,
        related_name="unlock_reversals",
        help_text="The refund that took its coins, if one did",
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True)
    restored_as = models.OneToOneField(
        Unlock,
        models.PROTECT,
        null=True,
        related_name="restores",
        help_text="The unlock in its place, since the refund was reversed",
    )
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.unlock_id} undone"


class UnlockCorrection(models.Model):
    """Revenue of an unlock that a later transfer took back, or gave back again, lot by lot.

    An unlock's revenue at a moment is its own value and its corrections up to then.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    unlock = models.ForeignKey(Unlock, models.PROTECT, related_name="corrections")
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="+", db_index=False)
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="unlock_corrections")
    coins = models.BigIntegerField(help_text="Negative: no longer earned")
    value_micros = models.BigIntegerField()
    attribution_micros = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transfer", "unlock", "lot"], name="payments_unlockcorrection_once"
            )
        ]
        indexes = [BrinIndex(fields=["created_at"], name="unlockcorrection_by_time")]

    def __str__(self) -> str:
        return f"{self.value_micros:+d} of {self.unlock_id}"
