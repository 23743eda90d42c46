"""What operators want prices to be: drafted, previewed, agreed to, and then in force from a moment on."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalog.models import Series
from config.ids import uuid7


class ChangeState(models.TextChoices):
    DRAFT = "draft", "Draft"
    WAITING = "waiting", "Waiting for a second person"
    SCHEDULED = "scheduled", "Agreed to"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn before it took effect"
    ROLLED_BACK = "rolled_back", "Rolled back"


class PriceChange(models.Model):
    """One change of prices, on any number of titles, by the rows that it adds.

    `content` is a payments.desk.price_changes.contents.Content; nobody edits it once it was proposed. Empty
    `effective_from` is the moment at which it is agreed to.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    content = models.JSONField()
    selection = models.JSONField(
        null=True,
        help_text="How its titles were chosen, a payments.desk.price_changes.selection.Selection",
    )
    effective_from = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=ChangeState.choices, default=ChangeState.DRAFT)
    titles_count = models.PositiveIntegerField(default=0)
    given_away_count = models.PositiveIntegerField(default=0)
    largest_rise_parts_per_million = models.PositiveBigIntegerField(default=0)
    largest_fall_parts_per_million = models.PositiveIntegerField(default=0)
    needs_second = models.BooleanField(default=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=500, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, help_text="Withdrawn or rolled back")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=[ChangeState.SCHEDULED, ChangeState.ROLLED_BACK])
                | Q(needs_second=False)
                | ~Q(decided_by=F("asked_by")),
                name="payments_pricechange_second_person",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[ChangeState.SCHEDULED, ChangeState.ROLLED_BACK])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="payments_pricechange_decided",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ChangedSeries(models.Model):
    """A title that a change is about: those that a filter found when it was drafted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    change = models.ForeignKey(
        PriceChange, models.CASCADE, related_name="changed_series", db_index=False
    )
    series = models.ForeignKey(Series, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["change", "series"], name="payments_changedseries_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series_id} in {self.change_id}"
