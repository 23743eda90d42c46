"""What a viewer's ads at a placement add up to, and what they have opened."""

from django.db import models
from django.db.models import F, Q

from ads.models.placements import Placement
from ads.models.terms import PlacementReward, Terms, are_sane, has_target
from catalog.models import Series
from config.ids import uuid7
from payments.models import Transfer
from viewers.models import Environment, Viewer


class Goal(Terms):
    """So many ads of a placement for one title, or for coins: how many of them were watched.

    There is one at a time that waits for more ads; the last one grants what was promised, once. Its terms
    stay as they were when its first ad was announced, whatever becomes of the placement. Written by SQL alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    placement = models.ForeignKey(Placement, models.PROTECT, related_name="+", db_index=False)
    series = models.ForeignKey(Series, models.PROTECT, null=True, related_name="+", db_index=False)
    ads_watched = models.PositiveSmallIntegerField()
    begun_at = models.DateTimeField(help_text="When its first ad was watched")
    granted_at = models.DateTimeField(null=True)
    access_ends_at = models.DateTimeField(null=True, help_text="When timed access ends")
    transfer = models.OneToOneField(
        Transfer, models.PROTECT, null=True, related_name="+", help_text="That gave the coins"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "placement", "reward", "series"],
                condition=Q(granted_at__isnull=True, series__isnull=False),
                name="ads_goal_one_open",
            ),
            models.UniqueConstraint(
                fields=["viewer", "environment", "placement", "reward"],
                condition=Q(granted_at__isnull=True, series__isnull=True),
                name="ads_goal_one_open_for_coins",
            ),
            models.CheckConstraint(condition=are_sane(), name="ads_goal_terms"),
            models.CheckConstraint(condition=has_target("series"), name="ads_goal_target"),
            models.CheckConstraint(
                condition=Q(granted_at__isnull=True, ads_watched__lt=F("ads_needed"))
                | Q(granted_at__isnull=False, ads_watched=F("ads_needed")),
                name="ads_goal_granted_by_the_last",
            ),
            models.CheckConstraint(
                condition=Q(transfer__isnull=True)
                | Q(reward=PlacementReward.COINS, granted_at__isnull=False),
                name="ads_goal_gives_coins",
            ),
        ]
        indexes = [models.Index(fields=["viewer", "-id"], name="goal_of_viewer")]

    def __str__(self) -> str:
        return f"{self.ads_watched} of {self.ads_needed} ads for {self.reward_amount} {self.reward}"
