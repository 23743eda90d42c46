"""Codes that give coins, and who has redeemed them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value

from config.ids import uuid7
from payments.models.ledger import Transfer
from viewers.models import Environment, Viewer

MAXIMUM_CODE = 32


class PromoBatch(models.Model):
    """Codes for one redemption each that an operator had made at once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, blank=True)
    code_count = models.PositiveIntegerField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "promo batches"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class PromoCode(models.Model):
    """Bonus coins for whoever types the code, so many times in all and once for each viewer.

    `redeemed_count` counts production and `sandbox_redeemed_count` testers. The function alone writes
    them, and the database refuses more than `maximum_redemptions`. Two codes that differ in O and 0, or
    in I, L and 1 alone are the same code.

    `asked_by` is who made it or let it be redeemed more often. One that `needs_second` redeems nothing until
    somebody else has agreed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=MAXIMUM_CODE, unique=True)
    name = models.CharField(max_length=100, help_text="What it is for; operators alone see it")
    bonus_coins = models.PositiveIntegerField()
    coins_expire_after_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the coins never lapse"
    )
    maximum_redemptions = models.PositiveIntegerField(help_text="By all viewers together")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until further notice")
    is_active = models.BooleanField(default=True)
    redeemed_count = models.PositiveIntegerField(default=0, editable=False)
    sandbox_redeemed_count = models.PositiveIntegerField(default=0, editable=False)
    batch = models.ForeignKey(
        PromoBatch, models.PROTECT, null=True, editable=False, related_name="codes"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        editable=False,
        related_name="+",
        db_index=False,
    )
    asked_at = models.DateTimeField(editable=False)
    needs_second = models.BooleanField(
        default=False, editable=False, help_text="Gives more than one person may let codes give"
    )
    agreed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    agreed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Func(F("code"), Value("OIL"), Value("011"), function="translate"),
                name="payments_promocode_unambiguous",
            ),
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Z0-9]{4,32}$"), name="payments_promocode_letters"
            ),
            models.CheckConstraint(
                condition=Q(
                    bonus_coins__gt=0,
                    bonus_coins__lte=1_000_000,
                    maximum_redemptions__gt=0,
                    maximum_redemptions__lte=100_000_000,
                )
                & (
                    Q(coins_expire_after_seconds=None)
                    | Q(
                        coins_expire_after_seconds__gt=0,
                        coins_expire_after_seconds__lte=10 * 366 * 24 * 3600,
                    )
                ),
                name="payments_promocode_sane",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="payments_promocode_period",
            ),
            models.CheckConstraint(
                condition=Q(
                    redeemed_count__lte=F("maximum_redemptions"),
                    sandbox_redeemed_count__lte=F("maximum_redemptions"),
                ),
                name="payments_promocode_never_overrun",
            ),
            models.CheckConstraint(
                condition=Q(agreed_by=None, agreed_at=None)
                | Q(needs_second=True, agreed_by__isnull=False, agreed_at__isnull=False)
                & ~Q(agreed_by=F("asked_by")),
                name="payments_promocode_second_person",
            ),
        ]
        indexes = [models.Index(fields=["asked_by", "asked_at"], name="promocode_of_operator")]

    def __str__(self) -> str:
        return self.code

    @property
    def worth_coins(self) -> int:
        """What all of its redemptions give."""
        return self.bonus_coins * self.maximum_redemptions

    @property
    def is_on(self) -> bool:
        """Switched on, and agreed to where that is needed."""
        return self.is_active and not self.is_waiting

    @property
    def is_waiting(self) -> bool:
        """For a second person."""
        return self.needs_second and self.agreed_by_id is None


class PromoRedemption(models.Model):
    """A viewer's coins for a code, once in each environment. Written by SQL alone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    promo_code = models.ForeignKey(PromoCode, models.PROTECT, related_name="redemptions")
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="promo_redemptions")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="promo_redemption")
    coins = models.PositiveIntegerField()
    coins_expire_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promo_code", "viewer", "environment"],
                name="payments_promoredemption_once",
            ),
            models.CheckConstraint(
                condition=Q(coins__gt=0, environment__in=Environment.values),
                name="payments_promoredemption_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.promo_code_id} by {self.viewer_id}"


class PromoAttempt(models.Model):
    """How many wrong codes somebody has typed in a day. Written by SQL alone, and soon deleted.

    `subject` is a keyed hash of the day and a viewer or an address: whose it was cannot be read from it.
    """

    subject = models.CharField(primary_key=True, max_length=64)
    day = models.DateField(db_index=True)
    wrong_count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.wrong_count} on {self.day}"
