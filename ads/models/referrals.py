"""Who brought whom, and what came of it."""

from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models import Transfer
from viewers.models import Environment, Viewer

CODE_CHARACTERS = 8


class Invite(models.Model):
    """A viewer's own code, by which others say who brought them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    code = models.CharField(max_length=CODE_CHARACTERS, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["viewer", "environment"], name="ads_invite_of_viewer"),
            models.CheckConstraint(
                condition=Q(code__regex=rf"^[A-Z2-9]{{{CODE_CHARACTERS}}}$"),
                name="ads_invite_letters",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ReferralState(models.TextChoices):
    """How a referral stands."""

    PENDING = "pending", "Waits until the invited viewer has proven to be one"
    VESTED = "vested", "Paid"
    VOIDED = "voided", "Pays nothing"


class VoidReason(models.TextChoices):
    """Why a referral pays nothing."""

    ERASED = "erased", "One of the two is gone"
    REFUNDED = "refunded", "The invited viewer had money back"
    SUSPECT = "suspect", "One of the two is suspected of fraud"
    IDLE = "idle", "The invited viewer did not stay"
    LIMIT = "limit", "More than is paid for"
    OPERATOR = "operator", "An operator said so"


class Referral(models.Model):
    """A viewer who came by another's code. Bound once; paid once, to the referrer. Written by SQL alone.

    `due_at` is when it is looked at next, at first at the end of the hold.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    referrer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    invitee = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    state = models.CharField(max_length=10, choices=ReferralState.choices)
    void_reason = models.CharField(max_length=10, choices=VoidReason.choices, blank=True)
    bound_at = models.DateTimeField()
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="referral")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invitee", "environment"], name="ads_referral_bound_once"
            ),
            models.CheckConstraint(
                condition=~Q(invitee=F("referrer")), name="ads_referral_of_another"
            ),
            models.CheckConstraint(
                condition=Q(state="pending", closed_at=None, transfer=None, void_reason="")
                | Q(state="vested", closed_at__isnull=False, transfer__isnull=False, void_reason="")
                | Q(state="voided", closed_at__isnull=False, transfer=None)
                & Q(void_reason__in=VoidReason.values),
                name="ads_referral_closed_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["referrer", "environment", "bound_at"], name="referral_of_referrer"
            ),
            models.Index(fields=["due_at"], name="referral_due", condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.invitee_id} by {self.referrer_id}"
