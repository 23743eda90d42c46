"""Experiments: what differs between viewers by chance, for whom, and who has met the difference."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from viewers.models.viewers import Environment, Viewer

#: Shares, slices and holdouts are in parts of this.
WHOLE = 1_000_000
EXPERIMENT_CODE_CHARACTERS = 40
ARM_CODE_CHARACTERS = 20
CODE = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_CODE_COMPLAINT = (
    "A code is made of small letters, digits and single hyphens, such as free-count-2026."
)


def new_salt() -> str:
    """Text that no other hash has in it."""
    return secrets.token_hex(16)


class Varies(models.TextChoices):
    """What an experiment does differently."""

    PRICE = "price", "Price"
    FREE_COUNT = "free_count", "Free episodes"
    PAYWALL_POSITION = "paywall_position", "Paywall position"
    OFFER = "offer", "Offer"
    PLACEMENT = "placement", "Placement"


class ExperimentState(models.TextChoices):
    DRAFT = "draft", "Draft"
    WAITING = "waiting", "Waiting for a second person"
    RUNNING = "running", "Running"
    ENDED = "ended", "Ended"


class Horizon(models.IntegerChoices):
    """How long after their exposure a viewer's revenue counts, in hours."""

    DAY = 24, "24 hours"
    WEEK = 168, "7 days"


class Layer(models.Model):
    """Experiments that never meet in one viewer: each has a slice of the viewers, by the layer's salt.

    Layers are independent of each other. The first `holdout_parts_per_million` of a layer's viewers are in
    none of its experiments.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=EXPERIMENT_CODE_CHARACTERS, unique=True)
    salt = models.CharField(max_length=64, default=new_salt, editable=False)
    holdout_parts_per_million = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="layer_code",
                condition=Q(code__regex=CODE),
                violation_error_message=_CODE_COMPLAINT,
            ),
            models.CheckConstraint(
                name="layer_holdout_is_a_share", condition=Q(holdout_parts_per_million__lte=WHOLE)
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Experiment(models.Model):
    """A question put to viewers by chance. From the moment it was asked for, only its end is written.

    It runs in production, from `starts_at` until `ended_at`; empty `starts_at` is the moment at which it
    is agreed to. Viewers in `global_holdout_parts_per_million` of all are in no experiment of any layer.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=EXPERIMENT_CODE_CHARACTERS, unique=True)
    question = models.CharField(max_length=300, help_text="What you will know when it has ended")
    varies = models.CharField(max_length=20, choices=Varies.choices)
    layer = models.ForeignKey(Layer, models.PROTECT, related_name="experiments")
    salt = models.CharField(max_length=64, default=new_salt, editable=False)
    slice_from = models.PositiveIntegerField(default=0)
    slice_to = models.PositiveIntegerField(default=WHOLE)
    global_holdout_parts_per_million = models.PositiveIntegerField(default=0, editable=False)
    new_viewers_only = models.BooleanField(
        default=True, help_text="Only viewers who come after it has started"
    )
    horizon_hours = models.PositiveIntegerField(choices=Horizon.choices, default=Horizon.WEEK)
    planned_viewers = models.PositiveIntegerField(
        help_text="How many are to meet the difference, in all arms together"
    )
    state = models.CharField(
        max_length=10, choices=ExperimentState.choices, default=ExperimentState.DRAFT
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, editable=False)
    needs_second = models.BooleanField(default=False, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    asked_at = models.DateTimeField(null=True, editable=False)
    agreed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    agreed_at = models.DateTimeField(null=True, editable=False)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="experiment_code",
                condition=Q(code__regex=CODE),
                violation_error_message=_CODE_COMPLAINT,
            ),
            models.CheckConstraint(
                name="experiment_slice",
                condition=Q(slice_from__lt=F("slice_to"), slice_to__lte=WHOLE),
            ),
            models.CheckConstraint(
                name="experiment_varies_known", condition=Q(varies__in=Varies.values)
            ),
            models.CheckConstraint(
                name="experiment_horizon_known", condition=Q(horizon_hours__in=Horizon.values)
            ),
            models.CheckConstraint(
                name="experiment_is_agreed_to",
                condition=Q(state__in=[ExperimentState.DRAFT, ExperimentState.WAITING])
                | Q(
                    starts_at__isnull=False,
                    asked_by__isnull=False,
                    agreed_by__isnull=False,
                    agreed_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="experiment_second_person",
                condition=Q(needs_second=False) | ~Q(agreed_by=F("asked_by")),
            ),
            models.CheckConstraint(
                name="experiment_ended",
                condition=Q(state=ExperimentState.ENDED, ended_at__isnull=False)
                | (~Q(state=ExperimentState.ENDED) & Q(ended_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Arm(models.Model):
    """One of the ways that an experiment compares, and the share of its viewers who get it.

    Viewers are divided over the arms in the order of their codes. What the control's viewers get is
    what everybody gets.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="arms", db_index=False)
    code = models.SlugField(max_length=ARM_CODE_CHARACTERS)
    share_parts_per_million = models.PositiveIntegerField()
    is_control = models.BooleanField(default=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(name="arm_once", fields=["experiment", "code"]),
            models.CheckConstraint(
                name="arm_code",
                condition=Q(code__regex=CODE),
                violation_error_message=_CODE_COMPLAINT,
            ),
            models.CheckConstraint(
                name="arm_has_a_share",
                condition=Q(share_parts_per_million__gt=0, share_parts_per_million__lte=WHOLE),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Exposure(models.Model):
    """A viewer has met what the arms of an experiment do differently: in this arm, for good.

    `propensity_parts_per_million` is the chance of the arm for one who is in the experiment. After a
    merge the earlier of two exposures stands: `carried_at` is when it last came from another viewer,
    `former_arms` what it was before; `carried_to` is who has it now, and that row counts instead. `conflicted_at` marks one who has met two arms, whom no comparison can use.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="exposures", db_index=False)
    environment = models.TextField(choices=Environment)
    experiment = models.ForeignKey(
        Experiment, models.PROTECT, related_name="exposures", db_index=False
    )
    arm = models.ForeignKey(Arm, models.PROTECT, related_name="exposures", db_index=False)
    propensity_parts_per_million = models.PositiveIntegerField()
    exposed_at = models.DateTimeField()
    carried_at = models.DateTimeField(null=True)
    carried_to = models.ForeignKey(
        Viewer, models.PROTECT, null=True, related_name="+", db_index=False
    )
    conflicted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="exposure_once", fields=["viewer", "experiment", "environment"]
            ),
            models.CheckConstraint(
                name="exposure_is_real", condition=Q(environment=Environment.PRODUCTION)
            ),
            models.CheckConstraint(
                name="exposure_has_a_chance",
                condition=Q(
                    propensity_parts_per_million__gt=0, propensity_parts_per_million__lte=WHOLE
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["experiment", "exposed_at"],
                include=["arm", "carried_to", "conflicted_at"],
                name="exposure_of_experiment",
            )
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} in {self.arm_id}"


class FormerArm(models.Model):
    """What an exposure's arm was until a merge brought another; empty: this viewer had met none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    exposure = models.ForeignKey(Exposure, models.PROTECT, related_name="former_arms")
    arm = models.ForeignKey(Arm, models.PROTECT, null=True, related_name="+", db_index=False)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.arm_id} until {self.until:%Y-%m-%d %H:%M:%S}"
