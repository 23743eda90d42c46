"""Where in the app a rewarded ad is offered, what it earns the viewer, and how often."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ads.models.terms import PlacementReward, Terms, are_sane
from catalog.models import Series
from config.ids import uuid7

MAXIMUM_DAILY_CAP = 100
MAXIMUM_COOLDOWN_SECONDS = 24 * 3600
MINIMUM_SESSION_SECONDS = 60
MAXIMUM_SESSION_SECONDS = 24 * 3600
MAXIMUM_NET_MICROS = 100_000_000


class Network(models.TextChoices):
    """Who shows the ad, and calls us when it was watched."""

    ADMOB = "admob", "AdMob"
    APPLOVIN = "applovin", "AppLovin MAX"
    LEVELPLAY = "levelplay", "Unity LevelPlay"
    UNITY = "unity", "Unity Ads"
    PANGLE = "pangle", "Pangle"
    WECHAT = "wechat", "WeChat"
    DOUYIN = "douyin", "Douyin"
    FAKE = "fake", "Fake network"


#: They call nobody: their ads are believed at the app's word. Of such a network a viewer's rewards at all
#: placements count at each; ads/sql/session_0004.sql and callback_0003.sql name these networks and the cap.
PROVISIONAL = (Network.DOUYIN,)
MAXIMUM_PROVISIONAL_CAP = 3
MINIMUM_PROVISIONAL_COOLDOWN_SECONDS = 300


class PlacementAudience(models.TextChoices):
    """Who is shown a placement's ads."""

    NOT_COVERED = "not_covered", "All whom no subscription or pass covers"
    NEVER_PAID = "never_paid", "Only those who have never paid"
    EVERYONE = "everyone", "Everybody, subscribers too"


class PlacementTitles(models.TextChoices):
    """For which titles a placement's ads are shown."""

    ALL = "all", "All titles"
    LISTED = "listed", "Only the titles listed"
    ALL_BUT_LISTED = "all_but_listed", "All but the titles listed"


class Placement(Terms):
    """A place in the app that shows rewarded ads. Switched off, never deleted: rewards name it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True, help_text="What apps call it")
    title = models.CharField(max_length=100, help_text="As viewers read it")
    network = models.CharField(max_length=20, choices=Network.choices)
    ad_unit_id = models.CharField(
        max_length=100, help_text="The network's own name for the ad unit, as its console shows it"
    )
    titles = models.CharField(
        max_length=20,
        choices=PlacementTitles.choices,
        default=PlacementTitles.ALL,
        db_default=PlacementTitles.ALL,
    )
    listed = models.ManyToManyField(Series, blank=True, related_name="+")
    audience = models.CharField(
        max_length=20,
        choices=PlacementAudience.choices,
        default=PlacementAudience.NOT_COVERED,
        db_default=PlacementAudience.NOT_COVERED,
    )
    daily_cap = models.PositiveIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_DAILY_CAP)],
        help_text="Rewards for one viewer in one day of the reporting time zone",
    )
    cooldown_seconds = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(MAXIMUM_COOLDOWN_SECONDS)],
        help_text="How long a viewer waits between two ads",
    )
    session_seconds = models.PositiveIntegerField(
        default=3600,
        validators=[
            MinValueValidator(MINIMUM_SESSION_SECONDS),
            MaxValueValidator(MAXIMUM_SESSION_SECONDS),
        ],
        help_text="How long a session waits for the network's word that its ad was watched",
    )
    estimated_net_micros = models.BigIntegerField(
        default=0,
        help_text="What one view is taken to earn, reporting currency. Kept on each reward; what a "
        "viewer is granted never depends on it.",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    daily_cap__gte=1,
                    daily_cap__lte=MAXIMUM_DAILY_CAP,
                    cooldown_seconds__lte=MAXIMUM_COOLDOWN_SECONDS,
                    session_seconds__gte=MINIMUM_SESSION_SECONDS,
                    session_seconds__lte=MAXIMUM_SESSION_SECONDS,
                    estimated_net_micros__gte=0,
                    estimated_net_micros__lte=MAXIMUM_NET_MICROS,
                ),
                name="ads_placement_sane",
            ),
            models.CheckConstraint(
                condition=Q(
                    network__in=Network.values,
                    audience__in=PlacementAudience.values,
                    titles__in=PlacementTitles.values,
                ),
                name="ads_placement_known",
            ),
            models.CheckConstraint(
                condition=are_sane(),
                name="ads_placement_terms",
                violation_error_message="No ad may be watched for so much, or only coins expire.",
            ),
            models.CheckConstraint(
                condition=~Q(reward=PlacementReward.COINS) | Q(titles=PlacementTitles.ALL),
                name="ads_placement_coins_of_no_title",
                violation_error_message="Coins are spent on any title: their ads are of none.",
            ),
            models.CheckConstraint(
                condition=~Q(network__in=PROVISIONAL)
                | Q(
                    daily_cap__lte=MAXIMUM_PROVISIONAL_CAP,
                    cooldown_seconds__gte=MINIMUM_PROVISIONAL_COOLDOWN_SECONDS,
                ),
                name="ads_placement_provisional",
                violation_error_message="This network calls nobody, so the app is believed: at most "
                f"{MAXIMUM_PROVISIONAL_CAP} a day, {MINIMUM_PROVISIONAL_COOLDOWN_SECONDS} s apart.",
            ),
        ]

    def __str__(self) -> str:
        return self.title
