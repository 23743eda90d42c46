"""What watched ads earn their viewer, and how many it takes."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

MAXIMUM_ADS_NEEDED = 10
MAXIMUM_EPISODES = 10
MAXIMUM_MINUTES = 7 * 24 * 60
MAXIMUM_COINS = 10_000
MAXIMUM_EXPIRY_DAYS = 366


class PlacementReward(models.TextChoices):
    """What ads are watched for."""

    EPISODES = "episodes", "Episodes, opened for good"
    MINUTES = "minutes", "The whole title, open for some minutes"
    COINS = "coins", "Bonus coins"


#: How many of each may be promised.
MOST: dict[PlacementReward, int] = {
    PlacementReward.EPISODES: MAXIMUM_EPISODES,
    PlacementReward.MINUTES: MAXIMUM_MINUTES,
    PlacementReward.COINS: MAXIMUM_COINS,
}


class Terms(models.Model):
    """So many ads for so much of a reward: `reward_amount` counts episodes, minutes or coins.

    A placement has them as they are today, a session as they were when its ad was announced, and a goal as
    they were when the first of its ads was.
    """

    reward = models.CharField(
        max_length=20,
        choices=PlacementReward.choices,
        default=PlacementReward.EPISODES,
        db_default=PlacementReward.EPISODES,
    )
    reward_amount = models.PositiveIntegerField(
        "How many",
        default=1,
        db_default=1,
        validators=[MinValueValidator(1)],
        help_text=f"Up to {MAXIMUM_EPISODES} episodes: the one that the ad is watched for and the next locked "
        f"ones. Up to {MAXIMUM_MINUTES:,} minutes, or {MAXIMUM_COINS:,} coins.",
    )
    coins_expire_after_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_EXPIRY_DAYS)],
        help_text="Of coins: how long they can be spent. Empty: for good",
    )
    ads_needed = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_ADS_NEEDED)],
        help_text="How many ads are watched for it. The last one opens or pays.",
    )

    class Meta:
        abstract = True


def are_sane() -> Q:
    """What the database holds of every row that has terms."""
    kinds = Q(reward=PlacementReward.COINS, reward_amount__lte=MAXIMUM_COINS) & (
        Q(coins_expire_after_days__isnull=True)
        | Q(coins_expire_after_days__gte=1, coins_expire_after_days__lte=MAXIMUM_EXPIRY_DAYS)
    )
    for kind in (PlacementReward.EPISODES, PlacementReward.MINUTES):
        kinds |= Q(reward=kind, reward_amount__lte=MOST[kind], coins_expire_after_days__isnull=True)
    return kinds & Q(reward_amount__gte=1, ads_needed__gte=1, ads_needed__lte=MAXIMUM_ADS_NEEDED)


def has_target(*names: str) -> Q:
    """Whether the columns of a title are filled in: those of coins have none."""
    without, with_all = Q(reward=PlacementReward.COINS), ~Q(reward=PlacementReward.COINS)
    for name in names:
        without &= Q(**{f"{name}__isnull": True})
        with_all &= Q(**{f"{name}__isnull": False})
    return without | with_all
