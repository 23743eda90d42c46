"""The inbox of events, the lake's manifest, and what was published from them."""

from django.db import models
from django.db.models import Q

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


class LakeFile(models.Model):
    """The manifest: a file is part of the lake if and only if it has a row here, not retired."""

    id = models.BigAutoField(primary_key=True)
    flush = models.ForeignKey(
        Flush,
        models.SET_NULL,
        null=True,
        related_name="files",
        help_text="What wrote it, for a day; none if it was merged from others",
    )
    dataset = models.CharField(
        max_length=30, db_default="events", default="events", help_text="What its rows are"
    )
    columns_version = models.PositiveSmallIntegerField(
        db_default=1, default=1, help_text="What was added to the columns later is null in it"
    )
    path = models.CharField(max_length=200, unique=True)
    day = models.DateField(help_text="UTC day of the rows inside")
    row_count = models.IntegerField()
    size_bytes = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    first_event_id = models.UUIDField()
    last_event_id = models.UUIDField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(
        null=True, help_text="When another file took its events over; it is deleted an hour later"
    )
    compared_at = models.DateTimeField(
        null=True, help_text="When its events were compared with those of every earlier file"
    )

    class Meta:
        indexes = [
            models.Index(fields=["day"], name="lakefile_by_day"),
            models.Index(
                fields=["retired_at"], name="lakefile_retired", condition=~Q(retired_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.path


class RepeatedEvent(models.Model):
    """An event of a file that is not counted, since another file has it from an earlier moment."""

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(
        LakeFile, models.PROTECT, related_name="repeated_events", db_index=False
    )
    event_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "event_id"], name="analytics_repeat_once")
        ]

    def __str__(self) -> str:
        return str(self.event_id)


class FactExport(models.Model):
    """How far the facts of a dataset are in the lake: all that transactions before `horizon` committed.

    Transactions are counted by a cluster. In another one, as after a restore, the count begins anew, and
    so does the export.
    """

    dataset = models.CharField(max_length=30, primary_key=True)
    cluster = models.BigIntegerField(help_text="PostgreSQL's own name of the cluster")
    horizon = models.BigIntegerField(help_text="The first transaction that may be missing")
    first_id = models.UUIDField(help_text="No row that is missing has an earlier id")
    row_count = models.BigIntegerField(default=0)
    exported_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.dataset


class LakeChore(models.Model):
    """When something that the lake needs now and then was last done."""

    name = models.CharField(max_length=30, primary_key=True)
    done_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ErasedViewer(models.Model):
    """A viewer of whom nothing in lake and inbox speaks any more. What their events are under now is
    written nowhere.
    """

    viewer_id = models.UUIDField(primary_key=True)
    file_count = models.IntegerField(help_text="Files of the lake that were written anew")
    erased_at = models.DateTimeField(help_text="The files that were replaced go an hour later")

    def __str__(self) -> str:
        return str(self.viewer_id)


class RankingSnapshot(models.Model):
    """A ranking as it was published: the very bytes, never changed. A correction is a new row."""

    id = models.BigAutoField(primary_key=True)
    definition = models.CharField(max_length=40)
    horizon_hours = models.IntegerField()
    watermark = models.DateTimeField()
    basis = models.CharField(max_length=200, help_text="The last file and money it was made from")
    created_at = models.DateTimeField()
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["definition", "horizon_hours", "watermark"],
                name="analytics_ranking_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.horizon_hours} h at {self.watermark:%Y-%m-%d %H:%M}"
