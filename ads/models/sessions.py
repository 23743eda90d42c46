"""Ad sessions: a viewer is about to watch one ad, for an episode or for coins."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ads.models.placements import Network, Placement
from ads.models.terms import Terms, are_sane, has_target
from catalog.models import Episode, Series
from config.ids import uuid7
from viewers.models import Environment, Viewer


class SessionState(models.TextChoices):
    """How a session stands."""

    OPEN = "open", "Waits for the network"
    REWARDED = "rewarded", "Its ad was watched and counts"
    REFUSED = "refused", "The ad was watched and counts for nothing"
    EXPIRED = "expired", "The network did not call in time"


class AdSession(Terms):
    """One ad, used once. Made before the ad, so that the viewer is known.

    It keeps the network, the ad unit and the terms that the app was told: an edit of the placement while the
    ad plays changes nothing. `free_numbers` are the episodes that cost the viewer nothing then: no ad has to
    open those. Written by SQL alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    placement = models.ForeignKey(Placement, models.PROTECT, related_name="+", db_index=False)
    network = models.CharField(max_length=20, choices=Network.choices)
    ad_unit_id = models.CharField(max_length=100)
    series = models.ForeignKey(Series, models.PROTECT, null=True, related_name="+", db_index=False)
    episode = models.ForeignKey(
        Episode, models.PROTECT, null=True, related_name="+", db_index=False
    )
    free_numbers = ArrayField(models.PositiveIntegerField(), default=list, db_default=[])
    playback_session_id = models.UUIDField(
        null=True, help_text="What was playing when the viewer decided"
    )
    position_ms = models.PositiveIntegerField(null=True, help_text="And where in it")
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    rewarded_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="Rewarded or refused")
    refusal = models.CharField(max_length=20, blank=True, help_text="Why it opened nothing")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("opened_at")), name="ads_adsession_period"
            ),
            models.CheckConstraint(condition=are_sane(), name="ads_adsession_terms"),
            models.CheckConstraint(
                condition=has_target("series", "episode"), name="ads_adsession_target"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, rewarded_at__isnull=True, refusal="")
                | Q(closed_at__isnull=False, rewarded_at__isnull=False, refusal="")
                | Q(closed_at__isnull=False, rewarded_at__isnull=True) & ~Q(refusal=""),
                name="ads_adsession_closed_once",
            ),
        ]
        indexes = [
            models.Index(fields=["viewer", "-id"], name="adsession_of_viewer"),
            models.Index(
                fields=["viewer", "environment", "placement", "expires_at"],
                name="adsession_open",
                condition=Q(closed_at__isnull=True),
            ),
            models.Index(fields=["opened_at"], name="adsession_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def state_at(self, moment: datetime) -> SessionState:
        """How the session stands at a moment."""
        if self.rewarded_at is not None:
            return SessionState.REWARDED
        if self.closed_at is not None:
            return SessionState.REFUSED
        return SessionState.EXPIRED if self.expires_at <= moment else SessionState.OPEN
