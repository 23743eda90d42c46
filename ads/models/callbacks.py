"""What ad networks told us, as it came, and what came of it."""

from django.db import models

from ads.models.placements import Network
from ads.models.sessions import AdSession
from config.ids import uuid7


class Verdict(models.TextChoices):
    """What came of a callback. Only the first opens an episode."""

    PAID = "paid", "Opened the episode"
    REPLAYED = "replayed", "Came before; nothing was done again"
    PROBE = "probe", "The network's console tried our address"
    ORPHAN = "orphan", "Names no session of ours"
    OTHER_PLACEMENT = "other_placement", "Of another network or ad unit than the session's"
    OTHER_VIEWER = "other_viewer", "Names another viewer than the session's"
    SESSION_USED = "session_used", "The session was settled before"
    EXPIRED = "expired", "Came after the session had expired"
    ALREADY_OPEN = "already_open", "The viewer had the episode by then"
    OVER_CAP = "over_cap", "The day's cap was reached"
    REFUSED = "refused", "The signature or the shape is wrong"


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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "transaction_id"], name="ads_callback_once")
        ]
        indexes = [
            models.Index(fields=["verdict", "received_at"], name="callback_by_verdict"),
            models.Index(fields=["received_at"], name="callback_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.transaction_id or self.id}"
