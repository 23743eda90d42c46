"""What ad networks told us, as it came, and what came of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from ads.models.placements import Network
from ads.models.rewards import Reward
from ads.models.sessions import AdSession
from config.ids import uuid7


class Verdict(models.TextChoices):
    """What came of a callback. Only of the first two the ad counts."""

    PAID = "paid", "The ad counts"
    LATE = "late", "The ad counts, although the session had expired"
    REPLAYED = "replayed", "Came before; nothing was done again"
    PROBE = "probe", "The network's console tried our address"
    ORPHAN = "orphan", "Names no session of ours"
    OTHER_PLACEMENT = "other_placement", "Of another network or ad unit than the session's"
    OTHER_VIEWER = "other_viewer", "Names another viewer than the session's"
    SESSION_USED = "session_used", "The session was settled before"
    EXPIRED = "expired", "Came too long after the session had expired"
    ALREADY_OPEN = "already_open", "The viewer had the episode by then"
    OVER_CAP = "over_cap", "The day's cap was reached"
    REFUSED = "refused", "The signature or the shape is wrong"


#: Genuine, and yet nobody's or too late: somebody has to look.
PARKED = (Verdict.ORPHAN, Verdict.OTHER_PLACEMENT, Verdict.OTHER_VIEWER, Verdict.EXPIRED)


class Callback(models.Model):
    """A server-side verification callback. Written by SQL alone.

    A transaction has one row: its repetitions are counted on it. What was refused has no transaction,
    for nothing it says can be believed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network = models.CharField(max_length=20, choices=Network.choices)
    transaction_id = models.CharField(max_length=100, null=True)  # noqa: DJ001  none, not empty
    session = models.ForeignKey(AdSession, models.PROTECT, null=True, related_name="callbacks")
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    detail = models.CharField(max_length=200, blank=True)
    raw_query = models.BinaryField(help_text="The query string's bytes")
    replay_count = models.PositiveIntegerField(default=0)
    last_replayed_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    is_parked = models.BooleanField(
        default=False, db_default=False, help_text="Paid nothing, and waits for an operator"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "transaction_id"], name="ads_callback_once")
        ]
        indexes = [
            models.Index(fields=["verdict", "received_at"], name="callback_by_verdict"),
            models.Index(fields=["received_at"], name="callback_by_time"),
            models.Index(
                fields=["received_at"], name="callback_parked", condition=Q(is_parked=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.transaction_id or self.id}"


class ParkedCallback(Callback):
    """A callback that waits for an operator, as it has pages of its own."""

    class Meta:
        proxy = True


class ResolutionKind(models.TextChoices):
    """What an operator made of a parked callback."""

    SETTLED = "settled", "Paid after all"
    DISMISSED = "dismissed", "Not to be paid"


class Resolution(models.Model):
    """The end of a parked callback: by whom, when and why. Written by SQL alone, once for each."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    callback = models.OneToOneField(Callback, models.PROTECT, related_name="resolution")
    kind = models.CharField(max_length=20, choices=ResolutionKind.choices)
    reason = models.CharField(max_length=500)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField()
    reward = models.OneToOneField(Reward, models.PROTECT, null=True, related_name="resolution")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=ResolutionKind.SETTLED, reward__isnull=False)
                | Q(kind=ResolutionKind.DISMISSED, reward__isnull=True),
                name="ads_resolution_pays",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="ads_resolution_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"
