"""Packs sold with another bonus: to a first buyer, or while time and stock last."""

from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models.products import CoinPack
from payments.models.purchases import Purchase
from viewers.models import Environment, Viewer


class OfferKind(models.TextChoices):
    """A first top-up is the first purchase of coins: a pass does not end it."""

    FIRST_TOP_UP = "first_top_up", "First top-up"
    LIMITED = "limited", "Limited"


class Offer(models.Model):
    """A pack under an offer: `bonus_coins` take the place of the pack's own bonus.

    `taken_count` is how many of `stock` are held or sold in production, `sandbox_taken_count` the same
    for testers. The functions alone write them, and the database refuses more than there is.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=100)
    pack = models.ForeignKey(CoinPack, models.PROTECT, related_name="offers")
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    bonus_coins = models.PositiveIntegerField(help_text="In place of the pack's own bonus")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until further notice")
    stock = models.PositiveIntegerField(
        null=True, blank=True, help_text="How often it is sold to all viewers; empty: no limit"
    )
    per_viewer_limit = models.PositiveIntegerField(
        default=1, help_text="How often one viewer may have it"
    )
    position = models.PositiveIntegerField(
        default=0, help_text="Order in the list, among packs, lowest first"
    )
    is_active = models.BooleanField(default=True, help_text="Offered to viewers")
    taken_count = models.PositiveIntegerField(default=0, editable=False)
    sandbox_taken_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=OfferKind.values,
                    bonus_coins__gt=0,
                    bonus_coins__lte=10_000_000,
                    per_viewer_limit__gte=1,
                    per_viewer_limit__lte=1000,
                ),
                name="payments_offer_sane",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="payments_offer_period",
            ),
            models.CheckConstraint(
                condition=~Q(kind=OfferKind.FIRST_TOP_UP) | Q(per_viewer_limit=1),
                name="payments_offer_first_is_once",
            ),
            models.CheckConstraint(
                condition=Q(stock=None)
                | Q(
                    stock__gt=0,
                    stock__lte=10_000_000,
                    taken_count__lte=F("stock"),
                    sandbox_taken_count__lte=F("stock"),
                ),
                name="payments_offer_never_overrun",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def left(self, environment: str) -> int | None:
        """How many are left in an environment, None where there is no limit."""
        if self.stock is None:
            return None
        is_sandbox = environment == Environment.SANDBOX
        return self.stock - (self.sandbox_taken_count if is_sandbox else self.taken_count)


class ClaimState(models.TextChoices):
    HELD = "held", "Held while the viewer pays"
    USED = "used", "Sold"
    RELEASED = "released", "Given back"


class OfferClaim(models.Model):
    """One of an offer's stock, kept for a viewer who is about to pay. Written by SQL alone.

    The promise holds for what is paid before `held_until`; the place is kept until `kept_until`, since a
    store's word of it may take a while. `kind` and `bonus_coins` are the offer's of that moment.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    offer = models.ForeignKey(Offer, models.PROTECT, related_name="claims")
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="offer_claims", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    bonus_coins = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=ClaimState.choices)
    held_until = models.DateTimeField()
    kept_until = models.DateTimeField()
    purchase = models.OneToOneField(Purchase, models.PROTECT, null=True, related_name="offer_claim")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, help_text="When it was sold or given back")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment"],
                condition=Q(
                    kind=OfferKind.FIRST_TOP_UP, state__in=[ClaimState.HELD, ClaimState.USED]
                ),
                name="payments_offerclaim_one_first_top_up",
            ),
            models.UniqueConstraint(
                fields=["offer", "viewer", "environment"],
                condition=Q(state=ClaimState.HELD),
                name="payments_offerclaim_one_held",
            ),
            models.CheckConstraint(
                condition=Q(environment__in=Environment.values, state__in=ClaimState.values),
                name="payments_offerclaim_chart",
            ),
            models.CheckConstraint(
                condition=Q(state=ClaimState.HELD, purchase=None, settled_at=None)
                | Q(state=ClaimState.USED, purchase__isnull=False, settled_at__isnull=False)
                | Q(state=ClaimState.RELEASED, purchase=None, settled_at__isnull=False),
                name="payments_offerclaim_settled",
            ),
            models.CheckConstraint(
                condition=Q(kept_until__gte=F("held_until")), name="payments_offerclaim_kept"
            ),
        ]
        indexes = [
            models.Index(fields=["viewer", "offer"], name="offerclaim_of_viewer"),
            models.Index(
                fields=["kept_until"],
                condition=Q(state=ClaimState.HELD),
                name="offerclaim_lapsing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} for {self.viewer_id}"
