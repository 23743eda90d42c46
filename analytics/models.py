"""The inbox of events, the lake's manifest, and what was published from them."""

from django.db import models
from django.db.models import Q

from config.ids import uuid7
from viewers.models import SOURCE_CHARACTERS, Environment


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
    path = models.CharField(max_length=200, unique=True)
    day = models.DateField(help_text="UTC day of the events inside")
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


class HistoryKind(models.TextChoices):
    """What a file of the past tells of."""

    EVENTS = "events", "Events"
    PURCHASES = "purchases", "Purchases"


class HistoryImport(models.Model):
    """A file of another system's past, read by one mapping. What it tells counts once `finished_at` is set.

    Its id is the batch of every event that it brought: rows of the lake name it however files are merged.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=SOURCE_CHARACTERS)
    kind = models.CharField(max_length=10, choices=HistoryKind.choices)
    file_name = models.CharField(max_length=200)
    file_sha256 = models.BinaryField(max_length=32)
    mapping_sha256 = models.BinaryField(max_length=32)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    line_count = models.BigIntegerField(default=0)
    kept_count = models.BigIntegerField(default=0, help_text="Events or purchases that are new")
    known_count = models.BigIntegerField(default=0, help_text="Those that were there already")
    left_out_count = models.BigIntegerField(default=0, help_text="By the mapping's own word")
    refused_count = models.BigIntegerField(default=0, help_text="Lines that could not be read")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["file_sha256", "mapping_sha256"], name="analytics_history_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.file_name}"


class HistoryPart(models.Model):
    """So many lines of a file of events, written to the lake's store. The manifest has them at the end."""

    id = models.BigAutoField(primary_key=True)
    history_import = models.ForeignKey(
        HistoryImport, models.CASCADE, related_name="parts", db_index=False
    )
    number = models.IntegerField()
    files = models.JSONField(help_text="What the manifest will say of each file")
    line_count = models.IntegerField()
    kept_count = models.IntegerField()
    known_count = models.IntegerField()
    left_out_count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["history_import", "number"], name="analytics_historypart_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.history_import_id} {self.number}"


class RefusedLine(models.Model):
    """A line of the past that could not be read, and why. It harms nothing around it."""

    id = models.BigAutoField(primary_key=True)
    history_import = models.ForeignKey(HistoryImport, models.CASCADE, related_name="refused_lines")
    line = models.BigIntegerField(help_text="From 1; of Parquet, the row")
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)

    def __str__(self) -> str:
        return f"{self.code} in line {self.line}"
