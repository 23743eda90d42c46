"""Intents made before paying, and verified store transactions."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.models.ledger import Transfer
from payments.models.products import TRANSACTION_ID_CHARACTERS, CoinPack, Provider
from viewers.models import Environment, Viewer


class PurchaseIntent(models.Model):
    """A viewer is about to buy a pack in a store. Made first, so that the buyer is known.

    It keeps the coins that were promised: an edit of the pack while the viewer pays changes nothing. Under
    an offer these are what is granted where the offer's bonus is not; `offer_claim` has that.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="purchase_intents")
    pack = models.ForeignKey(CoinPack, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=20, choices=Provider.choices)
    paid_coins = models.PositiveIntegerField()
    bonus_coins = models.PositiveIntegerField()
    offer_claim = models.ForeignKey(
        "payments.OfferClaim", models.PROTECT, null=True, db_index=False, related_name="intents"
    )
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.viewer_id} → {self.pack_id}"


class Purchase(models.Model):
    """A store transaction that was verified and credited, once, ever. Written by SQL alone.

    `net_micros` is gross − tax − fee in the reporting currency at the rates kept on the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="purchases")
    intent = models.ForeignKey(PurchaseIntent, models.PROTECT, null=True, related_name="purchases")
    pack = models.ForeignKey(CoinPack, models.PROTECT, related_name="+")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="purchase")
    paid_coins = models.BigIntegerField()
    bonus_coins = models.BigIntegerField()
    currency = models.CharField(max_length=3)
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
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id"],
                name="payments_purchase_credits_one_wallet_ever",
            ),
            models.CheckConstraint(
                condition=Q(
                    gross_micros__gte=0, tax_micros__gte=0, fee_micros__gte=0, net_micros__gte=0
                ),
                name="payments_purchase_amounts",
            ),
        ]
        indexes = [BrinIndex(fields=["created_at"], name="purchase_by_time")]

    def __str__(self) -> str:
        return f"{self.provider} {self.transaction_id}"
