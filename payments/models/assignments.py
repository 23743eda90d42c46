"""Which plan prices which series, from when on."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalog.models import ProvenanceKind, Series
from config.ids import uuid7
from payments.models.prices import PricePlan


class AssignmentSource(models.TextChoices):
    """Who chose the plan."""

    OPERATOR = "operator", "An operator"
    RULE = "rule", "A rule, when the series was published"


class PlanRule(models.Model):
    """Which plan a title gets when it is published. The first rule that fits counts. Switched off, never
    deleted: what it has priced goes on naming it.

    What is empty fits every title; at least one thing is said.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    position = models.PositiveIntegerField(unique=True, help_text="Lowest first")
    name = models.CharField(max_length=100)
    genre = models.CharField(max_length=60, blank=True)
    original_locale = models.CharField(max_length=20, blank=True)
    provenance_kind = models.CharField(max_length=20, blank=True, choices=ProvenanceKind.choices)
    minimum_episodes = models.PositiveIntegerField(null=True, blank=True)
    maximum_episodes = models.PositiveIntegerField(null=True, blank=True)
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="rules")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(
                    genre="",
                    original_locale="",
                    provenance_kind="",
                    minimum_episodes=None,
                    maximum_episodes=None,
                ),
                name="payments_planrule_narrows",
                violation_error_message=(
                    "This rule fits every title. Say at least one thing about the titles it is for; "
                    "the default plan prices all others."
                ),
            ),
            models.CheckConstraint(
                condition=Q(minimum_episodes=None)
                | Q(maximum_episodes=None)
                | Q(minimum_episodes__lte=F("maximum_episodes")),
                name="payments_planrule_length",
                violation_error_message="The least number of episodes is above the greatest.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExceptionReason(models.TextChoices):
    """Why somebody should look at a title's price."""

    NO_RULE = "no_rule", "No rule fits it; the default plan prices it"
    NO_VERSION = "no_version", "Its plan has no price yet; the default plan prices it"
    FAR_OFF = "far_off", "It costs far more or far less than titles usually do"


class PriceException(models.Model):
    """A published title whose price nobody has vouched for. It stays in the queue until somebody does."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(Series, models.CASCADE, related_name="price_exceptions")
    reason = models.CharField(max_length=20, choices=ExceptionReason.choices)
    found_at = models.DateTimeField(editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-found_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["series", "reason"],
                condition=Q(settled_at=None),
                name="payments_priceexception_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.series_id}: {self.reason}"


class PlanAssignment(models.Model):
    """The plan of one series from a moment until a later assignment takes over."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(
        Series, models.CASCADE, related_name="plan_assignments", db_index=False
    )
    plan = models.ForeignKey(PricePlan, models.PROTECT, related_name="assignments")
    effective_from = models.DateTimeField()
    source = models.CharField(
        max_length=10, choices=AssignmentSource.choices, default=AssignmentSource.OPERATOR
    )
    rule = models.ForeignKey(PlanRule, models.PROTECT, null=True, editable=False, related_name="+")
    cancelled_at = models.DateTimeField(null=True, editable=False)
    change = models.ForeignKey(
        "payments.PriceChange",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="assignments",
    )
    instead_of = models.ForeignKey(
        "payments.PriceChange",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        help_text="The change that was rolled back, where this repeats what stood before it",
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-effective_from", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(cancelled_at=None) | Q(cancelled_at__lt=F("effective_from")),
                name="payments_planassignment_cancelled_before",
            ),
        ]
        indexes = [
            models.Index(
                fields=["series", "-effective_from", "-id"],
                condition=Q(cancelled_at=None),
                name="assignment_of_series",
            )
        ]

    def __str__(self) -> str:
        return f"{self.series_id} → {self.plan_id}"
