"""Figures of each hour for dashboards, and how far they are filled."""

from django.db import models
from django.db.models import Q

from viewers.models import Environment, Flag


class ChangedHour(models.Model):
    """An hour of which a file that was published has events. Rows go once its rollups are due again."""

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(help_text="By corrected client time, in UTC")
    is_late = models.BooleanField(
        help_text="All of these events came after the hour was closed for good"
    )

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}"


class PostingsRead(models.Model):
    """Up to which moment of real time the hours that money was posted for have been made due. One row."""

    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.read_until:%Y-%m-%d %H:%M:%S}"


class CountedFlag(models.Model):
    """A flag that rollups have heard of: the hours of whom it is of have been made due since."""

    flag = models.OneToOneField(Flag, models.PROTECT, primary_key=True, related_name="+")
    is_lifted = models.BooleanField()

    def __str__(self) -> str:
        return str(self.flag_id)


class FillState(models.TextChoices):
    """How far an hour of a rollup is filled."""

    WAITING = "waiting"  # not filled yet, or only up to a moment within it
    FILLED = "filled"
    REOPENED = "reopened"  # filled, but what it was counted from has changed since


class RollupHour(models.Model):
    """One metric in one hour of UTC: how far it is filled, up to when, and by which definition.

    It is filled when `due_at` has come, under a lease. Whatever changes what it is counted from adds one to
    `marks`: who has begun to count before that finds the number changed, and leaves the hour due.
    """

    id = models.BigAutoField(primary_key=True)
    metric = models.CharField(max_length=40)
    hour = models.DateTimeField(help_text="Its beginning, in UTC")
    state = models.CharField(max_length=10, choices=FillState.choices, default=FillState.WAITING)
    marks = models.BigIntegerField(default=0, help_text="How often what it is counted from changed")
    due_at = models.DateTimeField(null=True, help_text="When it is to be filled; never if empty")
    leased_until = models.DateTimeField(null=True, help_text="Somebody fills it until then")
    definition = models.CharField(
        max_length=60, blank=True, help_text="The version, and the zone of its days if it has any"
    )
    watermark = models.DateTimeField(
        null=True, help_text="What it was filled from was complete up to then"
    )
    filled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["metric", "hour"], name="analytics_rolluphour_once")
        ]
        indexes = [
            models.Index(
                fields=["metric", "-hour"], name="rolluphour_due", condition=~Q(due_at=None)
            ),
            models.Index(fields=["metric", "definition"], name="rolluphour_by_definition"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.hour:%Y-%m-%d %H}"


class RollupValue(models.Model):
    """What a metric came to in a quarter of an hour, with these dimensions. What is missing is 0."""

    id = models.BigAutoField(primary_key=True)
    hour = models.ForeignKey(RollupHour, models.CASCADE, related_name="values", db_index=False)
    starts_at = models.DateTimeField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    dimensions = models.JSONField(default=dict)
    value = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "starts_at", "environment", "dimensions"],
                name="analytics_rollupvalue_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.value}"


class RollupCheck(models.Model):
    """One comparison of all rollups of money with the ledger."""

    id = models.BigAutoField(primary_key=True)
    checked_at = models.DateTimeField()
    first_day = models.DateField(null=True, help_text="Local days that are filled to their end")
    last_day = models.DateField(null=True)
    figure_count = models.IntegerField()
    difference_count = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["checked_at"], name="rollupcheck_by_time")]

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d %H:%M}"


class RollupDifference(models.Model):
    """A day of a rollup that is not what the ledger says. Its hours are due again when it is found."""

    id = models.BigAutoField(primary_key=True)
    metric = models.CharField(max_length=40)
    day = models.DateField(help_text="Of the reporting zone")
    dimension = models.CharField(max_length=80, blank=True, help_text="What of the metric it is")
    rollup_value = models.BigIntegerField()
    ledger_value = models.BigIntegerField()
    found_at = models.DateTimeField()
    is_confirmed = models.BooleanField(
        default=False, help_text="It was there again after the day was filled anew: an alarm"
    )
    resolved_at = models.DateTimeField(null=True, help_text="When both were found to be equal")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "day", "dimension"],
                name="analytics_rollupdifference_open_once",
                condition=Q(resolved_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.day}"
