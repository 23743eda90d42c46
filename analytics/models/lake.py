"""The lake's manifest, and what tends it."""

from django.db import models
from django.db.models import Q

from analytics.models.inbox import Flush


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


class RepeatCount(models.Model):
    """Events that were reported again, by the UTC day on which they were found: what is kept of them.

    Those that told something else under an id that was taken are lost: an app that makes its ids badly. A
    phone that sends again what got no answer tells the same.
    """

    day = models.DateField(primary_key=True)
    repeat_count = models.BigIntegerField(default=0)
    conflict_count = models.BigIntegerField(
        default=0, help_text="Those of them that told something else"
    )

    def __str__(self) -> str:
        return f"{self.day}"


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
