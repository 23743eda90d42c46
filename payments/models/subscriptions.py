"""Subscriptions as their stores see them, and everything that changed one."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.models.covers import Cover
from payments.models.products import TRANSACTION_ID_CHARACTERS, PassProduct, Provider
from payments.models.store_messages import StoreMessage
from viewers.models import Environment, Viewer


class SubscriptionState(models.TextChoices):
    """Where a subscription is. ACTIVE, CANCELLED and GRACE are open, the others are not."""

    PENDING = "pending", "Waits for its first payment"
    ACTIVE = "active", "Runs and renews"
    CANCELLED = "cancelled", "Runs to its end"
    GRACE = "grace", "Open while the store tries to be paid"
    BILLING_RETRY = "billing_retry", "Closed while the store tries to be paid"
    ON_HOLD = "on_hold", "Closed until it is paid"
    PAUSED = "paused", "Paused by the viewer"
    EXPIRED = "expired", "Over"
    REVOKED = "revoked", "Taken back by the store"


class Ownership(models.TextChoices):
    PURCHASED = "purchased", "Bought"
    FAMILY_SHARED = "family_shared", "Shared by a family's member who bought it"


class PriceConsent(models.TextChoices):
    NONE = "none", "Not asked"
    PENDING = "pending", "Asked, not answered yet"
    AGREED = "agreed", "Agreed"


class Subscription(models.Model):
    """What is known of one subscription, by the latest that its store has said. Written by SQL alone.

    `access_until` is what the store grants; less is open where the money of that period went back, or where
    another subscription took this one's place.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    subscription_id = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS, help_text="The store's name for it"
    )
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="subscriptions")
    product = models.ForeignKey(PassProduct, models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=SubscriptionState.choices)
    access_until = models.DateTimeField(null=True)
    renews_as = models.ForeignKey(PassProduct, models.PROTECT, null=True, related_name="+")
    renews_as_name = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS,
        blank=True,
        db_default="",
        help_text="The store's name for it, which nothing here may have",
    )
    ownership = models.CharField(max_length=20, choices=Ownership.choices)
    price_consent = models.CharField(max_length=20, choices=PriceConsent.choices)
    replaces = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS,
        blank=True,
        help_text="The store's name of the one before it",
    )
    as_of = models.DateTimeField(help_text="When the store said so")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "subscription_id"],
                name="payments_subscription_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["provider", "environment", "replaces"],
                name="subscription_by_replaced",
                condition=~Q(replaces=""),
            ),
            models.Index(
                fields=["access_until"],
                name="subscription_that_ends",
                condition=Q(state__in=["active", "cancelled", "grace"]),
            ),
            models.Index(fields=["state", "-id"], name="subscription_by_state"),
            models.Index(fields=["subscription_id"], name="subscription_by_name"),
            models.Index(
                fields=["provider", "renews_as_name"],
                name="subscription_renews_as_unknown",
                condition=Q(renews_as=None) & ~Q(renews_as_name=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.subscription_id} {self.state}"


class CoverEnd(models.TextChoices):
    """Why a subscription's cover ended before its time."""

    TOLD = "told", "The store said that it opens no more, or not so long"
    REPLACED = "replaced", "Another subscription took its place"
    REFUNDED = "refunded", "The money of its latest period went back"
    TRANSFERRED = "transferred", "Another viewer has it"


class SubscriptionCover(models.Model):
    """A cover that a subscription gives its viewer. Written by SQL alone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="covers")
    cover = models.OneToOneField(Cover, models.PROTECT, related_name="subscription_cover")
    ended_by = models.CharField(
        max_length=20, choices=CoverEnd.choices, blank=True, help_text="Empty unless taken back"
    )

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.cover_id}"


class ChangeCause(models.TextChoices):
    """What told of it."""

    MESSAGE = "message", "A store's message"
    SUBMITTED = "submitted", "An app that handed it in"
    READ_BACK = "read_back", "The store, when it was asked"


class SubscriptionChange(models.Model):
    """One telling of a subscription, all that it said. Written by SQL alone.

    A subscription is where the latest of its tellings puts it, whichever came first: that of the latest moment,
    of two of one moment that which opens longer. One that came after a later one changed nothing. Where the
    latest is said again it is one telling still, of the later moment, and of all moments `since` the first.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="changes")
    cause = models.CharField(max_length=20, choices=ChangeCause.choices)
    message = models.ForeignKey(StoreMessage, models.PROTECT, null=True, related_name="+")
    from_state = models.CharField(max_length=20, choices=SubscriptionState.choices, blank=True)
    state = models.CharField(max_length=20, choices=SubscriptionState.choices)
    product = models.ForeignKey(PassProduct, models.PROTECT, related_name="+")
    access_until = models.DateTimeField(null=True)
    renews_as = models.ForeignKey(PassProduct, models.PROTECT, null=True, related_name="+")
    renews_as_name = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS, blank=True, db_default=""
    )
    ownership = models.CharField(max_length=20, choices=Ownership.choices)
    price_consent = models.CharField(max_length=20, choices=PriceConsent.choices)
    replaces = models.CharField(max_length=TRANSACTION_ID_CHARACTERS, blank=True)
    is_outdated = models.BooleanField(help_text="Something later had been heard before")
    since = models.DateTimeField(
        null=True, help_text="When the store said so first, where it said it again"
    )
    as_of = models.DateTimeField(help_text="When the store said so, the last time")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.from_state or 'new'} → {self.state}"


class SubscriptionTransfer(models.Model):
    """A subscription that another viewer restored, and has from then on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="transfers")
    from_viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+")
    to_viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.from_viewer_id} → {self.to_viewer_id}"


class SubscriptionInquiry(models.Model):
    """When a store was last asked about a subscription that it had told nothing more of, and is next.

    `state` and `access_until` are those that it is asked about since `since`. Once they are others, it is asked
    anew.
    """

    subscription = models.OneToOneField(
        Subscription, models.PROTECT, primary_key=True, related_name="inquiry"
    )
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=SubscriptionState.choices, db_default="")
    access_until = models.DateTimeField(null=True)
    since = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True, help_text="Empty when it is asked about no more")

    class Meta:
        verbose_name_plural = "subscription inquiries"

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.asked_at:%Y-%m-%d %H:%M}"
