"""What operators give away, who asked for it and who agreed."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalog.models import Episode
from config.ids import uuid7
from payments.models.covers import Cover
from payments.models.entitlements import Entitlement
from payments.models.ledger import Transfer
from viewers.models import Environment, Viewer


class GrantKind(models.TextChoices):
    COINS = "coins", "Coins"
    EPISODE = "episode", "One episode"
    PASS = "pass", "A pass for some days"


class GrantReason(models.TextChoices):
    """Why something is given away."""

    FAULT = "fault", "Something of ours did not work"
    GOODWILL = "goodwill", "Goodwill"
    CAMPAIGN = "campaign", "Campaign"
    TEST = "test", "Testing"


class GrantState(models.TextChoices):
    WAITING = "waiting", "Waiting for a second person"
    GIVEN = "given", "Given"
    REFUSED = "refused", "Refused"
    REVOKED = "revoked", "Taken back"


class Grant(models.Model):
    """Something an operator gives a viewer. Written by SQL alone, which keeps the limits.

    `worth_coins` is what counts against limits: coins as they are, an episode at its price in force, a
    pass at `pass_days` times what a day counts as.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="grants")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    kind = models.CharField(max_length=10, choices=GrantKind.choices)
    coins = models.BigIntegerField(null=True)
    coins_expire_at = models.DateTimeField(null=True)
    episode = models.ForeignKey(Episode, models.PROTECT, null=True, related_name="+")
    pass_days = models.PositiveIntegerField(null=True)
    worth_coins = models.BigIntegerField()
    needs_second = models.BooleanField(help_text="Above what one person may give")
    reason = models.CharField(max_length=20, choices=GrantReason.choices)
    note = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=GrantState.choices)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=500, blank=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="grant")
    entitlement = models.OneToOneField(Entitlement, models.PROTECT, null=True, related_name="grant")
    cover = models.OneToOneField(Cover, models.PROTECT, null=True, related_name="grant")
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True)
    revocation = models.OneToOneField(
        Transfer, models.PROTECT, null=True, related_name="revoked_grant"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=GrantKind.COINS, coins__gt=0, episode=None, pass_days=None)
                | Q(kind=GrantKind.EPISODE, coins=None, episode__isnull=False, pass_days=None)
                | Q(kind=GrantKind.PASS, coins=None, episode=None, pass_days__gt=0),
                name="payments_grant_one_kind",
            ),
            models.CheckConstraint(
                condition=Q(worth_coins__gt=0)
                & (~Q(kind=GrantKind.COINS) | Q(worth_coins=F("coins"))),
                name="payments_grant_worth",
            ),
            models.CheckConstraint(condition=~Q(note=""), name="payments_grant_says_why"),
            models.CheckConstraint(
                condition=Q(state=GrantState.WAITING, decided_by=None)
                | Q(decided_by__isnull=False),
                name="payments_grant_decided",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[GrantState.GIVEN, GrantState.REVOKED])
                | Q(needs_second=False)
                | ~Q(decided_by=F("asked_by")),
                name="payments_grant_second_person",
            ),
        ]
        indexes = [models.Index(fields=["asked_by", "asked_at"], name="grant_of_operator")]

    def __str__(self) -> str:
        return f"{self.kind} for {self.viewer_id}"
