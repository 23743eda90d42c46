"""What viewers can earn coins with, and what they have earned."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models import Transfer
from viewers.models import Environment, Platform, Viewer

MAXIMUM_TARGET = 10_000_000
MAXIMUM_COINS = 100_000
MAXIMUM_EXPIRY_DAYS = 3660
MAXIMUM_BUDGET_COINS = 10_000_000_000
PERIOD_CHARACTERS = 10


class TaskKind(models.TextChoices):
    """What is counted. Whatever counts is on record here; of notifications alone the app is believed."""

    CHECK_IN = "check_in", "Coming back: one check-in for each of the viewer's own days"
    WATCH = "watch", "Seconds watched"
    ADS = "ads", "Ads watched"
    UNLOCKS = "unlocks", "Episodes unlocked by coins"
    IDENTITY = "identity", "Signed in with an identity"
    NOTIFICATIONS = "notifications", "Notifications switched on, as the app says"
    SIGN_UP = "sign_up", "New here, and real: seconds watched, or an identity"


class TaskPeriod(models.TextChoices):
    """How often it can be earned. Days, weeks from Monday and months are of the reporting zone; those of a
    check-in are the viewer's."""

    ONCE = "once", "Once"
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    MONTHLY = "monthly", "Monthly"


ONCE_ONLY = (TaskKind.IDENTITY, TaskKind.NOTIFICATIONS, TaskKind.SIGN_UP)
#: Of these one is on at a time: whoever had the one must not have the other beside it.
ONE_AT_A_TIME = (TaskKind.CHECK_IN, TaskKind.SIGN_UP)


class TaskCampaign(models.Model):
    """Tasks that share a window, an audience and a budget, of which nothing is ever spent twice.

    `spent_coins` is of production and `sandbox_spent_coins` of testers. The functions alone write them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    budget_coins = models.BigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_BUDGET_COINS)],
        help_text="What all of its tasks may give together",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until further notice")
    regions = ArrayField(
        models.CharField(max_length=2),
        default=list,
        blank=True,
        help_text="ISO 3166-1 alpha-2, comma separated. Empty: everywhere",
    )
    platforms = ArrayField(
        models.CharField(max_length=10, choices=Platform.choices),
        default=list,
        blank=True,
        help_text="Empty: all",
    )
    new_viewer_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Only so many days after they came. Empty: everybody"
    )
    spent_coins = models.BigIntegerField(default=0, editable=False)
    sandbox_spent_coins = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    budget_coins__gte=1,
                    budget_coins__lte=MAXIMUM_BUDGET_COINS,
                    spent_coins__gte=0,
                    spent_coins__lte=F("budget_coins"),
                    sandbox_spent_coins__gte=0,
                    sandbox_spent_coins__lte=F("budget_coins"),
                ),
                name="ads_taskcampaign_within_budget",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="ads_taskcampaign_period",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """Something to do for coins, once in a period. Switched off, never deleted: claims name it.

    What a check-in gives is in its days (`CheckInDay`); of every other task it is `bonus_coins`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True, help_text="What apps call it")
    kind = models.CharField(max_length=20, choices=TaskKind.choices)
    period = models.CharField(max_length=10, choices=TaskPeriod.choices)
    target_count = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_TARGET)],
        help_text="How many; seconds, where watching counts",
    )
    bonus_coins = models.PositiveIntegerField(
        default=0, help_text="Bonus coins; 0 for a check-in, whose days say what they give"
    )
    coins_expire_after_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAXIMUM_EXPIRY_DAYS)],
        help_text="Empty: the coins never lapse",
    )
    is_automatic = models.BooleanField(
        default=False, help_text="Given as soon as enough was watched, without a claim"
    )
    campaign = models.ForeignKey(
        TaskCampaign, models.PROTECT, null=True, blank=True, related_name="tasks"
    )
    original_locale = models.CharField(max_length=20, default="en")
    position = models.PositiveIntegerField(default=0, help_text="Smaller ones come first")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until further notice")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=TaskKind.values, period__in=TaskPeriod.values),
                name="ads_task_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    target_count__gte=1,
                    target_count__lte=MAXIMUM_TARGET,
                    bonus_coins__lte=MAXIMUM_COINS,
                )
                & (
                    Q(coins_expire_after_days=None)
                    | Q(
                        coins_expire_after_days__gte=1,
                        coins_expire_after_days__lte=MAXIMUM_EXPIRY_DAYS,
                    )
                ),
                name="ads_task_sane",
            ),
            models.CheckConstraint(
                condition=Q(kind=TaskKind.CHECK_IN, period=TaskPeriod.DAILY, bonus_coins=0)
                | ~Q(kind=TaskKind.CHECK_IN) & Q(bonus_coins__gt=0),
                name="ads_task_gives",
                violation_error_message="A check-in is daily and its days say what they give; every "
                "other task gives at least one coin.",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=ONCE_ONLY) | Q(period=TaskPeriod.ONCE),
                name="ads_task_once_only",
                violation_error_message="This can be earned once only.",
            ),
            models.CheckConstraint(
                condition=Q(is_automatic=False) | Q(kind=TaskKind.WATCH),
                name="ads_task_automatic",
                violation_error_message="Only watching is given without a claim.",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="ads_task_period"
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(kind__in=ONE_AT_A_TIME, is_active=True),
                name="ads_task_one_at_a_time",
                violation_error_message="Another one of this kind is on: switch it off first.",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def is_on(self, at: datetime) -> bool:
        """Whether it can be earned at a moment."""
        if not self.is_active or self.starts_at > at:
            return False
        return self.ends_at is None or at < self.ends_at


class TaskText(models.Model):
    """What a viewer reads of a task in one locale (BCP 47, as `zh-Hans`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="texts")
    locale = models.CharField(max_length=20)
    title = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "locale"], name="ads_tasktext_unique")
        ]

    def __str__(self) -> str:
        return f"{self.locale}: {self.title}"


class CheckInDay(models.Model):
    """What the n-th day of a streak gives. After the last the first comes again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="days")
    number = models.PositiveIntegerField()
    bonus_coins = models.PositiveIntegerField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="ads_checkinday_unique"),
            models.CheckConstraint(
                condition=Q(
                    number__gte=1,
                    number__lte=366,
                    bonus_coins__gte=1,
                    bonus_coins__lte=MAXIMUM_COINS,
                ),
                name="ads_checkinday_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"day {self.number}: {self.bonus_coins}"


class TaskClaim(models.Model):
    """A task that was paid: once for a viewer in each of its periods. Written by SQL alone.

    `coins` are what it gave at that time; of a check-in `streak_day` is the day of the calendar.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    task = models.ForeignKey(Task, models.PROTECT, related_name="claims")
    period = models.CharField(
        max_length=PERIOD_CHARACTERS, help_text="2026-03-14, 2026-W11, 2026-03 or once"
    )
    coins = models.BigIntegerField()
    coins_expire_at = models.DateTimeField(null=True)
    streak_day = models.PositiveIntegerField(null=True)
    campaign = models.ForeignKey(TaskCampaign, models.PROTECT, null=True, related_name="claims")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="task_claim")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "task", "period"], name="ads_taskclaim_once"
            ),
            models.CheckConstraint(condition=Q(coins__gt=0), name="ads_taskclaim_gives"),
        ]
        indexes = [models.Index(fields=["created_at"], name="taskclaim_by_time")]

    def __str__(self) -> str:
        return f"{self.task_id} {self.period}"
