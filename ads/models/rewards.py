"""What watched ads earned. The application can read it; only the SQL function writes it."""

from django.db import models
from django.db.models import F, Q

from ads.models.goals import Goal
from ads.models.placements import Network, Placement
from ads.models.sessions import AdSession
from catalog.models import Episode, Series
from config.ids import uuid7
from payments.models import Entitlement
from viewers.models import Environment, Viewer


class Reward(models.Model):
    """A watched ad that counts, and what the view is taken to have earned us.

    `number` counts a viewer's rewards of a placement within `day`, a day of the reporting zone. With
    the cap of that moment beside it, the database itself refuses a reward too many. `place` counts the ads
    of its goal: the one in the last place grants.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.OneToOneField(AdSession, models.PROTECT, related_name="earned")
    goal = models.ForeignKey(Goal, models.PROTECT, related_name="rewards", db_index=False)
    place = models.PositiveSmallIntegerField(default=1, db_default=1)
    network = models.CharField(max_length=20, choices=Network.choices)
    transaction_id = models.CharField(max_length=100)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    placement = models.ForeignKey(Placement, models.PROTECT, related_name="+", db_index=False)
    series = models.ForeignKey(
        Series,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The title that the ad was watched for; none where it was for coins",
    )
    episode = models.ForeignKey(
        Episode, models.PROTECT, null=True, related_name="+", db_index=False
    )
    entitlement = models.OneToOneField(
        Entitlement,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="To that episode, where this ad opened it",
    )
    revenue_micros = models.BigIntegerField(
        help_text="The placement's estimate at that time, reporting currency"
    )
    day = models.DateField(help_text="In the reporting time zone")
    number = models.PositiveIntegerField()
    daily_cap = models.PositiveIntegerField(help_text="The placement's cap at that time")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["network", "transaction_id"], name="ads_reward_pays_once"
            ),
            models.UniqueConstraint(
                fields=["viewer", "environment", "placement", "day", "number"],
                name="ads_reward_numbered",
            ),
            models.UniqueConstraint(fields=["goal", "place"], name="ads_reward_placed"),
            models.CheckConstraint(
                condition=Q(number__gte=1, number__lte=F("daily_cap"), revenue_micros__gte=0),
                name="ads_reward_within_cap",
            ),
            models.CheckConstraint(
                condition=Q(series__isnull=True, episode__isnull=True, entitlement__isnull=True)
                | Q(series__isnull=False, episode__isnull=False),
                name="ads_reward_target",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="reward_by_time")]

    def __str__(self) -> str:
        return f"{self.network} {self.transaction_id}"


class Opening(models.Model):
    """An episode that the last ad of a goal opened."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reward = models.ForeignKey(Reward, models.PROTECT, related_name="openings")
    entitlement = models.OneToOneField(Entitlement, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return str(self.entitlement_id)
