"""Who or what no figure counts: viewers and playbacks that are nobody's watching."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from viewers.models.viewers import Viewer

DETAIL_CHARACTERS = 300


class FlagReason(models.TextChoices):
    """What speaks against a viewer or a playback. All but the last are found by rules."""

    UNSHOWN_ADS = "unshown_ads", "Rewarded for ads that their app never showed"
    MORE_THAN_TIME = "more_than_time", "Watched more than there was time for"
    SHARED_INSTALL = "shared_install", "Many accounts watched on one device at once"
    OPERATOR = "operator", "An operator's judgement"


class Flag(models.Model):
    """A viewer, or one of their playbacks, that rankings and reports leave out until somebody lifts it.

    They watch, buy and are refunded as everybody. Only a sign-up bonus and what referrals bring is withheld
    from a viewer who is flagged wholly. `since` and `until` are of the
    evidence; what was lifted is raised again only for evidence that is later than the lifting.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="flags")
    playback_session_id = models.UUIDField(
        null=True, blank=True, help_text="Empty: all that the viewer ever did"
    )
    reason = models.CharField(max_length=20, choices=FlagReason.choices)
    detail = models.CharField(max_length=DETAIL_CHARACTERS)
    since = models.DateTimeField()
    until = models.DateTimeField()
    raised_at = models.DateTimeField()
    raised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    lifted_because = models.CharField(max_length=DETAIL_CHARACTERS, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="flag_once",
                fields=["viewer", "reason"],
                condition=Q(lifted_at=None, playback_session_id=None),
            ),
            models.UniqueConstraint(
                name="flag_of_playback_once",
                fields=["viewer", "playback_session_id", "reason"],
                condition=Q(lifted_at=None, playback_session_id__isnull=False),
            ),
            models.CheckConstraint(
                name="flag_is_somebodys",
                condition=Q(reason=FlagReason.OPERATOR, raised_by__isnull=False)
                | (~Q(reason=FlagReason.OPERATOR) & Q(raised_by=None)),
            ),
            models.CheckConstraint(
                name="flag_is_lifted_by_somebody",
                condition=Q(lifted_at=None, lifted_by=None, lifted_because="")
                | (Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(lifted_because="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["viewer", "playback_session_id"],
                name="flag_live",
                condition=Q(lifted_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.playback_session_id or self.viewer_id}"
