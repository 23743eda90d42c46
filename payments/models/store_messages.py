"""What stores say and what we owe them: an inbox of raw messages, an outbox of calls, and how far we have read."""

from django.db import models
from django.db.models import Q

from config.ids import uuid7
from payments.models.products import TRANSACTION_ID_CHARACTERS, Provider
from viewers.models import Environment, Viewer


class MessageState(models.TextChoices):
    """What became of a message. UNKNOWN is of a type that nothing here reads yet; PARKED is one that could not be
    applied. Both are kept until somebody has looked, who says so (SEEN), and are applied when they are replayed.
    ENDED is what an app handed in and nobody has paid for: nobody need look."""

    WAITING = "waiting", "Not applied yet"
    APPLIED = "applied", "Applied"
    UNKNOWN = "unknown", "Of an unknown type"
    PARKED = "parked", "Could not be applied"
    SEEN = "seen", "Not applied, and somebody has looked"
    ENDED = "ended", "Never paid"


class Arrival(models.TextChoices):
    """How a message came here."""

    PUSHED = "pushed", "Sent by the store"
    PULLED = "pulled", "Read from the store's history"
    SUBMITTED = "submitted", "Handed in by an app"


class StoreMessage(models.Model):
    """A store's message as it came, applied once. What an app hands in after buying is one, too.

    `event_id` is the store's name for it; of what an app hands in, our hash. `subject` is the transaction or
    subscription that it was about, once that is known.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    event_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS)
    type = models.CharField(max_length=100)
    arrived_by = models.CharField(max_length=10, choices=Arrival.choices)
    submitted_by = models.ForeignKey(
        Viewer, models.PROTECT, null=True, related_name="+", db_index=False
    )
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    subject = models.CharField(max_length=TRANSACTION_ID_CHARACTERS, blank=True)
    facts = models.JSONField(default=list, help_text="What it stood for when it was applied")
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    state = models.CharField(
        max_length=10, choices=MessageState.choices, default=MessageState.WAITING
    )
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Attempts in a row that failed for a cause unforeseen"
    )
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty when it is due no more")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was not applied")
    code = models.CharField(max_length=50, blank=True, help_text="The same, for programs")
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "event_id"], name="payments_storemessage_once"
            ),
            models.CheckConstraint(
                condition=Q(state=MessageState.WAITING, next_attempt_at__isnull=False)
                | ~Q(state=MessageState.WAITING) & Q(next_attempt_at=None),
                name="payments_storemessage_is_due_while_it_waits",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="storemessage_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
            models.Index(
                fields=["provider", "environment", "type", "-received_at"],
                name="storemessage_by_type",
            ),
            models.Index(fields=["subject"], name="storemessage_by_subject"),
            models.Index(fields=["type", "-id"], name="storemessage_of_type"),
            models.Index(fields=["provider", "-id"], name="storemessage_of_provider"),
            models.Index(
                fields=["state", "-received_at"],
                name="storemessage_to_look_at",
                condition=Q(state__in=["unknown", "parked"]),
            ),
            models.Index(
                fields=["submitted_by"],
                name="storemessage_handed_in",
                condition=Q(submitted_by__isnull=False, next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.type} {self.event_id}"


class CallVerb(models.TextChoices):
    """What a store is to be told."""

    ACKNOWLEDGE = "acknowledge", "It was delivered"
    CONSUME = "consume", "It was delivered and may be bought again"
    ANSWER_REFUND_QUESTION = "answer_refund_question", "What became of what was bought"
    GIVE_BACK = "give_back", "An operator gives money back"


class CallState(models.TextChoices):
    WAITING = "waiting", "Not told yet"
    DONE = "done", "Told"
    FAILED = "failed", "The store refuses to be told"
    HELD = "held", "Waits for a second person"
    WITHDRAWN = "withdrawn", "Not to be told any more"


class StoreCall(models.Model):
    """Something that a store is to be told, written with what it is about and told until it has heard."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    verb = models.CharField(max_length=30, choices=CallVerb.choices)
    subject = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS, help_text="The transaction or question"
    )
    details = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=CallState.choices, default=CallState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Attempts in a row that failed for a cause unforeseen"
    )
    next_attempt_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True, help_text="Later the store listens no more")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment", "verb", "subject"],
                name="payments_storecall_once",
            ),
            models.CheckConstraint(
                condition=Q(state=CallState.WAITING, next_attempt_at__isnull=False)
                | ~Q(state=CallState.WAITING) & Q(next_attempt_at=None),
                name="payments_storecall_is_due_while_it_waits",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="storecall_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
            models.Index(fields=["state", "-id"], name="storecall_by_state"),
            models.Index(fields=["subject"], name="storecall_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.provider} {self.subject}"


class StoreHistory(models.Model):
    """Up to when a store's own history of an environment's messages has been read, and when that is tried next.

    It is read from a while before `read_until` on, slice by slice. `resume_at` is where the last attempt has got
    to that did not come to the end.
    """

    provider = models.CharField(max_length=20, choices=Provider.choices)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    read_until = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="Empty until all of it was read once")
    tried_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Attempts in a row that did not come to the end"
    )
    next_attempt_at = models.DateTimeField(null=True)
    resume_at = models.DateTimeField(null=True)
    found_count = models.BigIntegerField(default=0, help_text="Messages that had not come")

    class Meta:
        verbose_name_plural = "store histories"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment"], name="payments_storehistory_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} ({self.environment}) until {self.read_until:%Y-%m-%d %H:%M}"
