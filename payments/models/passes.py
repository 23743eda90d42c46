"""Passes: every episode for a while, for money. A subscription is a pass that its store renews."""

from datetime import timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models.covers import Cover
from payments.models.ledger import Transfer
from payments.models.products import TRANSACTION_ID_CHARACTERS, PassProduct, Provider
from viewers.models import Environment, Viewer


class PassIntent(models.Model):
    """A viewer is about to buy a pass in a store. Made first, so that the buyer is known.

    It keeps the length that was promised: an edit of the product while the viewer pays changes nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="pass_intents")
    product = models.ForeignKey(PassProduct, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20, choices=Provider.choices)
    period_months = models.PositiveIntegerField()
    period_days = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.viewer_id} → {self.product_id}"


class PassPurchase(models.Model):
    """One paid period of a pass: a store transaction that was verified and gave cover, once, ever.

    Written by SQL alone. A renewal is another row, under the transaction id of its own. `net_micros` is
    gross − tax − fee in the reporting currency at the rates kept on the row; it is earned evenly from
    `starts_at` to `ends_at`.

    A subscription's period gives no cover of its own: what is open is the subscription's to say. It is earned
    from when it was heard of. One that `is_prorated` is the rest of another, or takes its place, and its price is
    only what that one's money left to pay.

    Months are counted from where the first of passes that follow each other began (`anchor_at`), so that
    three months from the 31st of January end on the 30th of April and not on the 28th.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="pass_purchases")
    intent = models.ForeignKey(PassIntent, models.PROTECT, null=True, related_name="purchases")
    product = models.ForeignKey(PassProduct, models.PROTECT, related_name="+")
    cover = models.OneToOneField(Cover, models.PROTECT, null=True, related_name="pass_purchase")
    subscription = models.ForeignKey(
        "payments.Subscription", models.PROTECT, null=True, related_name="periods"
    )
    coins_transfer = models.OneToOneField(
        Transfer,
        models.PROTECT,
        null=True,
        related_name="period",
        help_text="The coins that came with a subscription's period",
    )
    period_months = models.PositiveIntegerField()
    period_days = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    gross_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    net_micros = models.BigIntegerField()
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10)
    exchange_source = models.CharField(max_length=50)
    purchased_at = models.DateTimeField()
    store_starts_at = models.DateTimeField(null=True, help_text="Of a subscription's period")
    store_ends_at = models.DateTimeField(null=True)
    is_prorated = models.BooleanField(
        "prorated",
        default=False,
        db_default=False,
        help_text="Paid after a change of plan: the difference alone",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    anchor_at = models.DateTimeField(help_text="Where the months before it began to be counted")
    anchor_months = models.PositiveIntegerField(help_text="From there to the end of this one")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id"],
                name="payments_passpurchase_gives_cover_once_ever",
            ),
            models.CheckConstraint(
                condition=Q(
                    gross_micros__gte=0, tax_micros__gte=0, fee_micros__gte=0, net_micros__gte=0
                ),
                name="payments_passpurchase_amounts",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"), starts_at__gte=F("created_at")),
                name="payments_passpurchase_period",
            ),
            models.CheckConstraint(
                condition=Q(cover__isnull=False, subscription=None, store_ends_at=None)
                | Q(cover=None, subscription__isnull=False, store_ends_at__isnull=False),
                name="payments_passpurchase_covers_or_is_a_period",
            ),
        ]
        indexes = [
            BrinIndex(fields=["created_at"], name="passpurchase_by_time"),
            # Days earn what runs through them, whenever it was bought.
            models.Index(fields=["environment", "ends_at"], name="passpurchase_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.transaction_id}"

    @property
    def length(self) -> timedelta:
        """How long it covers."""
        return self.ends_at - self.starts_at
