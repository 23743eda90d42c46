"""Which ways past the paywall a viewer is shown, by a policy; and what was decided, with its chance."""

import secrets

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from catalog.models import Episode, Series
from config.ids import uuid7
from viewers.models import Environment, Platform, Viewer

LEAST_HOLDOUT_PERCENT = 1
MOST_HOLDOUT_PERCENT = 50
MAXIMUM_WEIGHT = 1000
#: Chances are kept in parts of this, in which every share times every holdout is a whole number.
BILLION = 1_000_000_000
ARM_CODE = r"^[a-z0-9][a-z0-9-]*$"


class Means(models.TextChoices):
    """A way past the paywall. Bundles and rentals are ways to use coins."""

    COINS = "coins", "Coins"
    PACKS = "packs", "Coin packs"
    SUBSCRIPTION = "subscription", "Subscriptions"
    AD = "ad", "An ad"


#: What is shown where no policy decides, and to the holdout: all of it, in this order.
DEFAULT = (Means.COINS, Means.PACKS, Means.SUBSCRIPTION, Means.AD)


class Payer(models.TextChoices):
    """What a viewer in front of a locked episode has bought so far. Everybody is in exactly one."""

    NEVER_PAID = "never_paid", "Never paid"
    PAYER = "payer", "Payer: has bought coins, never a pass"
    SUBSCRIBER = "subscriber", "Subscriber: has had a pass or subscription"


class PolicyState(models.TextChoices):
    """How a policy stands."""

    DRAFT = "draft", "Draft"
    IN_FORCE = "in_force", "In force"
    RETIRED = "retired", "Retired"


def new_salt() -> str:
    """What viewers are divided over a policy's arms with."""
    return secrets.token_hex(16)


class OfferPolicy(models.Model):
    """A version of the policy by which viewers are shown ways past the paywall. One is in force at most.

    Only a draft is edited: what decided once stays as it was, so that what was logged of it can be read.
    Whom it holds out is shown everything in the default order, whatever its rules say; the same viewers in
    every version of the same share.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    holdout_percent = models.PositiveSmallIntegerField(
        default=5,
        validators=[
            MinValueValidator(LEAST_HOLDOUT_PERCENT),
            MaxValueValidator(MOST_HOLDOUT_PERCENT),
        ],
        help_text="So many of a hundred viewers are always shown everything in the default order: what "
        "the policy brings is measured against them",
    )
    salt = models.CharField(max_length=64, default=new_salt, editable=False)
    state = models.CharField(
        max_length=10, choices=PolicyState.choices, default=PolicyState.DRAFT, editable=False
    )
    created_at = models.DateTimeField(editable=False)
    in_force_at = models.DateTimeField(null=True, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)
    put_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = "offer policy"
        verbose_name_plural = "offer policies"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=Q(state=PolicyState.IN_FORCE),
                name="payments_offerpolicy_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(
                    holdout_percent__gte=LEAST_HOLDOUT_PERCENT,
                    holdout_percent__lte=MOST_HOLDOUT_PERCENT,
                ),
                name="payments_offerpolicy_holds_out",
                violation_error_message="The holdout is 1 to 50 percent, never nobody.",
            ),
            models.CheckConstraint(
                condition=Q(state=PolicyState.DRAFT, in_force_at=None, retired_at=None)
                | Q(state=PolicyState.IN_FORCE, in_force_at__isnull=False, retired_at=None)
                | Q(
                    state=PolicyState.RETIRED,
                    in_force_at__isnull=False,
                    retired_at__gte=F("in_force_at"),
                ),
                name="payments_offerpolicy_state",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OfferRule(models.Model):
    """What a policy shows some viewers. The first rule that fits counts; what is empty fits everybody."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    policy = models.ForeignKey(OfferPolicy, models.CASCADE, related_name="rules", db_index=False)
    position = models.PositiveIntegerField(help_text="Lowest first")
    name = models.CharField(max_length=100)
    payers = ArrayField(
        models.CharField(max_length=12, choices=Payer.choices), default=list, blank=True
    )
    has_enough_coins = models.BooleanField(
        null=True, blank=True, help_text="For the next locked episode"
    )
    encounters_from = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="From which locked episode of the title on that the viewer meets, the first being 1",
    )
    encounters_to = models.PositiveIntegerField(null=True, blank=True)
    regions = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    platforms = ArrayField(
        models.CharField(max_length=10, choices=Platform.choices), default=list, blank=True
    )

    class Meta:
        verbose_name = "offer rule"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "position"],
                name="payments_offerrule_place",
                violation_error_message="Another rule of this policy has this position.",
            ),
            models.CheckConstraint(
                condition=Q(encounters_from=None)
                | Q(encounters_to=None)
                | Q(encounters_to__gte=F("encounters_from")),
                name="payments_offerrule_encounters",
                violation_error_message="It ends before it starts.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OfferArm(models.Model):
    """One of the ways in which a rule may answer: what is shown, the first of it as the primary way.

    Chosen with the chance of its weight among the rule's.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(OfferRule, models.CASCADE, related_name="arms", db_index=False)
    position = models.PositiveIntegerField()
    code = models.SlugField(max_length=40)
    shown = ArrayField(models.CharField(max_length=12, choices=Means.choices))
    weight = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = "offer arm"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "code"], name="payments_offerarm_once"),
            models.UniqueConstraint(fields=["rule", "position"], name="payments_offerarm_place"),
            models.CheckConstraint(
                condition=Q(
                    code__regex=ARM_CODE,
                    weight__gte=1,
                    weight__lte=MAXIMUM_WEIGHT,
                    shown__len__gte=1,
                    shown__contained_by=Means.values,
                ),
                name="payments_offerarm_sane",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class OfferDecision(models.Model):
    """What a viewer in front of a locked episode was shown, for good: once for viewer and episode.

    Made in the holdout as in every arm by the same call, at the first moment at which any arm would have
    differed. `propensity_parts_per_billion` is the chance that they had of what they were shown, and
    `ad_propensity_parts_per_billion` that of any that has the ad. Without a rule everybody is shown the
    default; without an arm, too, and `is_holdout` says why.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    episode = models.ForeignKey(Episode, models.PROTECT, related_name="+", db_index=False)
    policy = models.ForeignKey(OfferPolicy, models.PROTECT, related_name="+", db_index=False)
    # Of a policy in force no rule and no arm is ever deleted: triggers refuse it. A constraint would have every
    # edit of a draft look through all decisions for what cannot be there.
    rule = models.ForeignKey(
        OfferRule,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    arm = models.ForeignKey(
        OfferArm,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    is_holdout = models.BooleanField()
    shown = ArrayField(models.CharField(max_length=12, choices=Means.choices))
    propensity_parts_per_billion = models.PositiveIntegerField()
    ad_propensity_parts_per_billion = models.PositiveIntegerField()
    encounter = models.PositiveIntegerField(
        help_text="Which locked episode of the title that the viewer has met"
    )
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = "offer decision"
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "environment", "series", "episode"],
                name="payments_offerdecision_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    propensity_parts_per_billion__gt=0,
                    propensity_parts_per_billion__lte=BILLION,
                    ad_propensity_parts_per_billion__gte=0,
                    ad_propensity_parts_per_billion__lte=BILLION,
                ),
                name="payments_offerdecision_has_a_chance",
            ),
            models.CheckConstraint(
                condition=Q(arm=None) | Q(is_holdout=False, rule__isnull=False),
                name="payments_offerdecision_arm",
            ),
        ]
        indexes = [models.Index(fields=["policy", "decided_at"], name="offerdecision_of_policy")]

    def __str__(self) -> str:
        return str(self.id)


class TakenKind(models.TextChoices):
    """What an app says a decision led to."""

    UNLOCK = "unlock", "An unlock"
    BUNDLE = "bundle", "An unlock of the rest of a series"
    AD_SESSION = "ad_session", "An ad session"
    PURCHASE_INTENT = "purchase_intent", "A purchase of coins announced"
    PASS_INTENT = "pass_intent", "A purchase of a pass announced"


class OfferTaken(models.Model):
    """What a viewer went on to do, by the app's word: for tracing, never for money, nor for read-outs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    decision = models.ForeignKey(OfferDecision, models.PROTECT, related_name="taken")
    kind = models.CharField(max_length=20, choices=TakenKind.choices)
    subject_id = models.UUIDField(help_text="The id of what was done")
    taken_at = models.DateTimeField()

    class Meta:
        verbose_name = "offer taken"
        verbose_name_plural = "offers taken"
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject_id"], name="payments_offertaken_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
