"""Our books against the stores' own lists: when they were compared, what differs, what fees came to."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models.passes import PassPurchase
from payments.models.products import TRANSACTION_ID_CHARACTERS, Provider
from payments.models.purchases import Purchase
from viewers.models import Environment


class ReportState(models.TextChoices):
    WAITING = "waiting", "Not read yet"
    READ = "read", "Read"
    REFUSED = "refused", "Cannot be read"


class StoreReport(models.Model):
    """A store's file of what it settled, as an operator brought it or as it was dropped in the folder."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    body = models.BinaryField()
    state = models.CharField(
        max_length=10, choices=ReportState.choices, default=ReportState.WAITING
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why it cannot be read")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often something unforeseen has happened to it"
    )
    brought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    received_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="Or tried last")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "sha256"], name="payments_storereport_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["received_at"], name="storereport_to_read", condition=Q(state="waiting")
            )
        ]

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    RUNNING = "running", "Under way"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"


class Reconciliation(models.Model):
    """One comparison of a store's list of [since, until), or of a report, with what is booked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    report = models.ForeignKey(StoreReport, models.PROTECT, null=True, related_name="runs")
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.RUNNING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it failed")
    listed_count = models.PositiveIntegerField(default=0, help_text="Lines of the store's list")
    booked_count = models.PositiveIntegerField(default=0, help_text="Of our books, of that time")
    found_counts = models.JSONField(default=dict, help_text="Differences by cause")
    healed_count = models.PositiveIntegerField(default=0, help_text="Of these, booked by this run")
    fees_waiting_count = models.PositiveIntegerField(
        default=0, help_text="Fees in a currency without a rate yet"
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state=RunState.RUNNING, finished_at=None)
                | ~Q(state=RunState.RUNNING) & Q(finished_at__isnull=False),
                name="payments_reconciliation_ends",
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "environment", "-started_at"], name="reconciliation_by_store"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.environment} until {self.until:%Y-%m-%d %H:%M}"


class DifferenceCause(models.TextChoices):
    """What is wrong between a store's list and our books."""

    MISSING_HERE = "missing_here", "The store sold it, we have not booked it"
    MISSING_THERE = "missing_there", "We have booked it, the store does not have it"
    AMOUNT_DIFFERS = "amount_differs", "Another amount"
    CURRENCY_DIFFERS = "currency_differs", "Another currency"
    REFUND_MISSING_HERE = "refund_missing_here", "The store gave money back, we have not booked it"
    REFUND_MISSING_THERE = "refund_missing_there", "We have booked a refund that the store has not"
    DUPLICATE = "duplicate", "The store took the money more than once"
    NOT_DELIVERED = "not_delivered", "Booked without the coins or the cover that were bought"
    FEE_DIFFERS = "fee_differs", "The store kept another fee than was estimated"


class DifferenceState(models.TextChoices):
    """WAITING may settle by itself: the store knows the sale, its list does not have it yet."""

    OPEN = "open", "Open"
    WAITING = "waiting", "May settle by itself"
    SEEN = "seen", "Somebody has looked"
    HEALED = "healed", "Booked by itself"
    GONE = "gone", "No more"


class Difference(models.Model):
    """One thing on which a store and our books do not agree, whichever runs have found it.

    Amounts are of `currency` and `their_currency`, gross.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    subscription_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS, blank=True)
    cause = models.CharField(max_length=30, choices=DifferenceCause.choices)
    line_id = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS, blank=True, help_text="A refund's name"
    )
    state = models.CharField(max_length=10, choices=DifferenceState.choices)
    our_micros = models.BigIntegerField(null=True)
    their_micros = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    their_currency = models.CharField(max_length=3, blank=True)
    occurred_at = models.DateTimeField()
    detail = models.CharField(max_length=500, blank=True)
    found_by = models.ForeignKey(Reconciliation, models.PROTECT, related_name="found")
    last_found_by = models.ForeignKey(Reconciliation, models.PROTECT, related_name="last_found")
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True, help_text="When it was asked about again last")
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id", "cause", "line_id"],
                name="payments_difference_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["provider", "environment", "cause"],
                name="difference_to_look_at",
                condition=Q(state__in=["open", "waiting"]),
            ),
            models.Index(fields=["state", "-id"], name="difference_by_state"),
            models.Index(fields=["cause", "-id"], name="difference_by_cause"),
            models.Index(fields=["transaction_id"], name="difference_by_transaction"),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.transaction_id}"


class FeeAdjustment(models.Model):
    """What a store's fee for one line of its list came to beyond what was estimated, in micros of the reporting
    currency. The purchase and its lots keep the estimate. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    line_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    kind = models.CharField(max_length=10)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    purchase = models.ForeignKey(
        Purchase, models.PROTECT, null=True, related_name="fee_adjustments"
    )
    pass_purchase = models.ForeignKey(
        PassPurchase, models.PROTECT, null=True, related_name="fee_adjustments"
    )
    run = models.ForeignKey(Reconciliation, models.PROTECT, related_name="fee_adjustments")
    estimated_micros = models.BigIntegerField(help_text="Less than nothing for what a refund frees")
    settled_micros = models.BigIntegerField()
    difference_micros = models.BigIntegerField(help_text="Settled less estimated")
    fee_micros = models.BigIntegerField(help_text="As the store says, in its currency")
    fee_currency = models.CharField(max_length=3)
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10)
    exchange_source = models.CharField(max_length=50)
    settled_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id", "kind", "line_id"],
                name="payments_feeadjustment_once",
            ),
            models.CheckConstraint(
                condition=Q(difference_micros=F("settled_micros") - F("estimated_micros")),
                name="payments_feeadjustment_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(purchase__isnull=True) | Q(pass_purchase__isnull=True),
                name="payments_feeadjustment_of_coins_or_a_pass",
            ),
        ]
        indexes = [
            models.Index(fields=["environment", "created_at"], name="feeadjustment_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.difference_micros:+d} {self.transaction_id}"


class WaitingFee(models.Model):
    """A fee in a currency that has no rate of its day yet. It is settled and deleted when that comes, long after its
    line has left the store's list."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    line_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    kind = models.CharField(max_length=10)
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    fee_micros = models.BigIntegerField(help_text="As the store says, in its currency")
    fee_currency = models.CharField(max_length=3)
    settled_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "transaction_id", "kind", "line_id"],
                name="payments_waitingfee_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.fee_micros} {self.fee_currency} {self.transaction_id}"
