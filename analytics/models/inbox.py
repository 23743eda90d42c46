"""Events as they came, and what moves them into the lake."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from config.ids import uuid7
from viewers.models import Environment


class Flush(models.Model):
    """One drain of the inbox into the lake. Its batches are in the lake once `finished_at` is set.

    Whoever holds the lease writes the files. When it lapses another takes the same flush over and
    writes the same rows under other names, so a crash costs time and nothing else. A day after it is
    done it is deleted with its batches; its files stay.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    claimed_at = models.DateTimeField()
    arrived_at = models.DateTimeField(
        db_default=Now(),
        help_text="The same by the database's clock: what exports of events are continued by",
    )
    leased_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    event_count = models.IntegerField(default=0, help_text="Events written to the lake")
    duplicate_count = models.IntegerField(
        default=0, help_text="Events left out because the same flush has them already"
    )
    refused_count = models.IntegerField(
        default=0, help_text="Accepted events that could not be read any more, now in quarantine"
    )

    class Meta:
        verbose_name_plural = "flushes"
        indexes = [
            models.Index(
                fields=["leased_until"], name="flush_unfinished", condition=Q(finished_at=None)
            ),
            models.Index(
                fields=["finished_at"], name="flush_finished", condition=~Q(finished_at=None)
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class EventBatch(models.Model):
    """One batch as a client sent it, committed before it was acknowledged.

    `payload` is the body, deflated. The viewer is an id and no foreign key: events outlive people.
    """

    id = models.BigAutoField(primary_key=True)
    viewer_id = models.UUIDField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    batch_id = models.UUIDField(help_text="Made by the client; unique for its viewer")
    content_sha256 = models.BinaryField(
        max_length=32,
        help_text="Of all that the client sent but `sent_at`, which differs from try to try",
    )
    sent_at = models.DateTimeField(help_text="By the client's clock")
    received_at = models.DateTimeField()
    payload = models.BinaryField()
    event_count = models.IntegerField(help_text="Events in the batch, quarantined ones included")
    refusals = models.JSONField(
        default=list, help_text="[position, code, detail] of each quarantined event"
    )
    flush = models.ForeignKey(
        Flush, models.PROTECT, null=True, related_name="batches", db_index=False
    )

    class Meta:
        verbose_name_plural = "event batches"
        constraints = [
            models.UniqueConstraint(fields=["viewer_id", "batch_id"], name="analytics_batch_once")
        ]
        indexes = [
            models.Index(fields=["id"], name="batch_waiting", condition=Q(flush=None)),
            models.Index(fields=["flush"], name="batch_of_flush", condition=~Q(flush=None)),
        ]

    def __str__(self) -> str:
        return str(self.batch_id)


class QuarantinedEvent(models.Model):
    """An event that was not accepted, with the reason. It harms nothing around it."""

    id = models.BigAutoField(primary_key=True)
    viewer_id = models.UUIDField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    batch_id = models.UUIDField()
    position = models.IntegerField(help_text="Its place in the batch, from 0")
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=300, blank=True)
    raw = models.BinaryField(help_text="As it was sent, cut at 8 KB")
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["received_at"], name="quarantine_by_time"),
            models.Index(fields=["viewer_id"], name="quarantine_by_viewer"),
            models.Index(fields=["batch_id"], name="quarantine_by_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.code} in {self.batch_id}"
